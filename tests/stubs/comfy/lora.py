"""LoRAs of the plainest kind: a difference that is added to a weight."""

from __future__ import annotations

from typing import Any

import torch


def calculate_weight(
    patches: list[Any],
    weight: torch.Tensor,
    key: str,
    intermediate_dtype: torch.dtype = torch.float32,
    original_weights: Any = None,
) -> torch.Tensor:
    """The weight with its patches, in place: (strength, (kind, (tensor,)), strength of the model,
    offset, function)."""
    for strength, (kind, (difference,)), of_model, offset, function in patches:
        assert (kind, offset, function) == ("diff", None, None), "a kind this stub does not know"
        weight.mul_(of_model).add_(difference.to(weight), alpha=strength)
    return weight
