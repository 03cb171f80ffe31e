"""What a PEZ_TOKENS connection carries: a prompt, its targets and their model. No weights."""

from __future__ import annotations

from dataclasses import dataclass

from ...pez_core.targets import Targets
from ..models.encoder import TextEncoder


@dataclass(frozen=True)
class PromptTokens:
    """A prompt (not escaped) with what it was learned for.

    fixed: the positions of its tokens that a template fixes. encoder: the model that it was learned
    for, to which the features of the targets belong. targets: on the CPU. avoid: the meanings to
    keep away from. passed_on: what follows the prompt in what the node returns, escaped:
    embeddings, which are not measured.
    """

    text: str
    fixed: frozenset[int]
    encoder: TextEncoder
    targets: Targets
    avoid: tuple[str, ...] = ()
    passed_on: str = ""
