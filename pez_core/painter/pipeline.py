"""Painters: diffusers pipelines that paint a picture from a prompt and a seed.

diffusers and transformers are imported only in this folder, when they are needed.
But: only safetensors are loaded, and no code that comes with a pipeline.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..clip.weights_file import WeightsFile
from ..errors import ModelError, PezError, PictureError, first_line, printable
from ..hub.bars import without_bars
from ..hub.download import why_unreachable
from ..language_model.folder_check import offline
from .pipeline_check import check_pipeline
from .settings import COPIES, DEMO, PainterSettings, own_settings

log = logging.getLogger(__name__)

PACKAGES = "pip install 'diffusers>=0.31' 'transformers>=4.40' 'pillow>=10.1'"


def require_diffusers() -> Any:
    """The module diffusers. Raises ModelError, which names the extra, when it or transformers is
    missing."""
    try:
        import diffusers
        import transformers  # noqa: F401  (the text encoders of the pipelines)
    except ImportError as error:
        raise ModelError(
            f"painting pictures needs diffusers and transformers: {PACKAGES} ({error})"
        ) from error
    return diffusers


def find_pipeline(name: str) -> tuple[str, Path]:
    """The name and the folder of a pipeline, downloaded if necessary. The name is `name`, a folder
    or a name on the hub, or else that of its copy in `settings.COPIES`.

    Raises ModelError when none is available.
    """
    require_diffusers()
    folder = Path(os.path.expanduser(name))
    if os.path.isfile(folder):
        raise ModelError(f"{name} is a file: give --painter the folder of a pipeline")
    if not os.path.isdir(folder) and name.startswith((".", "/", "~")):
        raise ModelError(f"there is no folder {name}: give --painter the folder of a pipeline")
    if os.path.isdir(folder):
        if not (folder / "model_index.json").is_file():
            raise ModelError(f"the folder {name} is not a pipeline: it has no model_index.json")
        return name, folder
    reasons = []
    for source in filter(None, (name, COPIES.get(name))):
        unreachable = why_unreachable(source, "model_index.json")
        try:
            found = _download(source, local_only=unreachable is not None)
        except Exception as error:  # the hub's client, its transports and diffusers raise own types
            reasons.append(f"{source}: {unreachable or first_line(error)}")
            continue
        if source != name:
            log.warning("%s is unavailable; using %s, a copy that others maintain",
                        name, source)  # fmt: skip
        return source, found
    raise ModelError(
        f"the pipeline {name} is unavailable ({'; '.join(reasons)}): give --painter the folder of "
        "one in diffusers' layout, or another name on the hub"
    )


def require_painter(name: str) -> None:
    """Finds a painter and checks its folder, before long work. Raises ModelError."""
    if name != DEMO:
        check_pipeline(find_pipeline(name)[1])


def find_scheduler(name: str) -> Any:
    """The scheduler class of diffusers. Raises ModelError for an unknown name."""
    diffusers = require_diffusers()
    kind: Any = getattr(diffusers, name, None)
    usable = isinstance(kind, type) and issubclass(kind, diffusers.SchedulerMixin)
    if not usable or not hasattr(kind, "from_config"):
        raise ModelError(
            f"diffusers has no scheduler {name!r}: give --scheduler a class such as DDIMScheduler "
            "or EulerDiscreteScheduler"
        )
    return kind


def _download(name: str, local_only: bool) -> Path:
    """The folder in the hub's cache. local_only: do not ask the hub, whose failures diffusers does
    not always recognise. Its warnings are off; the caller reports the outcome."""
    download = require_diffusers().DiffusionPipeline.download
    with silent():
        return Path(download(name, use_safetensors=True, local_files_only=local_only))


class Painter:
    """A loaded pipeline. `settings`: how it paints. `about`: its name, scheduler and library
    versions. `precision`: that of its weights.

    Raises ModelError when it cannot be loaded, and for an unknown scheduler.
    """

    def __init__(self, settings: PainterSettings, device: torch.device) -> None:
        self.settings = settings
        dtype = _dtype(settings.dtype, device)
        source, pipeline = _open(settings, dtype)
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
                    f"({_reason(error)}): try another scheduler or size"
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


def _open(settings: PainterSettings, dtype: torch.dtype) -> tuple[str, Any]:
    """The name of what paints, and its pipeline."""
    if settings.painter == DEMO:
        require_diffusers()
        from .demo import load_demo_pipeline

        source, pipeline = DEMO, load_demo_pipeline(dtype)
    else:
        source, folder = find_pipeline(settings.painter)
        pipeline = _load(folder, settings.painter, dtype)
    if settings.scheduler is not None:
        kind = find_scheduler(settings.scheduler)
        pipeline.scheduler = kind.from_config(pipeline.scheduler.config)
    return source, pipeline


def _load(folder: Path, name: str, dtype: torch.dtype) -> Any:
    diffusers = require_diffusers()
    import transformers

    check_pipeline(folder)
    from . import denoiser  # noqa: F401  (diffusers finds it only among what is imported)

    with without_bars(diffusers, transformers), offline(), silent():
        try:
            # A pipeline keeps its own safety checker, if it has one.
            pipeline = diffusers.DiffusionPipeline.from_pretrained(
                folder,
                use_safetensors=True,
                local_files_only=True,
                low_cpu_mem_usage=False,  # True needs accelerate
                **{_dtype_name(diffusers): dtype},  # given here, because some parts stay in float32
            )
        except Exception as error:  # from diffusers, transformers or safetensors
            raise ModelError(
                f"the pipeline {name} cannot be loaded ({_reason(error)}): it needs whole "
                "safetensors files in diffusers' layout"
            ) from error
    _require_whole(folder, pipeline)
    return pipeline


def _require_whole(folder: Path, pipeline: Any) -> None:
    """Raises ModelError for a part with more numbers than its files hold: the libraries fill up
    what is missing. Names are not compared, because old files have old names."""
    for name, part in pipeline.components.items():
        files = [WeightsFile(path) for path in sorted((folder / name).glob("*.safetensors"))]
        if not isinstance(part, torch.nn.Module) or not files:
            continue
        own = {id(value): value.numel() for value in part.parameters()}  # tied ones count once
        held = sum(file.total for file in files)
        if sum(own.values()) > held:
            raise ModelError(
                f"{folder / name} holds fewer weights than its configuration describes "
                f"({held:,} of {sum(own.values()):,} numbers): download it again"
            )


@contextmanager
def silent() -> Iterator[None]:
    """A context without diffusers' warnings, which are for programmers or repeat a whole text."""
    logging_of = require_diffusers().utils.logging
    verbosity = logging_of.get_verbosity()
    logging_of.set_verbosity_error()
    try:
        yield
    finally:
        logging_of.set_verbosity(verbosity)


def _reason(error: Exception) -> str:
    """The message of a library in one line."""
    return printable(" ".join(str(error).split()))[:300] or type(error).__name__


def require_text(prompt: str) -> None:
    """Raises PictureError for a prompt that is no text, such as half a character."""
    try:
        prompt.encode()
    except UnicodeEncodeError as error:
        raise PictureError(f"the prompt {ascii(prompt):.60} is not text") from error


def _dtype_name(diffusers: Any) -> str:
    """The name of the argument for the precision, which diffusers 0.38 renamed."""
    version = tuple(int(part) for part in diffusers.__version__.split(".")[:2])
    return "dtype" if version >= (0, 38) else "torch_dtype"


def _dtype(name: str, device: torch.device) -> torch.dtype:
    if name == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    dtype: torch.dtype = getattr(torch, name)
    return dtype
