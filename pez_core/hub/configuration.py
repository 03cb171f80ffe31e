"""Configurations that others wrote: JSON files, with a check of every entry that is used.

A configuration comes with a model from anywhere, and what it says decides what other libraries do.
So each entry is checked for its type and its range before anything is built from it, and every
error names the file, the entry and the value.
"""

from __future__ import annotations

import json
import math
import os
import reprlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from ..errors import ModelError, printable

MOST_BYTES = 16_000_000  # configurations take kilobytes; one with thousands of labels, megabytes
LARGEST = 16_384  # of a size; the widest CLIP has 1,792 and an MLP of 15,360

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 60


def shown(value: Any) -> str:
    """A value for a message: on one line, printable, and short."""
    return printable(_REPR.repr(value))


def parse_json(data: bytes | str, what: str) -> Any:
    """The value of a JSON text. what: names it in messages.

    Raises ValueError for a text that is not JSON in UTF-8 (a byte order mark is allowed) or in
    UTF-16 with a mark, is nested too deeply, or names an entry twice.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        for name, value in pairs:
            if name in entries:
                raise ValueError(f"{what} has the entry {shown(name)} twice")
            entries[name] = value
        return entries

    try:
        return json.loads(data, object_pairs_hook=once)
    except RecursionError:
        raise ValueError(f"{what} is nested too deeply") from None


def read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The entries of a JSON file that holds one object. Raises ModelError, which names the file."""
    entries = read_value(path)
    if not isinstance(entries, dict):
        raise ModelError(f"the configuration {path} is not a JSON object")
    return entries


def read_value(path: str | os.PathLike[str]) -> Any:
    """What a JSON file holds, of whatever type. Raises ModelError, which names the file."""
    name = f"the configuration {path}"
    if not os.path.isfile(path):  # a folder or a pipe would be waited for, or end in an OSError
        raise ModelError(f"{name} is not a file")
    try:
        if os.path.getsize(path) > MOST_BYTES:
            raise ModelError(
                f"{name} has more than {MOST_BYTES:,} bytes: it is not a configuration"
            )
        with open(path, "rb") as file:
            return parse_json(file.read(MOST_BYTES), name)
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read {name}: {error}") from error


@dataclass(frozen=True)
class Section:
    """An object of a configuration, read with checks. Each method raises ModelError, which names
    the source, the entry and its value.

    source: the file, or the name of a registered model. place: before the names of its entries.
    """

    entries: Mapping[str, Any]
    source: str
    place: str = ""

    def refuse(self, name: str, expected: str) -> NoReturn:
        """Raises the error for an entry."""
        raise ModelError(
            f"{self.source}: {self.place}{printable(name)} is {shown(self.entries.get(name))}, "
            f"but must be {expected}"
        )

    def whole(self, name: str, default: int, most: int = LARGEST, least: int = 1) -> int:
        """A whole number. An entry that is absent is `default`."""
        value = self.entries.get(name, default)
        if type(value) is not int or not least <= value <= most:
            self.refuse(name, f"a whole number from {least} to {most:,}")
        return value

    def number(self, name: str, default: float, least: float, most: float) -> float:
        """A finite number."""
        value = self.entries.get(name, default)
        if not _is_number(value) or not least <= value <= most:
            self.refuse(name, f"a number from {least:g} to {most:g}")
        return float(value)

    def three(self, name: str, least: float, most: float) -> tuple[float, ...] | None:
        """Three finite numbers, for the colours. One number stands for three; null is absent."""
        value = self.entries.get(name)
        if value is None:
            return None
        values = value if isinstance(value, list | tuple) else (value,) * 3
        if len(values) != 3 or not all(_is_number(v) and least <= v <= most for v in values):
            self.refuse(name, f"three numbers from {least:g} to {most:g}")
        return tuple(map(float, values))

    def one_of(self, name: str, options: Collection[Any]) -> Any:
        """One of some values. An absent entry is the first."""
        options = list(options)
        value = self.entries.get(name, options[0])
        # By their types as well: 1 is not True.
        if not any(type(value) is type(o) and value == o for o in options):
            self.refuse(name, f"one of {', '.join(map(repr, options))}")
        return value

    def section(self, name: str) -> Section:
        """An object inside this one; empty if it is absent."""
        value = self.entries.get(name, {})
        if not isinstance(value, Mapping):
            self.refuse(name, "an object with entries of its own")
        return Section(value, self.source, f"{self.place}{name}.")

    def require_known(self, known: Collection[str]) -> None:
        """Refuses entries with other names: what an unknown entry would do is unknown as well."""
        for name in self.entries:
            if name not in known:
                raise ModelError(
                    f"{self.source}: {self.place}{shown(name)} is not an entry that is known here, "
                    "so the model may be another one than it says: remove the entry if it has no "
                    "effect, or choose a CLIP model of open_clip's own"
                )


def every_entry(value: Any) -> Iterator[tuple[str, Any]]:
    """The names and values of all entries of a JSON value, at any depth."""
    left = [value]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            yield from value.items()
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(value)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond any float
        return False
