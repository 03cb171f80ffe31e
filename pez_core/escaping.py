"""A prompt's text, written so that another program reads it literally.

ComfyUI reads parentheses as weights and `embedding:` as the name of a file. AUTOMATIC1111's web UI
(and Forge) also reads square brackets, `<lora:…>`, AND, BREAK, and a number after a colon at the
end. There a backslash before any sign vanishes, while ComfyUI keeps one that is not before a
parenthesis. So a text with square brackets or backslashes has no form that suits both.

The escaped text is read to the token ids of the text itself. What is not a backslash is a space
between two pieces of CLIP's tokeniser, or lower case, which CLIP reads anyway.
"""

from __future__ import annotations

import re

COMFYUI, A1111 = PROGRAMS = ("comfyui", "a1111")
# What the page of a program reads before its prompts are read, and has no escape for: ComfyUI's
# page chooses among {a|b} and cuts comments, in a text that is typed. A1111 cuts a comment.
_UNESCAPABLE = {COMFYUI: ("{", "}", "//", "/*"), A1111: ("#",)}


def escape(text: str, program: str = COMFYUI) -> str:
    """The text, written for one of PROGRAMS."""
    if program == COMFYUI:
        return escape_parentheses(text).replace("embedding:", "embedding :")
    text = re.sub(r"[\\()\[\]]", r"\\\g<0>", text)
    text = re.sub(r"AND|BREAK", lambda found: found[0].lower(), text)
    # <name:…> names a network. A sign and a letter are two pieces, with and without a space.
    text = re.sub(r"<(_*)(?=[^\W_])", r"<\1 ", text)
    # What is one piece gets a backslash, which vanishes before such a character.
    return re.sub(r"<(?=_+:)|:(?=\s*[-+]?[\d.]+\s*\Z)", r"\g<0>\\", text)


def escape_parentheses(text: str) -> str:
    """The text for ComfyUI, with its names of embeddings as they are."""
    # Backslashes stay single: ComfyUI interprets them only before a parenthesis.
    return text.replace("(", r"\(").replace(")", r"\)")


def unescapable(text: str, program: str) -> list[str]:
    """The signs of a text that the page of a program reads and has no escape for."""
    return [sign for sign in _UNESCAPABLE[program] if sign in text]
