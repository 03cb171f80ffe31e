"""Conversion of tensors made under `torch.inference_mode()`, the mode in which ComfyUI calls its
nodes. Autograd cannot save such tensors."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import torch
from torch import Tensor


def make_normal(weights: Any) -> None:
    """Convert every tensor of a dataclass so that autograd can save it."""
    for field in fields(weights):
        value = getattr(weights, field.name)
        if isinstance(value, Tensor):
            object.__setattr__(weights, field.name, normal(value))


@torch.inference_mode(False)
def normal(tensor: Tensor) -> Tensor:
    """A tensor that autograd can save: a copy if it was made under `torch.inference_mode()`, or
    else the tensor itself."""
    return tensor.clone() if tensor.is_inference() else tensor
