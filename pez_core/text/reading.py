"""What the encoder reads of a text from outside, and how else people and painters may read it.

`clean` is what the tokeniser makes of a text before it splits it. `readings` adds the text
*folded*: without the signs that nobody sees, and with Latin letters in place of others that look
like them. A text can hide a word from CLIP with such signs, and a person or another tokeniser still
reads it.
"""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache

from ..errors import TextError
from .look_alikes import LOOK_ALIKES

LONGEST = 200_000  # characters: some 40,000 words, of which CLIP reads 75 tokens at once
# The tokenisers' start and end. ComfyUI's reads nothing after its own; open_clip's has other ones.
MARK = re.compile(r"<\|?(?:start|end)_?of_?text\|?>", re.IGNORECASE)
# Signs without ink that Unicode does not count among its control and format characters: fillers, a
# joiner, and the selectors of variants.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\ufffc\ufffd") | frozenset(
    map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
)
_SPACES = str.maketrans("\t\n\r", "   ")  # ftfy takes seconds for thousands of lines
_GAP = "\0"  # stands for a sign that nobody sees, until it is known what takes its place


def clean(text: str) -> str:
    """The text as CLIP's tokeniser splits it: mended, unescaped, in lower case, with single spaces.

    Bytes that are not UTF-8, which Python holds as lone surrogates, become U+FFFD.
    Raises TextError as `require_length` does.
    """
    require_length(text)
    if not _is_plain(text):
        import ftfy  # 0.1 s, and plain text does not need it

        text = html.unescape(html.unescape(ftfy.fix_text(valid(text))))
    return " ".join(text.split()).lower()


def require_length(text: str) -> None:
    """Raises TextError for a text of more than `LONGEST` characters."""
    if len(text) > LONGEST:
        raise TextError(
            f"the text {text[:40]!r}… has {len(text):,} characters: give one of at most {LONGEST:,}"
        )


def valid(text: str) -> str:
    """The text with U+FFFD in place of lone surrogates, so that it can be written as UTF-8."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def readings(text: str) -> tuple[str, ...]:
    """The ways in which a text can be read, each once: the text itself, as CLIP cleans it, and
    folded. A sign that nobody sees may stand inside a word or separate two words, so the folded
    text is there without it and with a space in its place.

    Plain ASCII without an escape or a mark has one reading. Raises TextError as `clean` does.
    """
    require_length(text)
    if _is_plain(text) and not MARK.search(text):
        return (text,)
    read = clean(text)
    # Not every painter unescapes: "&notebook" is "¬ebook" to open_clip and "& notebook" to ComfyUI.
    as_written = valid(text).replace("&", " & ")
    folded = [fold(base, gap) for base in (read, as_written) for gap in ("", " ")]
    own = " ".join(text.lower().split())
    others = dict.fromkeys(other for other in (read, *folded) if other and other != own)
    return (text, *others)


def fold(text: str, gap: str = "") -> str:
    """The text in lower case without invisible signs, marks and accents, and with ASCII letters in
    place of those that look like them. gap: what takes the place of invisible signs and marks."""
    letters = "".join(map(_folded, text)).replace(_GAP, gap)
    folded = unicodedata.normalize("NFKC", MARK.sub(gap, letters).casefold())
    return " ".join(folded.split())


def respelt(text: str) -> str | None:
    """The text in plain ASCII, in lower case, if more than accents has to be taken away for it:
    what somebody means who has copied a word with signs in it that are not what they seem."""
    folded = fold(clean(text))
    letters = (unicodedata.normalize("NFD", c)[0] for c in unicodedata.normalize("NFC", text))
    own = " ".join("".join(letters).lower().split())
    return folded if folded and folded.isascii() and folded != own else None


def _is_plain(text: str) -> bool:
    """Whether cleaning changes only case and spaces of a text."""
    return text.isascii() and text.translate(_SPACES).isprintable() and "&" not in text


@lru_cache(maxsize=4096)
def _folded(character: str) -> str:
    """The ASCII letters that a character looks like, itself without any, "" for an accent, and
    `_GAP` for what nobody sees."""
    if character.isspace():
        return " "
    kind = unicodedata.category(character)
    if kind.startswith("C") or character in _BLANK:  # control, format, unassigned, private
        return _GAP
    if kind in ("Mn", "Me"):
        return ""
    for case in (character, character.upper(), character.lower()):
        if case in LOOK_ALIKES:
            return LOOK_ALIKES[case]
    named = _LATIN.fullmatch(unicodedata.name(character, ""))
    if named:
        return named.group(1)
    parts = unicodedata.normalize("NFKD", character)
    return character if parts == character else "".join(map(_folded, parts))


# LATIN SMALL LETTER DOTLESS I, LATIN LETTER SMALL CAPITAL A, NEGATIVE CIRCLED LATIN CAPITAL LETTER
# A, LATIN SMALL LETTER O WITH STROKE, REGIONAL INDICATOR SYMBOL LETTER A
_LATIN = re.compile(
    r"(?:.* )?(?:LATIN|REGIONAL INDICATOR)(?: \w+)* LETTER (?:\w\w+ )*([A-Z])(?: WITH(?:OUT)? .*)?"
)
