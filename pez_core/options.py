"""What is said of each option of `pez invert` and of the inputs that the nodes share with it.

The help of `pez`, the tooltips of the nodes and the table of docs/options.md come from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from .config import Option, SearchConfig

SETTINGS: Mapping[str, Option] = {f.name: f.metadata["option"] for f in fields(SearchConfig)}

OPTIONS: Mapping[str, Option] = {
    **SETTINGS,
    "text": Option(
        "a text that the prompt should be near to",
        command="may be repeated",
        node="Write one text per line.",
    ),
    "negative": Option(
        "a picture or a text to keep away from",
        command="may be repeated; without any other target the result is a negative prompt: the "
        "words farthest away, with minus the cosine as their similarity",
        page="It has the weight −1. It is a picture if a file has that name, or if it ends like "
        "one, as in `.jpg`; else a text.",
    ),
    "model": Option(
        "the CLIP whose text encoder reads the prompt",
        command="`pez models` lists them",
        node="Choose the diffusion model that you paint with. The usable files in your "
        "text_encoders, clip_vision and checkpoints folders are listed too. SD 3.5 reads a part of "
        "a learned prompt, Flux.1 only one pooled vector of it, and models whose text encoder is a "
        "language model, such as Flux.2 and Qwen-Image, nothing. 'demo' needs no download; it "
        "knows clip-art only and is the text encoder of no model you paint with.",
        page="See [models](#models).",
    ),
    "tower": Option(
        "which text encoder to use of a file that holds several, such as clip_l",
        shown="the only one",
    ),
    "device": Option(
        "where to compute; auto takes CUDA, then MPS, then the CPU",
        page="See [device and precision](#device-and-precision).",
    ),
    "dtype": Option(
        "the precision of the text encoder during the search; the scores returned are computed in "
        "float32",
        page="See [device and precision](#device-and-precision).",
        shown="auto, the fastest one of the device",
    ),
    "tokens": Option(
        "how many tokens to learn",
        node="Between 4 and 16, a second CLIP showed no difference. With more, only the similarity "
        "on this CLIP rises.",
        page="8 comes from the paper's tables.",
        shown="8",
    ),
    "template": Option(
        'fixed words with slots to learn, such as "a photo of {8}, by {4}"',
        node="Empty: only learned tokens, as many as `tokens` says.",
        page="It replaces `--tokens`.",
        shown="learned tokens only",
    ),
    "preset": Option(
        "how long to search. fast: the first good words. thorough: several rounds, for a higher "
        "similarity. paper: the paper's own setting, one prompt for 3000 steps",
        page="See [presets](#presets).",
    ),
    "seed": Option(
        "the start of the search; the same seed gives the same prompt",
        page="This holds on the same machine, unless `--seconds` ends the search.",
    ),
    "vocabulary": Option(
        "the tokens to learn from. words: whole words only; other CLIPs understand them "
        "better too. ascii: all ASCII tokens that stand alone, digits and punctuation included. "
        "all: every token, emoji included",
        page="See [vocabulary](#vocabulary).",
        shown="words, or ascii with --allow",
    ),
    "ban": Option(
        "words that must not appear, separated by commas; cat* also bans cats",
        command="may be repeated",
        page="See [vocabulary](#vocabulary).",
    ),
    "allow": Option(
        "a file of words, one or more per line; only these words are used",
        page="See [vocabulary](#vocabulary).",
        shown="all words",
    ),
    "avoid": Option(
        "a meaning to keep away from, in any words",
        command="a text or a picture; may be repeated",
        node="Separate several meanings with commas, such as: text, a person.",
        page="The words that say a text concept are not used either; the JSON lists them. See "
        "[guard](guard.md).",
    ),
    "avoid_file": Option(
        "a file of meanings to keep away from, one per line",
        page="See [guard](guard.md).",
    ),
    "false_alarms": Option(
        "the share of neutral prompts that may count as too near to a meaning; a higher share is "
        "stricter",
        page="See [guard](guard.md).",
    ),
    "escape": Option(
        "print prompts so that a program reads them literally, parentheses included: comfyui, or "
        "a1111 for AUTOMATIC1111's web UI and Forge",
        command="without PROGRAM it means comfyui and must come last",
        page="See [literal text](#literal-text).",
        shown="as they are",
    ),
    "paint": Option(
        "a PNG to write with the pictures, the words, and what the words paint",
        command="needs the extra `paint`",
        page="See [painting](painter.md).",
        shown="nothing is painted",
    ),
    "painter": Option(
        "what paints: demo, the embedded painter; or a folder in diffusers' layout with "
        "safetensors, or a name on the hub",
        page="Given to `pez invert`, it also [chooses](painter.md#let-the-painter-choose) among "
        "the candidates of a picture.",
        shown="demo with --model demo",
    ),
    "painter_edits": Option(
        "how many edits of one word the painter may take in the prompt of its choice: a word is "
        "swapped, added or left out",
        page="See [painting](painter.md#let-the-painter-edit).",
    ),
    "json": Option("print one JSON object", page="See [output](#output)."),
    "debug": Option("show the traceback of an error"),
}
