"""How programs that paint read a prompt, from their documentation: the plain text that reaches the
tokeniser, and whether any of it has a weight or another meaning."""

from __future__ import annotations

import re

Read = tuple[str, bool]  # the text, and whether all of it is literal


def comfyui(prompt: str) -> Read:
    r"""Parentheses weigh, `\(` and `\)` are literal, any other backslash is itself, and
    `embedding:` at the start of a word is a file."""
    text, literal, at = "", not re.search(r"(^|[ \n])embedding:", prompt), 0
    while at < len(prompt):
        if prompt[at : at + 2] in (r"\(", r"\)"):
            at += 1
        elif prompt[at] in "()":
            literal = False
        text, at = text + prompt[at], at + 1
    return text, literal


def a1111(prompt: str) -> Read:
    r"""`<name:…>` is a network; AND divides the prompt, and each part may end with `:weight`;
    brackets of both kinds weigh; BREAK starts a new chunk; `\` makes one of ()[]\ literal and
    vanishes before anything else."""
    text, literal = "", not re.search(r"<\w+:[^>]+>", prompt)
    for number, part in enumerate(re.split(r"\bAND\b", prompt)):
        weighed = re.fullmatch(r"\s*.*?\s*:\s*[-+]?(\d+\.?|\d*\.\d+)\s*", part)
        literal = literal and not number and not weighed
        plain, at = [""], 0  # BREAK is looked for between two brackets, colons and backslashes
        while at < len(part):
            if part[at] == "\\":
                if part[at + 1 : at + 2] in ("(", ")", "[", "]", "\\"):
                    at += 1
                    plain += [part[at], ""]
                else:
                    plain.append("")
            elif part[at] in "()[]":
                literal = False
            elif part[at] == ":":
                plain += [":", ""]
            else:
                plain[-1] += part[at]
            at += 1
        literal = literal and not any(re.search(r"\bBREAK\b", piece) for piece in plain)
        text += "".join(plain)
    return text, literal


READERS = {"comfyui": comfyui, "a1111": a1111}
