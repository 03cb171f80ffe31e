"""Exact conversion between text and token ids.

`reading` cleans a text from outside, and finds its other readings. `bpe` splits it into tokens.
`vocabulary` has both, and the masks of allowed tokens. `bans` are banned words. `template` reads
fixed words with slots. `edits` applies locks, bans and replacements to words. `text_parts` splits
long texts. `line_files` reads lists from text files. Escaping for ComfyUI is in
nodes/run/prompt_text.py.
"""
