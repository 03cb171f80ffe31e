"""Work on many items by a model that is loaded once, here or by the workers of a cluster.

The same `Work` runs in both places, so results do not depend on the place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import PictureError
from .results import Key

Result = Any  # of an item; a PictureError where it has failed
Do = Callable[[Sequence[tuple[Key, Any]]], Iterator[tuple[Key, Result]]]


@dataclass(frozen=True)
class Item:
    """One item. name: unique in a run. label: its name in messages. read: returns its content,
    plain data that can be sent to another machine, and the content's size in bytes. It may raise
    PictureError."""

    name: Key
    label: str
    read: Callable[[], tuple[Any, int]]


class Work(Protocol):
    """What is done with each item, as plain data that can be sent to another machine.

    device: one of DEVICES. at_once: how many items are worked on together. ahead: how many more
    may be begun before the first of them is done. doing: what it is, for messages, such as
    "searching".
    """

    @property
    def device(self) -> str: ...

    @property
    def at_once(self) -> int: ...

    @property
    def ahead(self) -> int: ...

    @property
    def doing(self) -> str: ...

    def load(self) -> Do:
        """Load the model. The function that is returned takes names and contents, and yields each
        name with its result as soon as that is ready, in any order."""


Run = Callable[[Work, Iterable[Item]], Iterator[tuple[Key, Result]]]
"""Does the work on all items, and yields as a `Do` does; `run_here`, or one of `ray_batch`."""


def run_here(work: Work, items: Iterable[Item]) -> Iterator[tuple[Key, Result]]:
    """Do the work in this process, one item after the other. Raises whatever `load` raises."""
    do = work.load()
    for item in items:
        try:
            content, _ = item.read()
        except PictureError as error:
            yield item.name, error
            continue
        yield from do([(item.name, content)])
