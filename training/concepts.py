"""Emoji concepts: one per emoji, with its English name and tags (emojibase).

Flags, skin tones and components are left out. Icon sets name their drawings differently, so a
drawing is matched to a concept by its squashed name (letters and digits only).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from .sources import EMOJIBASE, SOURCES

LEFT_OUT_GROUPS = (None, 2, 9)
"""Regional indicators, components, flags."""
SYMBOL_GROUP = 8

MISLEADING_ICON_NAMES = frozenset(
    # These words have other meanings in icon sets than as names of emoji.
    {"mouse", "crane", "ring", "bat", "pager", "link", "seal", "top", "back", "end", "soon", "on"}
)
_STYLE_SUFFIX = re.compile(r"(-(bold|duotone|fill|filled|outline|duo|flat|\d+))+$")
_SHORTCODE_FILES = ("emojibase", "cldr", "github", "joypixels", "iamcal")


@dataclass(frozen=True)
class Concept:
    """The concept of one emoji."""

    hexcode: str
    name: str
    tags: tuple[str, ...]
    group: int


def squash(name: str) -> str:
    """`name` reduced to lower-case letters and digits."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def plain_name(label: str) -> str:
    """An emoji's label as caption text: `flag: red` -> `flag red`."""
    text = label.lower().replace("’", "'")
    return re.sub(r"\s+", " ", re.sub(r"[:“”]", " ", text)).strip()


def _read(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


def load_concepts(modules: Path) -> list[Concept]:
    """All concepts, in the order of emojibase. `modules`: the node_modules folder."""
    rows = _read(modules / EMOJIBASE[0] / "en" / "data.json")
    return [
        Concept(
            row["hexcode"],
            plain_name(row["label"]),
            tuple(plain_name(tag) for tag in row.get("tags", [])),
            row["group"],
        )
        for row in rows
        if row.get("group") not in LEFT_OUT_GROUPS
    ]


class ConceptIndex:
    """An index of concepts by code point and by name of a drawing."""

    def __init__(self, concepts: list[Concept], modules: Path) -> None:
        self._by_hexcode = {self._strip(c.hexcode): i for i, c in enumerate(concepts)}
        self._groups = [c.group for c in concepts]
        self._by_name: dict[str, int] = {}
        for i, concept in enumerate(concepts):
            self._by_name.setdefault(squash(concept.name), i)
        self._exact = dict(self._by_name)
        base = modules / EMOJIBASE[0]
        for source in SOURCES:
            chars = modules / source.package / "chars.json"
            if source.kind == "emoji" and chars.exists():
                self._add(_read(chars))
        self._add(_read(base / "meta" / "unicode-names.json"))
        for stem in _SHORTCODE_FILES:
            self._add(_read(base / "en" / "shortcodes" / f"{stem}.json"))

    @staticmethod
    def _strip(hexcode: str) -> str:
        return hexcode.upper().replace("-FE0F", "")

    def _add(self, names_by_hexcode: dict[str, str | list[str]]) -> None:
        for hexcode, names in names_by_hexcode.items():
            index = self.of_hexcode(hexcode)
            if index is not None:
                for name in [names] if isinstance(names, str) else names:
                    self._by_name.setdefault(squash(name), index)

    def of_hexcode(self, hexcode: str) -> int | None:
        """Index of the concept with this code point sequence, or None."""
        return self._by_hexcode.get(self._strip(hexcode))

    def of_emoji_name(self, name: str) -> int | None:
        """Index of the concept that an emoji set calls `name`, or None."""
        return self._by_name.get(squash(name))

    def of_icon_name(self, name: str) -> int | None:
        """Index of the concept whose exact name an icon set uses, or None.

        But: only exact names match, because icon sets use words more freely than emoji sets.
        Symbols are left out, because arrows and marks have other purposes there.
        """
        bare = _STYLE_SUFFIX.sub("", name)
        index = self._exact.get(squash(bare))
        if bare in MISLEADING_ICON_NAMES or index is None or self._groups[index] == SYMBOL_GROUP:
            return None
        return index
