"""Tensors made under `torch.inference_mode()`, in which ComfyUI calls its nodes: autograd cannot
save them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import torch
from torch import Tensor


def make_normal(weights: Any) -> None:
    """Sees to it that autograd can save every tensor of a dataclass, wherever it was made."""
    for field in fields(weights):
        value = getattr(weights, field.name)
        if isinstance(value, Tensor):
            object.__setattr__(weights, field.name, normal(value))


@torch.inference_mode(False)
def normal(tensor: Tensor) -> Tensor:
    """The tensor itself, or a copy that autograd can save if it was made under
    `torch.inference_mode()`."""
    return tensor.clone() if tensor.is_inference() else tensor
