"""How well a diffusion model denoises a picture under a prompt: the better the prompt describes the
picture, the smaller the error.

No picture is painted. The pipeline's own code reads the prompts and calls its denoiser, with a
scheduler that paints nothing: at every step it shows the denoiser the picture under new noise, and
keeps the error of what is predicted. So any model will do that diffusers can start from a picture.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import torch
from PIL import Image, ImageOps
from torch import Tensor

from ..clip.text_tower import no_op
from ..errors import ConfigError, ModelError, PictureError, first_line
from .loading import require_diffusers, silent
from .pipeline import Painter, require_text
from .settings import LEAST_LEVELS, LEVELS, noise_of, steps_of

AT_ONCE = 8  # prompts in a batch
DISTILLED_GUIDANCE = 3.5  # of models that get the guidance as an input, such as Flux.1


class PipelineErrors:
    """The errors of a pipeline of diffusers on one picture, which is cropped to its square; a
    `ranking.PictureErrors`.

    levels: how many levels of noise, at least LEAST_LEVELS. steps: of the model's own schedule, of
    which the levels are the noisiest; if left out, so many that the levels are two fifths of them:
    of a picture that is nearly clear the words say nothing (`benchmarks.painted.ranking`).
    check_interrupt: called before every noisy pass; it may raise KeyboardInterrupt or a PezError.
    Raises ConfigError for too few levels, ModelError for a pipeline that cannot start from a
    picture, or whose noise is of an unknown kind, and PictureError when the picture's latent is not
    finite.
    """

    def __init__(
        self,
        painter: Painter,
        picture: Image.Image,
        seed: int = 0,
        levels: int = LEVELS,
        check_interrupt: Callable[[], None] = no_op,
        *,
        steps: int | None = None,
    ) -> None:
        if levels < LEAST_LEVELS:
            raise ConfigError(f"levels must be at least {LEAST_LEVELS}, got {levels}")
        if steps is not None and steps < levels:
            raise ConfigError(f"{levels} levels need as many steps, got {steps}")
        self.levels, self._seed, self._painter = levels, seed, painter
        self._schedule = steps or steps_of(levels)
        self._pipeline = _from_picture(painter)
        side = _side(painter)
        self._picture = ImageOps.fit(picture.convert("RGB"), (side, side), Image.Resampling.BICUBIC)
        self._settings = _settings(self._pipeline, side)
        self._steps = _NoSteps(self._pipeline.scheduler, levels, check_interrupt)
        self._pipeline.scheduler = self._steps
        self._run([""], None)
        if not torch.isfinite(self._steps.clean).all():
            raise PictureError("the pipeline's latent of the picture is not finite: use float32")

    def errors(self, prompts: Sequence[str], noise: int) -> Tensor:
        """The mean squared errors (P, levels) of prompts under a noise, float32, on the CPU. The
        other prompts change at most a prompt's last bits.

        Raises PictureError for a prompt that is no text, and ModelError when the pipeline fails.
        """
        for prompt in prompts:
            require_text(prompt)
        found = []
        for start in range(0, len(prompts), AT_ONCE):
            self._run(list(prompts[start : start + AT_ONCE]), noise_of(self._seed, noise))
            found.append(torch.stack(self._steps.errors, 1).cpu())
        return torch.cat(found)

    def _run(self, prompts: list[str], seed: int | None) -> None:
        self._steps.begin(seed)
        with self._painter.running(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of one picture for several prompts
            self._pipeline(
                prompt=prompts,
                image=self._picture,
                strength=1.0,
                num_inference_steps=self._schedule,
                generator=torch.Generator("cpu").manual_seed(self._seed),  # of the latent's draw
                output_type="latent",
                **self._settings,
            )


class _NoSteps:
    """A scheduler that paints nothing, in the place of a pipeline's own.

    clean: the picture's latent (1, …), in the form in which the denoiser gets it. errors: those of
    each level, (P,).
    """

    order, init_noise_sigma = 1, 1.0  # as the pipelines read them

    def __init__(self, own: Any, count: int, check_interrupt: Callable[[], None]) -> None:
        self._own, self._count, self._check_interrupt = deepcopy(own), count, check_interrupt
        self.config = own.config
        self._signals: Tensor | None = getattr(own, "alphas_cumprod", None)
        known = "flow" if self._signals is None else "epsilon"
        self._predicts = own.config.get("prediction_type", known)
        shares = ("flow",) if self._signals is None else ("epsilon", "v_prediction", "sample")
        # Of a continuous time the noise of a level is not known.
        if self._predicts not in shares or own.config.get("timestep_type") == "continuous":
            raise ModelError(
                f"{type(own).__name__} predicts {self._predicts!r} under noise of its own kind, "
                "whose error is not known"
            )
        self.clean, self.errors = torch.empty(0), list[Tensor]()
        self._packed = False

    def begin(self, seed: int | None) -> None:
        """Get ready for a run of the pipeline. Without a seed, it only shows the latent's form."""
        self._generator = None if seed is None else torch.Generator("cpu").manual_seed(seed)
        self.errors, self._noise = [], torch.empty(0)
        self._level = -1  # the denoiser gets the picture without noise

    def set_timesteps(
        self,
        num_inference_steps: int | None = None,
        device: Any = None,
        timesteps: Any = None,
        sigmas: Any = None,
        mu: float | None = None,
    ) -> None:
        given = {"timesteps": timesteps, "sigmas": sigmas, "mu": mu}
        given = {name: value for name, value in given.items() if value is not None}
        self._own.set_timesteps(num_inference_steps, device=device, **given)
        # The noisiest come first; some schedulers repeat a level.
        levels = torch.unique_consecutive(self._own.timesteps)[: self._count]
        first = levels[:1]
        if self._generator is None:
            self.timesteps = first
        else:
            self.timesteps = torch.cat([first, levels]) if self._packed else levels
        self._levels = levels

    def set_begin_index(self, _: int) -> None: ...

    def scale_model_input(self, sample: Tensor, _: Any) -> Tensor:
        return sample

    def scale_noise(self, latent: Tensor, _timestep: Any, _noise: Any) -> Tensor:
        """What the pipeline takes for its first noisy latent. Where it packs that, a pass without
        noise comes first."""
        self._given = latent.shape
        if self._generator is None or self._packed:
            return latent
        return self._next(latent)

    def add_noise(self, latent: Tensor, _noise: Any, _timestep: Any) -> Tensor:
        return self.scale_noise(latent, _timestep, _noise)

    def step(self, output: Tensor, _: Any, sample: Tensor, return_dict: bool = True) -> Any:
        """Keep the error of an output; the noisy latent of the next level."""
        del return_dict  # no pipeline asks for one
        if self._generator is None:
            self.clean, self._packed = sample[:1].float(), sample.shape[1:] != self._given[1:]
            return (sample,)
        if self._level >= 0:
            error = (output.float() - self._target()).square()
            self.errors.append(error.flatten(1).mean(1))
        if self._level + 1 == len(self._levels):
            return (sample,)
        return (self._next(sample),)

    def _next(self, like: Tensor) -> Tensor:
        """The latent under the noise of the next level, in the shape and precision of another."""
        self._check_interrupt()
        self._level += 1
        assert self._generator is not None
        drawn = torch.randn(self.clean.shape, generator=self._generator)
        self._noise = drawn.to(self.clean.device)
        signal, noise = self._shares()
        return (signal * self.clean + noise * self._noise).to(like.dtype).expand(like.shape)

    def _shares(self) -> tuple[float, float]:
        """The factors of the clean latent and of the noise at the present level."""
        time = float(self._levels[self._level])
        if self._signals is None:
            share = time / self.config.num_train_timesteps
            return 1 - share, share
        kept = float(self._signals[round(time)])
        return kept**0.5, (1 - kept) ** 0.5

    def _target(self) -> Tensor:
        """What the denoiser should have predicted."""
        signal, noise = self._shares()
        if self._predicts == "flow":
            return self._noise - self.clean
        if self._predicts == "v_prediction":
            return signal * self._noise - noise * self.clean
        return self._noise if self._predicts == "epsilon" else self.clean


