"""The meanings that a prompt is to keep away from, as the nodes are told them."""

from __future__ import annotations

import re

from ..pez_core.guard import Guard, make_guard
from ..pez_core.models import ClipModel


def concepts(avoid: str) -> tuple[str, ...]:
    """The meanings in a widget, which are separated by commas or lines; each once."""
    named = (name.strip() for name in re.split(r"[,\n]", avoid))
    return tuple(dict.fromkeys(filter(None, named)))


def guard_of(model: ClipModel, avoid: tuple[str, ...]) -> Guard | None:
    """What keeps prompts for this model away from them; None where there are none."""
    return make_guard(model, avoid) if avoid else None
