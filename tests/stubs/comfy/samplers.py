"""ComfyUI's guider, and as much of a model as a sampler sees of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Sampler:
    pass


class CFGGuider:
    """Runs a sampler with a model and a conditioning. At a scale of 1 there is no negative one."""

    def __init__(self, model_patcher: Any) -> None:
        self.model_patcher = model_patcher
        self.inner_model = model_patcher.model

    def set_conds(self, positive: Any, negative: Any) -> None:
        self.positive = positive

    def set_cfg(self, cfg: float) -> None:
        assert cfg == 1.0

    def sample(
        self,
        noise: Tensor,
        latent_image: Tensor,
        sampler: Any,
        sigmas: Tensor,
        denoise_mask: Any = None,
        callback: Any = None,
        disable_pbar: bool = False,
        seed: int | None = None,
    ) -> Tensor:
        latent = self.inner_model.process_latent_in(latent_image)
        extra = {"model_options": {}, "seed": seed}
        done = sampler.sample(self, sigmas, extra, callback, noise, latent, None, disable_pbar)
        out: Tensor = self.inner_model.process_latent_out(done)
        return out

    def __call__(
        self, x: Tensor, sigma: Tensor, model_options: Any = None, seed: int | None = None
    ) -> Tensor:
        assert sigma.shape == x.shape[:1]
        clean: Tensor = self.inner_model.denoised(x, sigma, self.positive)
        return clean


def calculate_sigmas(model_sampling: Any, scheduler_name: str, steps: int) -> Tensor:
    assert scheduler_name == "simple"
    return torch.linspace(model_sampling.sigma_max, 0.0, steps + 1)
