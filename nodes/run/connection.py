"""What travels along a PEZ_TOKENS connection: plain data, and the name of the model. No weights."""

from __future__ import annotations

from dataclasses import dataclass

from ...pez_core.targets import Targets
from ..models.encoder import Asked


@dataclass(frozen=True)
class PromptTokens:
    """A prompt (not escaped) with what it was learned for.

    fixed: the places of its tokens that a template holds. targets: on the CPU. avoid: the meanings
    it was to keep away from.
    """

    text: str
    fixed: frozenset[int]
    asked: Asked
    targets: Targets
    avoid: tuple[str, ...] = ()
