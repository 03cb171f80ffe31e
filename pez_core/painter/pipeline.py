"""Painters: diffusers pipelines that paint a picture from a prompt and a seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..errors import ModelError, PezError, PictureError, is_text
from .loading import message_of, open_pipeline, require_diffusers, silent
from .settings import DEMO, PainterSettings, own_settings


class Painter:
    """A loaded pipeline. `settings`: how it paints. `about`: its name, scheduler and library
    versions. `precision`: that of its weights.

    Raises ModelError when it cannot be loaded, and for an unknown scheduler.
    """

    def __init__(self, settings: PainterSettings, device: torch.device) -> None:
        self.settings = settings
        dtype = _dtype(settings.dtype, device)
        source, pipeline = open_pipeline(settings, dtype)
        self.pipeline = pipeline.to(device)
        self.pipeline.set_progress_bar_config(disable=True)
        self.device, self.precision = device, str(dtype).removeprefix("torch.")
        self.about = {
            "pipeline": source,
            "scheduler": type(getattr(self.pipeline, "scheduler", None)).__name__,
            "diffusers": require_diffusers().__version__,
            "torch": torch.__version__,
        }

    def paint(self, prompts: str | Sequence[str], seed: int = 0) -> list[Image.Image]:
        """A picture of each prompt, all from the noise of one seed, so that they can be compared.

        Raises PictureError when the pipeline returns no usable picture.
        """
        texts = [prompts] if isinstance(prompts, str) else prompts
        return [self.paint_one(text, seed) for text in texts]

    def tokens_read(self, prompt: str) -> tuple[int, int]:
        """How many tokens a prompt has, marks included, and how many of them are read by the text
        encoder that reads most; (0, 0) for a pipeline without a tokenizer.

        Raises PictureError for a prompt that is no text.
        """
        require_text(prompt)
        parts = self.pipeline.components.items()
        tokenizers = [part for name, part in parts if part and name.startswith("tokenizer")]
        if not tokenizers:
            return 0, 0
        tokenizer = max(tokenizers, key=lambda part: part.model_max_length)
        count = len(tokenizer(prompt, verbose=False)["input_ids"])
        return count, min(count, tokenizer.model_max_length)

    def paint_one(self, prompt: str, seed: int) -> Image.Image:
        """A picture of the prompt, painted alone: in a batch the last bits would depend on the
        others.

        The noise is drawn on the CPU, so that it is the same on every device.
        Raises PictureError for a prompt that is no text, and when the pipeline returns no usable
        picture; ModelError when it cannot paint with these settings.
        """
        require_text(prompt)
        settings = self.settings
        size = {} if settings.size is None else {"height": settings.size, "width": settings.size}
        with self.running():
            output = self.pipeline(
                prompt=prompt,
                guidance_scale=settings.guidance,
                num_inference_steps=settings.steps,
                generator=torch.Generator("cpu").manual_seed(seed),
                output_type="np",
                **size,
            )
        if any(getattr(output, "nsfw_content_detected", None) or ()):
            raise PictureError(
                "the pipeline's own safety checker blocked the picture: change the prompt"
            )
        return to_picture(output.images[0])

    @contextmanager
    def running(self) -> Iterator[None]:
        """A context to run the pipeline in. Raises ModelError when a part or the scheduler does not
        fit the others."""
        with torch.inference_mode(), silent():
            try:
                yield
            except Exception as error:
                known = isinstance(error, MemoryError | PezError) or "memory" in str(error)
                if known:  # the caller knows what to advise
                    raise
                raise ModelError(
                    f"the pipeline {self.about['pipeline']} cannot paint with these settings "
                    f"({message_of(error)}): try another scheduler or size"
                ) from error


def load_painter(name: str = DEMO, device: str | torch.device = "cpu", **settings: Any) -> Painter:
    """A painter by its name: "demo", a folder in diffusers' layout, or a name on the hub.

    settings: fields of `PainterSettings` that differ from the painter's own, such as guidance.
    Raises ModelError when it cannot be loaded, and ConfigError for a number out of range.
    """
    return Painter(replace(own_settings(name), **settings), torch.device(device))


def to_picture(values: Any) -> Image.Image:
    """The picture of the values (H, W, 3) in 0..1 that a pipeline returns.

    Raises PictureError when they are not finite, or all black, because a pipeline may replace
    values that are not finite with black.
    """
    array = np.asarray(values, dtype=np.float32)
    if not np.isfinite(array).all():
        raise PictureError(
            "the pipeline returned values that are not finite numbers: paint in float32 (`pez "
            "paint` has --diffusion-dtype) or with less guidance"
        )
    if not array.any():
        raise PictureError(
            "the pipeline returned an all black picture, as it does for values that are not "
            "finite: paint in float32 (`pez paint` has --diffusion-dtype)"
        )
    return Image.fromarray(np.round(array.clip(0, 1) * 255).astype(np.uint8))


def require_text(prompt: str) -> None:
    """Raises PictureError for a prompt that is no text, such as half a character."""
    if not is_text(prompt):
        raise PictureError(f"the prompt {ascii(prompt):.60} is not text")


def _dtype(name: str, device: torch.device) -> torch.dtype:
    if name == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    dtype: torch.dtype = getattr(torch, name)
    return dtype
