"""The text encoder that a node learns for, with features of pictures by the same CLIP.

`clip` is the text tower, `clip_vision` the image tower; what is not connected comes from the model
of the drop-down. An entry with two encoders, SDXL, means both as one, each with its own image tower
from its file. Where that is impossible, the node uses one of them and says so: a graph's `clip` may
hold only one of them, and a file may be missing. `clip_vision` is one image encoder, so with it the
words are learned for the text encoder that belongs to it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from ...pez_core.clip.architecture import Architecture
from ...pez_core.clip.ensemble import join_towers
from ...pez_core.clip.models import ClipModel, read_model
from ...pez_core.clip.source import JointSource, Source
from ...pez_core.clip.text_tower import Tower
from ...pez_core.errors import ModelError
from ...pez_core.guard.guard import Guard, make_guard
from ...pez_core.guard.neutral import calibrate
from ...pez_core.text.vocabulary import clip_vocabulary
from ..doing import say
from ..interrupt import check_cancelled
from ..notes import joined_notes
from .clip_files import JOINT, architecture_of, encoder_with, find_source, is_ready, stamp
from .graph_clip import (
    find_projection,
    find_tower,
    of_same_clip,
    reach,
    read_tower,
    table_of,
    titles,
)
from .memory import LRUCache, TowerModule, load
from .pictures import pictures_of
from .vision import features_by_clip_vision, features_by_files, features_dim, require_same_clip

TEXT_TOWERS = LRUCache()
_PROJECTIONS: WeakKeyDictionary[Any, dict[Hashable, Source | None]] = WeakKeyDictionary()


@dataclass(frozen=True)
class ModelRequest:
    """Which CLIP the user requests. label: the entry of the drop-down."""

    label: str
    clip: Any = None
    clip_vision: Any = None


@dataclass(frozen=True)
class TextEncoder:
    """The text encoder for a request: of one CLIP, or several as one. It holds no weights.

    key: identifies the weights in the cache. read: reads them if the cache does not have them.
    note: what the user should know.
    """

    request: ModelRequest
    source: Source | JointSource
    key: Hashable
    read: Callable[[], Tower]
    note: str = ""

    @property
    def archs(self) -> tuple[Architecture, ...]:
        return tuple(part.arch for part in self.source.parts)

    @torch.inference_mode(False)
    def load(self, working_memory: int = 0) -> ClipModel:
        """The model on its device, with room for so many more bytes."""
        return ClipModel(self.source, self._module(working_memory).tower(), clip_vocabulary())

    @torch.inference_mode(False)
    def guard(self, avoid: tuple[str, ...]) -> Guard | None:
        """What keeps prompts away from these meanings; None if there are none. The neutral prompts
        are many, so they are encoded once per tower."""
        if not avoid:
            return None
        module = self._module()
        model = ClipModel(self.source, module.tower(), clip_vocabulary())
        if module.calibration is None:
            say("guard")
            module.calibration = calibrate(model, check_interrupt=check_cancelled).to("cpu")
        return make_guard(model, avoid, calibration=module.calibration)

    def has_features_of(self, other: TextEncoder) -> bool:
        """Whether features of another encoder have the same meaning to this one. Two files are two
        models; an encoder of a graph does not say its file, so its sizes have to match."""
        if len(self.archs) != len(other.archs):
            return False
        return all(
            _sizes(mine.arch) == _sizes(theirs.arch)
            and (None in (mine.path, theirs.path) or mine.path == theirs.path)
            for mine, theirs in zip(self.source.parts, other.source.parts, strict=True)
        )

    def _module(self, working_memory: int = 0) -> TowerModule:
        owner = getattr(self.request.clip, "cond_stage_model", None)

        def build() -> TowerModule:
            say("load", model=self.source.name)
            return TowerModule(self.read())

        patcher = TEXT_TOWERS.get(self.key, build, owner)
        module: TowerModule = load(patcher, working_memory)
        return module


def open_encoder(
    request: ModelRequest, images: Mapping[str, Tensor] | None = None
) -> tuple[TextEncoder, dict[str, Tensor]]:
    """The text encoder of a run, and the features of its pictures by the same CLIP, (B, E) each, on
    the CPU. images: IMAGEs, (B, H, W, 3), by the name of their input.

    Raises ModelError where no encoder is available or the two are not of one CLIP, PictureError for
    an IMAGE without a picture, and what loading raises.
    """
    require_open_clip()
    _require_objects(request)
    images = images or {}
    pictures = {name: pictures_of(image, name) for name, image in images.items()}
    if request.clip is not None:
        find_tower(request.clip, None)  # nothing is fetched or seen for a language model
    if request.clip_vision is not None:
        return _seen_by_graph(request, images)
    wanted = [*JOINT.get(request.label, {})]
    if request.clip is not None and wanted:
        held = titles(request.clip)
        wanted = [title for title in wanted if title in held]
    if request.clip is not None and not wanted and not images:
        return _text_encoder(request), {}
    files, note = _find_files(request, wanted)
    encoders = {
        title: _text_encoder(request, file.arch.embed_dim, file) for title, file in files.items()
    }
    if images:
        say("look")
    source = _joined(request.label, files) if len(files) > 1 else next(iter(files.values()))
    seen = {name: features_by_files(source, found) for name, found in pictures.items()}
    if len(encoders) > 1:
        return _joint_encoder(request, encoders), seen
    (encoder,) = encoders.values()
    return replace(encoder, note=joined_notes(note, encoder.note)), seen


def _seen_by_graph(
    request: ModelRequest, images: Mapping[str, Tensor]
) -> tuple[TextEncoder, dict[str, Tensor]]:
    """With the features of pictures by the `clip_vision` of the graph."""
    # A CLIP_VISION does not say which CLIP it is of; only the size of its features shows it.
    embed_dim = features_dim(request.clip_vision) if images else None
    encoder = None if embed_dim is None else _text_encoder(request, embed_dim)
    if images:
        say("look")
    seen = {n: features_by_clip_vision(request.clip_vision, i) for n, i in images.items()}
    if encoder is None:
        embed_dim = next((features.shape[1] for features in seen.values()), None)
        encoder = _text_encoder(request, embed_dim)
    held = JOINT.get(request.label, {}) if request.clip is None else titles(request.clip)
    alone = "learned for the encoder of `clip_vision` alone: disconnect it to learn for both"
    both = len([title for title in JOINT.get(request.label, {}) if title in held]) > 1
    return replace(encoder, note=joined_notes(alone if both else "", encoder.note)), seen


def _find_files(
    request: ModelRequest, wanted: Sequence[str]
) -> tuple[dict[str | None, Source], str]:
    """The files of the encoders that are wanted, or of the only one, and a note on what is missing.
    Raises ModelError if there is none."""
    if request.clip is not None and not is_ready(request.label):
        local = _local_file(request)
        if local is not None:
            return {None: local}, ""
        if not wanted:  # no download for nothing
            find_tower(request.clip, architecture_of(request.label).embed_dim)
    files: dict[str | None, Source] = {}
    missing = [f"`clip` contains no {t}" for t in JOINT.get(request.label, {}) if t not in wanted]
    order = wanted or [None]
    for title in order:
        try:
            files[title] = find_source(request.label, title)
        except ModelError as error:
            if not files and title == order[-1]:
                raise
            missing.append(f"{title} was left out: {error}")
    alone = wanted and len(files) == 1
    return files, f"learned for {[*files][0]} alone: {'; '.join(missing)}" if alone else ""


def _local_file(request: ModelRequest) -> Source | None:
    """A file of ComfyUI's folders that sees with the CLIP of the graph, so that nothing has to be
    downloaded."""
    tower = find_tower(request.clip, None)
    return of_same_clip(tower, table_of(request.clip, tower), sees=True)


def _text_encoder(
    request: ModelRequest, embed_dim: int | None = None, file: Source | None = None
) -> TextEncoder:
    """The text encoder of a request for pictures whose features have so many dimensions, if there
    are any. file: the one to read, where no `clip` is connected; the entry's if left out.

    Raises ModelError where no encoder is available, or it is not of the CLIP that sees."""
    clip, label = request.clip, request.label
    if clip is not None:
        source = find_tower(clip, embed_dim)
        key: Hashable = (id(clip.cond_stage_model), source.tower, clip.patcher.patches_uuid, label)
        projection = _projection(clip, source, label, file, key)
        taken = "" if projection is None or projection.name.startswith(label) else projection.name
        note = joined_notes(reach(clip), taken and f"with the projection of {taken}")
        encoder = TextEncoder(
            request, source, key, lambda: read_tower(clip, source, projection), note
        )
    else:
        encoder_name = encoder_with(label, embed_dim)
        if embed_dim is not None and file is None:  # before a download
            require_same_clip(architecture_of(label, encoder_name), embed_dim, request.clip_vision)
        file = file or find_source(label, encoder_name)
        assert file.path is not None
        key = (file.path, file.tower, *stamp(file.path))
        encoder = TextEncoder(request, file, key, lambda: read_model(file).tower)
    if embed_dim is not None:
        require_same_clip(encoder.source.arch, embed_dim, request.clip_vision)
    return encoder


def _projection(
    clip: Any, source: Source, label: str, file: Source | None, key: Hashable
) -> Source | None:
    """`find_projection`, once for each text encoder of a graph."""
    known = _PROJECTIONS.setdefault(clip.cond_stage_model, {})
    if key not in known:
        known[key] = find_projection(clip, source, label, file)
    return known[key]


def _joint_encoder(request: ModelRequest, encoders: Mapping[str, TextEncoder]) -> TextEncoder:
    """Several encoders as one, all of equal weight. encoders: by their titles."""
    of_graph = request.clip is not None
    name = f"{' and '.join(encoders)} of the graph" if of_graph else request.label
    source = _joined(name, {title: replace(e.source, name=title) for title, e in encoders.items()})
    key = ("joint", *(encoder.key for encoder in encoders.values()))

    def read() -> Tower:
        return join_towers([encoder.read() for encoder in encoders.values()], source.weights)

    notes = dict.fromkeys(encoder.note for encoder in encoders.values())
    return TextEncoder(request, source, key, read, joined_notes(*notes))


def _joined(name: str, sources: Mapping[str, Source]) -> JointSource:
    return JointSource(name, tuple(sources.values()), (1,) * len(sources))


def _sizes(arch: Architecture) -> tuple[int, int, int]:
    return arch.embed_dim, arch.width, arch.layers


def _require_objects(request: ModelRequest) -> None:
    """Raises ModelError for a `clip` or `clip_vision` that is something else."""
    for name, given, parts in (
        ("clip", request.clip, ("cond_stage_model", "patcher")),
        ("clip_vision", request.clip_vision, ("encode_image",)),
    ):
        if given is not None and not all(hasattr(given, part) for part in parts):
            raise ModelError(
                f"`{name}` is a {type(given).__name__} and not what ComfyUI's loaders return: "
                "connect one of them"
            )


def require_open_clip() -> None:
    """Raises ModelError where the one package that ComfyUI does not bring is missing."""
    if importlib.util.find_spec("open_clip") is None:
        raise ModelError(
            "the package open_clip_torch is missing: install this pack's requirements.txt into "
            "ComfyUI's Python (pip install open_clip_torch), then start ComfyUI again"
        )