def _from_picture(painter: Painter) -> Any:
    """The pipeline that starts from a picture, made of the painter's parts."""
    diffusers = require_diffusers()
    try:
        with silent():
            pipeline = diffusers.AutoPipelineForImage2Image.from_pipe(painter.pipeline)
    except Exception as error:
        raise ModelError(
            f"{type(painter.pipeline).__name__} cannot start from a picture "
            f"({first_line(error)}): its errors are not known"
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _side(painter: Painter) -> int:
    """The side of the pictures that a painter paints, in pixels."""
    if painter.settings.size is not None:
        return painter.settings.size
    pipeline = painter.pipeline
    denoiser = getattr(pipeline, "transformer", None) or pipeline.unet
    grain = getattr(pipeline, "default_sample_size", None) or denoiser.config.sample_size
    side: int = grain * pipeline.vae_scale_factor
    return side


def _settings(pipeline: Any, side: int) -> dict[str, Any]:
    """The arguments that only some pipelines take."""
    denoiser = getattr(pipeline, "transformer", None)
    distilled = denoiser is not None and denoiser.config.get("guidance_embeds", False)
    settings = {
        "guidance_scale": DISTILLED_GUIDANCE if distilled else 1.0, "height": side, "width": side,
    }  # fmt: skip
    taken = inspect.signature(type(pipeline).__call__).parameters
    return {name: value for name, value in settings.items() if name in taken}
