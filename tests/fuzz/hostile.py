"""Inputs that no one means well: odd texts, odd JSON, valid files with one thing wrong, and what
may come of them."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import event
from hypothesis import strategies as st

from pez_core.errors import PezError

# Signs that some reader takes for something: of templates, bans, weights, marks, JSON, terminals.
SIGNS = (
    "{", "}", "{3}", "{{", "}}", "{0}", "{99}", "*", "\\", "\\,", ",", "(", ")", ":1.2)", "[", "]",
    "<end_of_text>", "<start_of_text>", "<|endoftext|>", "<|startoftext|>", "&lt;", "&amp;", "</w>",
    "embedding:", "embedding:a", "<lora:a:1>", "BREAK", "//", "/*", "#", "@", "+", "=", '"', "'",
    "\x00", "\x1b[31m", "\u200b", "\u00ad", "\u202e", "\ufeff", "\ufe0f", "\u0301", "\u0430",
    "\ud800", "\U0001f349", "\uff41", "\u2028", "\u65e5\u672c", "\n", "\t", " ", "water", "melon",
    "a", "cat", "x" * 80,
)  # fmt: skip

texts = st.lists(st.one_of(st.sampled_from(SIGNS), st.text(max_size=8)), max_size=12).map("".join)

numbers = st.one_of(
    st.integers(-3, 5),
    st.sampled_from([0.5, -0.0, 1e308, 10**6, 2**31, 2**63, 10**30, -(10**9)]),
    st.sampled_from([float("nan"), float("inf"), -float("inf")]),
)

scalars = st.one_of(st.none(), st.booleans(), numbers, texts)

values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=8,
)


@st.composite
def with_one_wrong(draw: Any, document: Any, most: int = 2) -> Any:
    """A valid JSON document in which one or a few entries are replaced, gone or new."""
    changed = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, most))):
        places = list(_places(changed))
        if not places:
            return draw(values)
        holder, key = draw(st.sampled_from(places))
        if isinstance(holder, dict) and draw(st.integers(0, 4)) == 0:
            del holder[key]
        elif isinstance(holder, dict) and draw(st.integers(0, 4)) == 0:
            holder[draw(texts)] = draw(values)
        else:
            holder[key] = draw(values)
    return changed


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in list(items):
        yield document, key
        if isinstance(value, (dict, list)):
            yield from _places(value)


@st.composite
def bytes_with_one_wrong(draw: Any, content: bytes) -> bytes:
    """A valid file, cut, lengthened, or with a few bytes changed."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(0, 3))):
        changed[draw(st.integers(0, len(changed) - 1))] = draw(st.integers(0, 255))
    if draw(st.booleans()):
        del changed[draw(st.integers(0, len(changed))) :]
    return bytes(changed) + draw(st.binary(max_size=8))


def as_json(value: Any) -> bytes:
    """JSON as Python writes it: NaN, and surrogates as escapes."""
    return json.dumps(value).encode("ascii")


@contextmanager
def refused_or_done() -> Iterator[None]:
    """A context that an error of this package may end, and no other."""
    try:
        yield
    except PezError as error:
        message = str(error)
        assert message.strip() and len(message) < 2000, "an error says what is wrong, in short"
        event(type(error).__name__)
