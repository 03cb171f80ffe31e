"""CLIP models by name: presets, open_clip's registry, files and folders of safetensors, the
embedded one.

All of them come down to an `Architecture` and a safetensors file, and take the same way from there:
the text tower through `weights`, the image tower through open_clip.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from .architecture import Architecture, from_open_clip, read_architecture
from .download import Progress, download, placed_by_hand
from .errors import ModelError
from .image_tower import encode_pictures
from .open_clip_files import model_config, part
from .text_tower import TextTower, nothing
from .vocabulary import Vocabulary, clip_vocabulary, read_words
from .weights import WeightsFile, load_text_tower

DEMO_FOLDER = Path(__file__).parent / "demo_model"
CONFIG_NAMES = ("open_clip_config.json", "config.json")
WEIGHTS_NAMES = ("open_clip_model.safetensors", "model.safetensors")


@dataclass(frozen=True)
class Preset:
    """A model under an artist's name: open_clip's NAME:TAG, or None for the embedded model."""

    source: str | None
    about: str


# Which text encoder a diffusion model listens to is told by its model card.
PRESETS: dict[str, Preset] = {
    "demo": Preset(None, "embedded, offline: a small CLIP that knows clip-art and emoji"),
    "sd15": Preset("ViT-L-14:openai", "Stable Diffusion 1.x"),
    "flux": Preset("ViT-L-14:openai", "CLIP-L of Flux and Stable Diffusion 3"),
    "sd2": Preset("ViT-H-14:laion2b_s32b_b79k", "Stable Diffusion 2.x, the paper's CLIP"),
    "sdxl-l": Preset("ViT-L-14:openai", "CLIP-L of SDXL"),
    "sdxl-g": Preset("ViT-bigG-14:laion2b_s39b_b160k", "OpenCLIP-bigG of SDXL"),
}


@dataclass(frozen=True)
class Source:
    """A model before loading: its architecture, its file, and words it is known to know.

    path: None for weights that came from elsewhere than a file.
    """

    name: str
    arch: Architecture
    path: Path | None
    words: frozenset[str] | None = None


@dataclass(frozen=True)
class ClipModel:
    """A loaded CLIP: the text tower on its device, computing in float32, and the way to picture
    features."""

    source: Source
    tower: TextTower
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
        most = self.source.arch.context_length - 2
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
        if self.source.path is None:
            raise ModelError(f"{self.name} is a text encoder alone: it cannot see pictures")
        features = encode_pictures(self.source.path, self.source.arch, pictures, self.device)
        return F.normalize(features, dim=-1)

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
    a folder.

    tower: which text tower of a file that holds several. as_stored: hold weights in half precision
    as the file has them, for a search in that precision; features and scores do not change.
    Raises ModelError for an unknown name, no network or no configuration, WeightsError for a bad
    file.
    """
    model = read_model(find_model(name), tower=tower, as_stored=as_stored)
    return model.to(device)


def read_model(source: Source, *, tower: str | None = None, as_stored: bool = False) -> ClipModel:
    """The model of a source that has a file, on the CPU. Raises as `load_model` does."""
    assert source.path is not None
    text = load_text_tower(
        WeightsFile(source.path),
        source.arch,
        source=str(source.path),
        tower=tower,
        as_stored=as_stored,
    )
    return ClipModel(source, text, clip_vocabulary())


def find_model(name: str, progress: Progress | None = None) -> Source:
    """Where the model of a name is, downloaded if need be. progress: see `download`. Raises as
    `load_model` does."""
    if name in PRESETS:
        registered = PRESETS[name].source
        if registered is None:
            return _in_folder(name, DEMO_FOLDER)
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
