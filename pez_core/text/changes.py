"""What an edit has changed in a text, word by word."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Literal

Kind = Literal["same", "gone", "new"]


def changed_words(before: str, after: str) -> list[tuple[str, Kind]]:
    """Both texts in one: runs of words with the white space before each, and what became of them.
    Those that are not "gone" give the text after the edit, those that are not "new" the text
    before."""
    old, new = (re.findall(r"\s*\S+|\s+$", text) for text in (before, after))
    pieces: list[tuple[str, Kind]] = []
    for tag, i, j, k, m in SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if tag == "equal":
            pieces.append(("".join(new[k:m]), "same"))
            continue
        gone, come = "".join(old[i:j]), "".join(new[k:m])
        pieces += [(gone, "gone")] if gone else []
        pieces += [(come, "new")] if come else []
    return pieces
