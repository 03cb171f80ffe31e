"""Exact conversion between text and token ids.

`vocabulary` is CLIP's tokeniser and the masks of allowed tokens. `template` reads fixed words with
slots. `edits` applies locks, bans and replacements to words. `text_parts` splits long texts.
`line_files` reads lists from text files.
"""
