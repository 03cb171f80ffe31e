"""CLIP models by name: presets, open_clip's registry, safetensors files, folders, and the embedded
model. Every name resolves to an `Architecture` and a safetensors file."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import ModelError, VocabularyError, printable
from ..hub.configuration import Section
from ..hub.download import Progress, cached, download, placed_by_hand
from ..hub.open_clip_files import model_config, part
from ..text.line_files import read_lines
from .architecture import Architecture, from_open_clip, read_architecture
from .source import JointSource, Source
from .vision_config import checked_preprocess
from .weights_file import PICKLES, WeightsFile

DEMO_FOLDER = Path(__file__).parents[1] / "demo_model"
CONFIG_NAMES = ("open_clip_config.json", "config.json")
WEIGHTS_NAMES = ("open_clip_model.safetensors", "model.safetensors")
_ENDINGS = (".safetensors", ".sft", ".gguf", *PICKLES)  # of files with weights
_LONGEST_SHOWN = 300  # characters of a name in a message
_ARCHITECTURE = re.compile(r"[\w.-]{1,100}", re.ASCII)
_WEIGHED = re.compile(r"(.+)@(\d+\.?\d*|\.\d+)")  # A@0.7


@dataclass(frozen=True)
class Preset:
    """A model under the name that users of diffusion models know. source: open_clip's NAME:TAG, the
    sum of two presets, or None for the embedded model."""

    source: str | None
    about: str


# The model card of each diffusion model names its text encoder.
PRESETS: dict[str, Preset] = {
    "demo": Preset(None, "offline: a small CLIP that knows clip-art and emoji"),
    "sd15": Preset("ViT-L-14:openai", "Stable Diffusion 1.x"),
    "flux": Preset(
        "ViT-L-14:openai",
        "CLIP-L of Flux.1 (only one pooled vector of the prompt reaches the picture) and SD 3.5 "
        "(a part of the prompt does)",
    ),
    "sd2": Preset("ViT-H-14:laion2b_s32b_b79k", "Stable Diffusion 2.x, the paper's CLIP"),
    "sdxl": Preset("sdxl-l+sdxl-g", "both text encoders of SDXL at once"),
    "sdxl-l": Preset("ViT-L-14:openai", "CLIP-L of SDXL"),
    "sdxl-g": Preset("ViT-bigG-14:laion2b_s39b_b160k", "OpenCLIP-bigG of SDXL"),
}

_NORMALISATION = {
    "mean": (0.48145466, 0.4578275, 0.40821073), "std": (0.26862954, 0.26130258, 0.27577711),
    "interpolation": "bicubic", "resize_mode": "shortest",
}  # fmt: skip
# The presets' weights as open_clip 3.3 lists them. Other packages hold open_clip back, and versions
# before 2.29 list OpenAI's weights as pickles and without their activation.
LISTED: dict[str, dict[str, Any]] = {
    "ViT-L-14:openai": {
        "hf_hub": "timm/vit_large_patch14_clip_224.openai/", "quick_gelu": True, **_NORMALISATION,
    },
    "ViT-H-14:laion2b_s32b_b79k": {
        "hf_hub": "laion/CLIP-ViT-H-14-laion2B-s32B-b79K/", **_NORMALISATION,
    },
    "ViT-bigG-14:laion2b_s39b_b160k": {
        "hf_hub": "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k/", **_NORMALISATION,
    },
}  # fmt: skip


def find_model(name: str, progress: Progress | None = None) -> Source | JointSource:
    """The source of a named model, downloaded if necessary. progress: as in `hub.download`.

    Raises ModelError for an unknown name, a missing network or a missing configuration, and
    WeightsError for an unusable file.
    """
    named = PRESETS[name].source if name in PRESETS else name
    if named is None or "+" not in named or _is_on_disk(named):
        return find_one(name, progress)
    summands = [summand.strip() for summand in named.split("+")]
    if not all(summands):
        raise ModelError(f"{named!r} has a + without a model on both sides: write A+B")
    parts, weights = [], []
    for summand in summands:
        matched = None if _is_on_disk(summand) else _WEIGHED.fullmatch(summand)
        one = matched.group(1) if matched else summand
        if looks_like_a_path(one) and not _is_on_disk(one):
            raise _missing(one, name)
        parts.append(find_one(one, progress))
        weights.append(float(matched.group(2)) if matched else 1.0)
    return JointSource(name, tuple(parts), tuple(weights))


def preset_architecture(preset: str) -> Architecture:
    """That of a preset of a single CLIP, without its weights."""
    registered = PRESETS[preset].source
    if registered is None:
        return find_one(preset).arch
    return _registered(registered.partition(":")[0])


def is_here(preset: str) -> bool:
    """Whether a preset of a single CLIP needs no download."""
    registered = PRESETS[preset].source
    if registered is None:
        return True
    by_hand = placed_by_hand(*registered.split(":"))
    return by_hand.is_file() or cached(LISTED[registered]) is not None


def find_one(name: str, progress: Progress | None = None) -> Source:
    """The source of a single named CLIP, as `find_model` finds it."""
    if name in PRESETS:
        registered = PRESETS[name].source
        if registered is None:
            return _in_folder(name, DEMO_FOLDER)
        if "+" in registered:
            raise ModelError(f"{name} stands for several models: name them, {registered}")
        return replace(_in_registry(name, *registered.split(":"), progress=progress), name=name)
    path = _path(name)
    if name.strip() and os.path.isdir(path):
        return _in_folder(name, path)
    if os.path.isfile(path):
        return _next_to_configuration(name, path)
    if looks_like_a_path(name):
        raise _missing(name)
    architecture, colon, rest = name.partition(":")
    if not colon:
        raise ModelError(
            f"unknown model {_short(name)!r}: give one of {', '.join(PRESETS)}, an open_clip "
            "NAME:TAG, or a safetensors file"
        )
    arch = _registered(architecture)
    if looks_like_a_path(rest) or os.path.isfile(_path(rest)):
        return Source(name, arch, _path(rest))
    return _in_registry(name, architecture, rest, progress=progress)


def _missing(name: str, joined: str = "") -> ModelError:
    """The error for a path that leads nowhere. joined: the name of several models that holds it."""
    of = f" (a part of {_short(joined)}, as + joins models)" if joined else ""
    return ModelError(
        f"{_short(name)}: no such file or folder{of}. A model is a safetensors file, a folder, an "
        f"open_clip NAME:TAG, or one of {', '.join(PRESETS)}"
    )


def looks_like_a_path(name: str) -> bool:
    """Whether a name is meant as a path, on whatever system: it has a separator before any
    NAME:, a drive letter, or the ending of a file with weights."""
    before, _, _ = name.partition(":")
    return (
        any(separator in before for separator in "/\\")
        or before == "~"
        or (len(before) == 1 and ":" in name)
        or (":" not in name and Path(name).suffix.lower() in _ENDINGS)
    )


def _path(name: str) -> Path:
    return Path(os.path.expanduser(name))  # Path's own raises an error for an unknown ~user


def _short(name: str) -> str:
    """A name for a message."""
    text = printable(name)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _is_on_disk(name: str) -> bool:
    """Whether FILE, FOLDER or NAME:FILE exists: then a + or @ is part of its name."""
    paths = (name, name.partition(":")[2])
    return any(os.path.exists(_path(path)) for path in paths if path)


def _in_folder(name: str, folder: Path) -> Source:
    config = next((folder / n for n in CONFIG_NAMES if (folder / n).exists()), None)
    weights = next((folder / n for n in WEIGHTS_NAMES if (folder / n).is_file()), None)
    if config is None or weights is None:
        raise ModelError(
            f"the folder {folder} is not a model: it needs {' or '.join(CONFIG_NAMES)} "
            f"and {' or '.join(WEIGHTS_NAMES)}"
        )
    words = folder / "words.txt"
    known = frozenset(read_lines(words, VocabularyError)) if words.is_file() else None
    return Source(name, read_architecture(config), weights, known)


def _next_to_configuration(name: str, path: Path) -> Source:
    WeightsFile(path)  # a pickle or a damaged file is refused before a missing configuration
    names = (f"{path.stem}.json", *CONFIG_NAMES)
    config = next((path.parent / n for n in names if (path.parent / n).exists()), None)
    if config is None:
        raise ModelError(
            f"{path} has no configuration: name its open_clip architecture, as in "
            f"ViT-L-14-quickgelu:{path}, or put its configuration next to it as {path.stem}.json"
        )
    return Source(name, read_architecture(config), path)


def _registered(architecture: str) -> Architecture:
    # A name with a separator would be taken for a file, or for a repository of the hub.
    config = model_config(architecture) if _ARCHITECTURE.fullmatch(architecture) else None
    if config is None:
        version = part("version").__version__
        raise ModelError(
            f"open_clip {version} has no architecture {_short(architecture)!r}; `pez models` shows "
            "how to name one"
        )
    return from_open_clip(config, name=architecture)


def _in_registry(name: str, architecture: str, tag: str, *, progress: Progress | None) -> Source:
    arch = _registered(architecture)
    trained = LISTED.get(f"{architecture}:{tag}") or _listed(architecture, tag)
    # The activation depends on the weights: some tags of one architecture were trained with
    # quick_gelu.
    activation = "quick_gelu" if trained.get("quick_gelu") else "gelu"
    arch = replace(
        arch, activation=activation, preprocess=checked_preprocess(Section(trained, name))
    )
    by_hand = placed_by_hand(architecture, tag)
    here = by_hand.is_file()
    path = by_hand if here else download(name, trained, by_hand, progress)
    return Source(name, arch, path)


def _listed(architecture: str, tag: str) -> dict[str, Any]:
    """open_clip's entry for weights. Raises ModelError if the installed version does not list
    them, or lists them without the activation, which no file holds."""
    version = part("version").__version__
    pretrained = part("pretrained")
    trained: dict[str, Any] = pretrained.get_pretrained_cfg(architecture, tag)
    if not trained:
        tags = ", ".join(pretrained.list_pretrained_tags_by_model(architecture)) or "none"
        raise ModelError(
            f"open_clip {version} has no weights {_short(tag)!r} for {architecture}; it has: {tags}"
        )
    known = pretrained.get_pretrained_cfg("ViT-L-14", "openai")
    if "quick_gelu" not in known:
        raise ModelError(
            f"{architecture}:{tag}: open_clip {version} does not say which activation these "
            "weights need: update it (pip install -U open_clip_torch), or choose a preset"
        )
    return trained
