"""ComfyUI's progress bar, which a test can read."""

from __future__ import annotations

from typing import Any

import torch

import comfy.model_management

shown: list[tuple[int, int, str | None]] = []  # value, total, node


class ProgressBar:
    def __init__(self, total: int, node_id: str | None = None) -> None:
        self.total, self.node_id = total, node_id

    def update_absolute(self, value: int, total: int | None = None, preview: Any = None) -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()
        self.total = self.total if total is None else total
        shown.append((min(value, self.total), self.total, self.node_id))


def common_upscale(
    samples: torch.Tensor, width: int, height: int, upscale_method: str, crop: str
) -> torch.Tensor:
    """Pictures (B, C, H, W) scaled to a size."""
    return torch.nn.functional.interpolate(samples, size=(height, width), mode=upscale_method)
