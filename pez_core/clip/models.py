"""A loaded CLIP, or an ensemble of several: from a name to the features of texts and pictures.

Every model is loaded from its safetensors file in the same way: the text tower by `weights`, the
image tower by `image_tower`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from PIL import Image
from torch import Tensor

from ..errors import ModelError
from ..targets import Targets, weighted_similarity
from ..text.vocabulary import Vocabulary, clip_vocabulary
from .ensemble import EncoderEnsemble, join_towers
from .image_tower import encode_pictures
from .model_names import find_model
from .source import JointSource, Source
from .text_tower import TextTower, Tower, no_op
from .weights import load_text_tower
from .weights_file import WeightsFile


@dataclass(frozen=True)
class ClipModel:
    """A loaded CLIP, or an ensemble of several. The text tower is on its device and computes in
    float32. The image tower is loaded on demand."""

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
    def encode_texts(
        self, texts: Sequence[str], check_interrupt: Callable[[], None] = no_op
    ) -> Tensor:
        """Unit features of texts, (N, E). A text is cut after 75 tokens, as CLIP itself does.
        check_interrupt: called between passes."""
        start, end = self.vocabulary.start, self.vocabulary.end
        most = min(part.arch.context_length for part in self.source.parts) - 2
        sequences = [[start, *self.vocabulary.encode(text)[:most], end] for text in texts]
        return self.tower.encode_ids(sequences, check_interrupt)

    def score(
        self, texts: Sequence[str], targets: Targets, check_interrupt: Callable[[], None] = no_op
    ) -> Tensor:
        """The weighted similarity of texts with targets, each text encoded from scratch, (N,); see
        `targets.weighted_similarity`."""
        return weighted_similarity(
            self.encode_texts(texts, check_interrupt), targets.to(self.device)
        )

    @torch.inference_mode(False)
    def encode_pictures(self, pictures: Sequence[Image.Image]) -> Tensor:
        """Unit features of RGB pictures, (N, E). The image tower is loaded for this call alone.

        Raises ModelError when the model has no image tower.
        """
        return encode_pictures(self.source, pictures, self.device)

    def similarities(self, features: Tensor, targets: Targets) -> list[dict[str, float]]:
        """The similarity that each encoder of an ensemble measures alone, by the encoder's name: N
        dicts for features (N, E). For a single CLIP the dicts are empty."""
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

    tower: the name of a text tower in a file that holds several. as_stored: keep half-precision
    weights as the file stores them, for a search in that precision; features and scores do not
    change.
    Raises ModelError for an unknown name, a missing network or a missing configuration, and
    WeightsError for an unusable file.
    """
    model = read_model(find_model(name), tower=tower, as_stored=as_stored)
    return model.to(device)


def read_model(
    source: Source | JointSource, *, tower: str | None = None, as_stored: bool = False
) -> ClipModel:
    """The model of a source with a file, on the CPU. Raises as `load_model` does."""
    if isinstance(source, Source):
        return ClipModel(source, _read_tower(source, tower, as_stored), clip_vocabulary())
    if tower is not None:
        raise ModelError(
            f"{source.name} stands for several models, but the tower {tower!r} belongs to a single "
            "file: leave out the tower, or give that file alone"
        )
    towers = [_read_tower(part, None, as_stored) for part in source.parts]
    return ClipModel(source, join_towers(towers, source.weights), clip_vocabulary())


def _read_tower(source: Source, tower: str | None, as_stored: bool) -> TextTower:
    assert source.path is not None
    return load_text_tower(
        WeightsFile(source.path),
        source.arch,
        source=str(source.path),
        tower=source.tower if tower is None else tower,
        as_stored=as_stored,
    )
