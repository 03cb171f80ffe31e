"""Finds and loads pipelines of diffusers: the embedded painter, a folder, or a name on the hub.

diffusers and transformers are imported only in this folder, when they are needed.
But: only safetensors are loaded, and no code that comes with a pipeline.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ..clip.weights_file import WeightsFile
from ..errors import ModelError, first_line, printable
from ..hub.bars import without_bars
from ..hub.download import why_unreachable
from ..language_model.folder_check import offline
from .pipeline_check import check_pipeline
from .settings import COPIES, DEMO, PainterSettings

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


def open_pipeline(settings: PainterSettings, dtype: torch.dtype) -> tuple[str, Any]:
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
                f"the pipeline {name} cannot be loaded ({message_of(error)}): it needs whole "
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


def message_of(error: Exception) -> str:
    """The message of a library in one line."""
    return printable(" ".join(str(error).split()))[:300] or type(error).__name__


def _dtype_name(diffusers: Any) -> str:
    """The name of the argument for the precision, which diffusers 0.38 renamed."""
    version = tuple(int(part) for part in diffusers.__version__.split(".")[:2])
    return "dtype" if version >= (0, 38) else "torch_dtype"
