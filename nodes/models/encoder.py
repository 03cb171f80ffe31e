"""One CLIP of a run of a node: a text tower and an image tower, from files or from the graph.

`clip` gives the text tower, `clip_vision` the image tower; what is not connected comes from the
model of the drop-down.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import comfy.model_management as mm
import torch
from PIL import Image
from torch import Tensor, nn

from ...pez_core.clip.architecture import Architecture
from ...pez_core.clip.image_tower import BATCH_SIZE, encode_pictures, load_image_tower
from ...pez_core.clip.models import ClipModel, read_model
from ...pez_core.clip.source import JointSource, Source
from ...pez_core.clip.text_tower import TextTower, Tower
from ...pez_core.errors import ModelError
from ...pez_core.guard.guard import Guard, make_guard
from ...pez_core.guard.neutral import calibrate
from ...pez_core.text.vocabulary import clip_vocabulary
from ..run.live import Downloading, check_cancelled
from .clip_files import Choice, find_choice, stamp
from .graph_clip import find_tower, read_tower
from .memory import HeldTower, Managed, Shelf
from .pictures import pictures_of

_TEXT: Shelf[HeldTower] = Shelf()
_IMAGE: Shelf[nn.Module] = Shelf()
# The widths of a CLIP's two towers belong together: of L, H and bigG.
_VISION_WIDTH = {768: 1024, 1024: 1280, 1280: 1664}


@dataclass(frozen=True)
class Asked:
    """Which CLIP a user has asked for. label: the entry of the drop-down."""

    label: str
    clip: Any = None
    clip_vision: Any = None


@dataclass(frozen=True)
class TextEncoder:
    """A text tower, or several as one, that ComfyUI manages. note: what the user should know."""

    source: Source | JointSource
    note: str
    _held: Managed[HeldTower]

    @property
    def archs(self) -> tuple[Architecture, ...]:
        return tuple(part.arch for part in self.source.parts)

    @property
    def embed_dim(self) -> int:
        return sum(arch.embed_dim for arch in self.archs)

    @torch.inference_mode(False)
    def load(self, working_memory: int = 0) -> ClipModel:
        """The tower on its device, with room for so many bytes beside it."""
        tower = self._held.load(working_memory).tower()
        return ClipModel(self.source, tower, clip_vocabulary())

    @torch.inference_mode(False)
    def guard(self, avoid: tuple[str, ...]) -> Guard | None:
        """What keeps prompts away from these meanings; None where there are none. The neutral
        prompts are read once for a tower, as they are many."""
        if not avoid:
            return None
        model = self.load()
        if self._held.calibration is None:
            self._held.calibration = calibrate(model, check_interrupt=check_cancelled).to("cpu")
        return make_guard(model, avoid, calibration=self._held.calibration)


@dataclass(frozen=True)
class Unread:
    """A text tower before it is read. key: what tells it from others. owner: as for `Managed`."""

    source: Source
    key: Hashable
    read: Callable[[], TextTower]
    owner: Any = None


def hold(
    source: Source | JointSource,
    key: Hashable,
    read: Callable[[], Tower],
    owner: Any = None,
    note: str = "",
) -> TextEncoder:
    """The text encoder of a source, read if it is not among those used last."""
    return TextEncoder(source, note, _TEXT.get(key, lambda: HeldTower(read()), owner))


@torch.inference_mode(False)
def see_with_files(source: Source | JointSource, pictures: Sequence[Image.Image]) -> Tensor:
    """Unit features of RGB pictures, (B, E), on the CPU, by image towers that ComfyUI manages.

    Raises ModelError for a file without an image tower, and what loading one raises.
    """
    seen = encode_pictures(source, pictures, mm.get_torch_device(), _image_tower, check_cancelled)
    return seen.cpu()


def _image_tower(source: Source) -> nn.Module:
    if source.arch.vision is None:
        raise ModelError(
            f"{source.name} holds a text encoder alone and cannot see pictures: connect the "
            "CLIP_VISION of the same CLIP, or choose another model"
        )
    assert source.path is not None
    key = (source.path, *stamp(source.path))
    return _IMAGE.get(key, lambda: load_image_tower(source)).load()


class Encoder:
    """What sees the pictures and reads the texts of one CLIP.

    Raises ModelError where parts are not of one CLIP, and what loading them raises.
    """

    def __init__(self, asked: Asked, choice: Choice | None = None, note: str = "") -> None:
        """choice: the model of the file, if it is not just that of the drop-down's entry."""
        require_open_clip()
        self._asked, self._choice, self._note = asked, choice, note

    def _file(self, width: int | None = None) -> Choice:
        """width: of the text tower that is wanted, where the drop-down's entry has two."""
        if self._choice is None:
            self._choice = find_choice(self._asked.label, width=width, progress=Downloading())
        return self._choice

    @torch.inference_mode(False)
    def see(self, image: Tensor, name: str) -> Tensor:
        """Features of an IMAGE, (B, H, W, 3) → (B, E), on the CPU. name: the input's."""
        pictures = pictures_of(image, name)
        if self._asked.clip_vision is not None:
            return self._see_with_graph(image)
        return see_with_files(self._file().source, pictures)

    def _see_with_graph(self, image: Tensor) -> Tensor:
        features = []
        for batch in torch.split(image, BATCH_SIZE):
            check_cancelled()
            with torch.inference_mode():  # as ComfyUI's own nodes call it
                output = self._asked.clip_vision.encode_image(batch)["image_embeds"]
            if output is None or output.ndim != 2:
                raise ModelError(
                    "the CLIP_VISION connected is no CLIP: it gives no picture feature; connect "
                    "that of the same CLIP as the text encoder"
                )
            features.append(output.detach().to("cpu", torch.float32, copy=True))
        return torch.cat(features)

    def text(self, embed_dim: int | None = None) -> TextEncoder:
        """The text tower, for features of so many dimensions where pictures are seen."""
        found = self.unread(embed_dim)
        return hold(found.source, found.key, found.read, found.owner, self._note)

    def unread(self, embed_dim: int | None = None) -> Unread:
        """The same before it is read."""
        if self._asked.clip is None:
            found = self._text_of_file(embed_dim)
        else:
            found = self._text_of_graph(embed_dim)
        if embed_dim is not None:
            self._require_one_clip(found.source.arch, embed_dim)
        return found

    def _text_of_file(self, embed_dim: int | None) -> Unread:
        # The features of SDXL's two encoders are as wide as the encoders.
        choice = self._file(width=embed_dim)
        source, tower = choice.source, choice.tower
        assert source.path is not None
        key = (source.path, tower, *stamp(source.path))
        return Unread(source, key, lambda: read_model(source, tower=tower).tower)

    def _text_of_graph(self, embed_dim: int | None) -> Unread:
        clip, label = self._asked.clip, self._asked.label
        tower = find_tower(clip, embed_dim)
        owner = clip.cond_stage_model
        key = (id(owner), tower.name, clip.patcher.patches_uuid, label)
        source = Source(f"{tower.title} of the graph", tower.arch, None)
        return Unread(source, key, lambda: read_tower(clip, tower, label).tower, owner)

    def _require_one_clip(self, arch: Architecture, embed_dim: int) -> None:
        if arch.embed_dim != embed_dim:
            raise ModelError(
                f"the picture features have {embed_dim} dimensions and the text encoder gives "
                f"{arch.embed_dim}: connect a CLIP_VISION, or choose a model, of the same CLIP"
            )
        vision = getattr(getattr(self._asked.clip_vision, "model", None), "vision_model", None)
        embeddings = getattr(vision, "embeddings", None)
        patches = getattr(getattr(embeddings, "patch_embedding", None), "weight", None)
        expected = _VISION_WIDTH.get(arch.width)
        if patches is not None and expected and patches.shape[0] != expected:
            raise ModelError(
                f"the CLIP_VISION connected has a width of {patches.shape[0]}, and to this text "
                f"encoder belongs one of {expected}: they come from different CLIPs, connect the "
                "two of one"
            )


def require_open_clip() -> None:
    """Raises ModelError where the one package that ComfyUI does not bring is missing."""
    if importlib.util.find_spec("open_clip") is None:
        raise ModelError(
            "the package open_clip_torch is missing: install this pack's requirements.txt into "
            "ComfyUI's Python (pip install open_clip_torch), then start ComfyUI again"
        )
