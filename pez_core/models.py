"""CLIP models by name: presets, open_clip's registry, files and folders of safetensors, the
embedded one.

All of them come down to an `Architecture` and a safetensors file, and take the same way from there:
the text tower through `weights`, the image tower through open_clip.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from .architecture import Architecture, from_open_clip, read_architecture
from .download import Progress, download, placed_by_hand
from .ensemble import EncoderEnsemble, join_towers
from .errors import ModelError
from .image_tower import encode_pictures
from .objective import weighted_similarity
from .open_clip_files import model_config, part
from .source import JointSource, Source
from .targets import Targets
from .text_tower import TextTower, Tower, nothing
from .vocabulary import Vocabulary, clip_vocabulary, read_words
from .weights import load_text_tower
from .weights_file import WeightsFile

DEMO_FOLDER = Path(__file__).parent / "demo_model"
CONFIG_NAMES = ("open_clip_config.json", "config.json")
WEIGHTS_NAMES = ("open_clip_model.safetensors", "model.safetensors")
_WEIGHED = re.compile(r"(.+)@(\d+\.?\d*|\.\d+)")  # A@0.7


@dataclass(frozen=True)
class Preset:
    """A model under an artist's name: open_clip's NAME:TAG, the sum of two presets, or None for the
    embedded model."""

    source: str | None
    about: str


# Which text encoder a diffusion model listens to is told by its model card.
PRESETS: dict[str, Preset] = {
    "demo": Preset(None, "embedded, offline: a small CLIP that knows clip-art and emoji"),
    "sd15": Preset("ViT-L-14:openai", "Stable Diffusion 1.x"),
    "flux": Preset("ViT-L-14:openai", "CLIP-L of Flux and Stable Diffusion 3"),
    "sd2": Preset("ViT-H-14:laion2b_s32b_b79k", "Stable Diffusion 2.x, the paper's CLIP"),
    "sdxl": Preset("sdxl-l+sdxl-g", "both text encoders of SDXL at once"),
    "sdxl-l": Preset("ViT-L-14:openai", "CLIP-L of SDXL"),
    "sdxl-g": Preset("ViT-bigG-14:laion2b_s39b_b160k", "OpenCLIP-bigG of SDXL"),
}


@dataclass(frozen=True)
class ClipModel:
    """A loaded CLIP, or several as one: the text tower on its device, computing in float32, and the
    way to picture features."""

    source: Source | JointSource
    tower: Tower
    vocabulary: Vocabulary = field(repr=False)

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def device(self) -> torch.device:
        return self.tower.device

    @torch.inference_mode(False)
    def encode_texts(self, texts: Sequence[str], tick: Callable[[], None] = nothing) -> Tensor:
        """Unit features of texts, (N, E). Beyond 75 tokens a text is cut, as CLIP itself does.
        tick: called between passes."""
        start, end = self.vocabulary.start, self.vocabulary.end
        most = min(part.arch.context_length for part in self.source.parts) - 2
        sequences = []
        for text in texts:
            ids = self.vocabulary.encode(text)[:most]
            # CLIP reads its feature at the first end token, so nothing behind one counts.
            sequences.append([start, *(ids[: ids.index(end)] if end in ids else ids), end])
        return self.tower.encode_ids(sequences, tick)

    @torch.inference_mode(False)
    def encode_pictures(self, pictures: Sequence[Image.Image]) -> Tensor:
        """Unit features of RGB pictures, (N, E). The image tower is loaded for this call and leaves
        the device after it.

        Raises ModelError when there is no image tower.
        """
        return encode_pictures(self.source, pictures, self.device)

    def similarities(self, features: Tensor, targets: Targets) -> list[dict[str, float]]:
        """What every encoder of an ensemble says by itself, by its name: a dict for each of the
        features, (N, E). For a single CLIP they are empty."""
        if not isinstance(self.tower, EncoderEnsemble):
            return [{} for _ in features]
        own, theirs = self.tower.split(features), self.tower.split(targets.features)
        columns = [
            weighted_similarity(mine, replace(targets, features=goal)).tolist()
            for mine, goal in zip(own, theirs, strict=True)
        ]
        names = [part.name for part in self.source.parts]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def to(self, device: torch.device | str) -> ClipModel:
        return replace(self, tower=self.tower.to(device))


def load_model(
    name: str = "demo",
    device: torch.device | str = "cpu",
    *,
    tower: str | None = None,
    as_stored: bool = False,
) -> ClipModel:
    """The model of a preset, of open_clip's `NAME:TAG`, of `NAME:FILE`, of a safetensors file or of
    a folder; or the ensemble of several, `A+B`, with weights `A@0.7+B@0.3`.

    tower: which text tower of a file that holds several. as_stored: hold weights in half precision
    as the file has them, for a search in that precision; features and scores do not change.
    Raises ModelError for an unknown name, no network or no configuration, WeightsError for a bad
    file.
    """
    model = read_model(find_model(name), tower=tower, as_stored=as_stored)
    return model.to(device)


def read_model(
    source: Source | JointSource, *, tower: str | None = None, as_stored: bool = False
) -> ClipModel:
    """The model of a source that has a file, on the CPU. Raises as `load_model` does."""
    if isinstance(source, Source):
        return ClipModel(source, _read_tower(source, tower, as_stored), clip_vocabulary())
    if tower is not None:
        raise ModelError(
            f"{source.name} is of several models, and the tower {tower!r} is one of a single file: "
            "leave out the tower, or give that file alone"
        )
    towers = [_read_tower(part, None, as_stored) for part in source.parts]
    return ClipModel(source, join_towers(towers, source.weights), clip_vocabulary())


def _read_tower(source: Source, tower: str | None, as_stored: bool) -> TextTower:
    assert source.path is not None
    return load_text_tower(
        WeightsFile(source.path),
        source.arch,
        source=str(source.path),
        tower=tower,
        as_stored=as_stored,
    )


def find_model(name: str, progress: Progress | None = None) -> Source | JointSource:
    """Where the model of a name is, downloaded if need be. progress: see `download`. Raises as
    `load_model` does."""
    named = PRESETS[name].source if name in PRESETS else name
    if named is None or "+" not in named or _is_on_disk(named):
        return find_one(name, progress)
    summands = [summand.strip() for summand in named.split("+")]
    if not all(summands):
        raise ModelError(f"{named!r} has a + without a model beside it: write A+B")
    parts, weights = [], []
    for summand in summands:
        weighed = None if _is_on_disk(summand) else _WEIGHED.fullmatch(summand)
        parts.append(find_one(weighed.group(1) if weighed else summand, progress))
        weights.append(float(weighed.group(2)) if weighed else 1.0)
    return JointSource(name, tuple(parts), tuple(weights))


def find_one(name: str, progress: Progress | None = None) -> Source:
    """The same for the name of a single CLIP."""
    if name in PRESETS:
        registered = PRESETS[name].source
        if registered is None:
            return _in_folder(name, DEMO_FOLDER)
        if "+" in registered:
            raise ModelError(f"{name} is of several models itself: name them, {registered}")
        return replace(_in_registry(name, *registered.split(":"), progress=progress), name=name)
    path = Path(name).expanduser()
    if path.is_dir():
        return _in_folder(name, path)
    if path.is_file():
        return _beside(name, path)
    architecture, colon, rest = name.partition(":")
    if not colon:
        raise ModelError(
            f"unknown model {name!r}: give one of {', '.join(PRESETS)}, an open_clip NAME:TAG, "
            "or a safetensors file"
        )
    if rest.endswith(".safetensors") or Path(rest).expanduser().is_file():
        return Source(name, _registered(architecture), Path(rest).expanduser())
    return _in_registry(name, architecture, rest, progress=progress)


def _is_on_disk(name: str) -> bool:
    """Whether FILE, FOLDER or NAME:FILE is there: then a + or @ belongs to its name."""
    paths = (name, name.partition(":")[2])
    return any(Path(path).expanduser().exists() for path in paths if path)


def _in_folder(name: str, folder: Path) -> Source:
    config = next((folder / n for n in CONFIG_NAMES if (folder / n).is_file()), None)
    weights = next((folder / n for n in WEIGHTS_NAMES if (folder / n).is_file()), None)
    if config is None or weights is None:
        raise ModelError(
            f"the folder {folder} is no model: it needs {' or '.join(CONFIG_NAMES)} "
            f"and {' or '.join(WEIGHTS_NAMES)}"
        )
    words = folder / "words.txt"
    known = frozenset(read_words(words)) if words.is_file() else None
    return Source(name, read_architecture(config), weights, known)


def _beside(name: str, path: Path) -> Source:
    WeightsFile(path)  # a pickle or a damaged file is refused before its configuration is missed
    names = (f"{path.stem}.json", *CONFIG_NAMES)
    config = next((path.parent / n for n in names if (path.parent / n).is_file()), None)
    if config is None:
        raise ModelError(
            f"{path} does not say what it is: name its open_clip architecture, as in "
            f"ViT-L-14-quickgelu:{path}, or put its configuration beside it as {path.stem}.json"
        )
    return Source(name, read_architecture(config), path)


def _registered(architecture: str) -> Architecture:
    config = model_config(architecture)
    if config is None:
        raise ModelError(
            f"open_clip knows no architecture {architecture!r}; `pez models` shows how to name one"
        )
    return from_open_clip(config, name=architecture)


def _in_registry(name: str, architecture: str, tag: str, *, progress: Progress | None) -> Source:
    arch = _registered(architecture)
    pretrained = part("pretrained")
    trained = pretrained.get_pretrained_cfg(architecture, tag)
    if not trained:
        tags = ", ".join(pretrained.list_pretrained_tags_by_model(architecture)) or "none"
        raise ModelError(f"open_clip has no weights {tag!r} for {architecture}; it has: {tags}")
    # The activation belongs to the weights: some tags of one architecture were trained with
    # quick_gelu.
    activation = "quick_gelu" if trained.get("quick_gelu") else "gelu"
    arch = replace(arch, activation=activation, preprocess=dict(trained))
    by_hand = placed_by_hand(architecture, tag)
    here = by_hand.is_file()
    path = by_hand if here else download(name, trained, by_hand, progress)
    return Source(name, arch, path)
