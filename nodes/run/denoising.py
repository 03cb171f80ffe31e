"""How well the diffusion model of a graph denoises a picture under a prompt.

It goes the way of ComfyUI's own sampling: a guider whose "sampler" paints nothing. So every
architecture, quantisation and LoRA works, and ComfyUI manages the memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import comfy.model_management as mm
import comfy.samplers
import torch
from comfy.utils import common_upscale
from torch import Tensor

from ...pez_core.errors import ConfigError, PictureError
from ...pez_core.painter.settings import LEVELS, noise_of, steps_of
from ..interrupt import check_cancelled
from .prompt_text import escape

GRAIN = 16  # pixels: what every VAE and its patches divide
LARGEST = 1024  # the side of a square of as many pixels as a picture has at most


@dataclass(frozen=True)
class GraphPainter:
    """What a graph paints with: its MODEL, VAE and CLIP. Raises ConfigError for a part that is
    missing, and for a model that needs more than a prompt."""

    model: Any
    vae: Any
    clip: Any

    def __post_init__(self) -> None:
        for name, part in (("MODEL", self.model), ("VAE", self.vae), ("CLIP", self.clip)):
            if part is None:
                raise ConfigError(f"the {name} that you paint with is missing: connect it")
        if getattr(self.model.model, "concat_keys", ()):
            raise ConfigError(
                "`model` paints into another picture (inpainting or editing), and needs more than "
                "a prompt: connect the text-to-image model"
            )


def connected_painter(model: Any, vae: Any, clip: Any) -> GraphPainter | None:
    """What a node's optional inputs paint with; None if neither the model nor its VAE is
    connected. Raises as `GraphPainter` does."""
    return None if model is None and vae is None else GraphPainter(model, vae, clip)


class GraphErrors:
    """A picture, as the MODEL of a graph sees it: a `pez_core.painter.ranking.PictureErrors`.

    image: (1, H, W, 3) in 0..1, encoded by the graph's VAE. levels: how many levels of noise; they
    are the noisiest of the model's own schedule, as in `PipelineErrors`.
    Raises ConfigError when the parts do not fit each other.
    """

    def __init__(
        self, painter: GraphPainter, image: Tensor, seed: int, levels: int = LEVELS
    ) -> None:
        self.levels, self._seed = levels, seed
        self._model, self._clip = painter.model, painter.clip
        check_cancelled()
        self._latent = _latent(self._model, painter.vae, image)
        sampling = self._model.get_model_object("model_sampling")
        self._sigmas = comfy.samplers.calculate_sigmas(sampling, "simple", steps_of(levels))[
            :levels
        ]
        self._conditions: dict[str, Any] = {}

    def errors(self, prompts: Sequence[str], noise: int) -> Tensor:
        """The mean squared errors (P, levels) of prompts under a noise, float32, on the CPU."""
        # All texts are read first, so that the text encoder and the model are not loaded in turn.
        # They are kept for the next call, which mostly has the same; older ones would be many.
        self._conditions = {prompt: self._read(prompt) for prompt in prompts}
        read = [self._conditions[prompt] for prompt in prompts]
        return torch.stack([self._of(condition, noise_of(self._seed, noise)) for condition in read])

    def _read(self, prompt: str) -> Any:
        """A prompt's conditioning, as CLIP Text Encode makes it."""
        if prompt not in self._conditions:
            check_cancelled()
            tokens = self._clip.tokenize(prompt)
            self._conditions[prompt] = self._clip.encode_from_tokens_scheduled(tokens)
        return self._conditions[prompt]

    def _of(self, condition: Any, seed: int) -> Tensor:
        guider = comfy.samplers.CFGGuider(self._model)
        guider.set_conds(condition, condition)
        guider.set_cfg(1.0)
        steps = _NoSteps(seed)
        guider.sample(
            torch.zeros_like(self._latent), self._latent, steps, self._sigmas,
            disable_pbar=True, seed=seed,
        )  # fmt: skip
        return torch.stack(steps.errors)


class _NoSteps(comfy.samplers.Sampler):  # type: ignore[misc]
    """A sampler that paints nothing. errors: of each level."""

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator("cpu").manual_seed(seed)
        self.errors: list[Tensor] = []

    def sample(
        self,
        model_wrap: Any,
        sigmas: Tensor,
        extra_args: dict[str, Any],
        callback: Any,
        noise: Tensor,
        latent_image: Any = None,
        denoise_mask: Any = None,
        disable_pbar: bool = False,
    ) -> Any:
        """Keep the error of the clean latent that the model predicts, at every level."""
        del callback, denoise_mask, disable_pbar
        sampling = model_wrap.inner_model.model_sampling
        for sigma in sigmas:
            check_cancelled()
            drawn = torch.randn(noise.shape, generator=self._generator).to(latent_image)
            noisy = sampling.noise_scaling(sigma, drawn, latent_image)
            clean = model_wrap(noisy, sigma.expand(len(noisy)), **extra_args)
            self.errors.append((clean.float() - latent_image.float()).square().mean().cpu())
        return latent_image


class Typed:
    """`GraphErrors` of learned prompts, which are escaped as when they are typed into a graph."""

    def __init__(self, errors: GraphErrors) -> None:
        self.levels, self._errors = errors.levels, errors

    def errors(self, prompts: Sequence[str], noise: int) -> Tensor:
        return self._errors.errors([escape(prompt) for prompt in prompts], noise)


def sized(image: Tensor, size: int = 0) -> Tensor:
    """The first picture (1, H, W, 3) of a batch in its own shape, with as many pixels as a square
    of `size`; with 0 in its own size, but with at most LARGEST ** 2 pixels. Raises PictureError for
    one without a pixel."""
    if not image.numel():
        raise PictureError("`image` is empty: check the node that is connected to it")
    height, width = image.shape[1:3]
    area = float(height * width)
    scale = ((size**2 if size else min(area, LARGEST**2)) / area) ** 0.5
    sides = [max(GRAIN, round(side * scale / GRAIN) * GRAIN) for side in (height, width)]
    first = image[:1, :, :, :3].movedim(-1, 1)
    scaled: Tensor = common_upscale(first, sides[1], sides[0], "bicubic", "center")
    return scaled.movedim(1, -1).clamp(0, 1)


def _latent(model: Any, vae: Any, image: Tensor) -> Tensor:
    latent = vae.encode(image[:1, :, :, :3])
    if not torch.isfinite(latent).all():
        raise PictureError("the VAE's latent of the picture is not finite: load a VAE in float32")
    form = model.get_model_object("latent_format")
    wanted = (form.latent_channels, getattr(form, "latent_dimensions", 2))
    given = (latent.shape[1], latent.ndim - 2)
    if given != wanted:
        raise ConfigError(
            f"`vae` gives latents of {given[0]} channels and {given[1]} dimensions, but `model` "
            f"works with {wanted[0]} and {wanted[1]}: connect the VAE that belongs to the model"
        )
    return latent.to(mm.intermediate_device())
