"""A sentence encoder as a text tower.

It is of the kind of Sentence-BERT (arXiv 1908.10084): a BERT, the mean over its positions, at unit
length. It reads [CLS] words [SEP], and a prompt is the words between. The parts of CLIP's search
that need only a tower work with it: slots, objective, optimisers and refinement.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..clip.text_tower import Tower
from ..errors import ModelError
from ..hub.configuration import read_json, shown
from ..targets import Targets, weighted_similarity
from .folder_check import check_folder, offline
from .loading import UNREADABLE, load_network, load_tokenizer, load_transformers, loading_error


class SentenceTower(Tower):
    """A frozen BERT of transformers as a tower. But: all weights have one precision, and it is not
    part of an ensemble."""

    def __init__(self, network: Any) -> None:
        self._network = network
        self.token_embedding = network.get_input_embeddings().weight.detach()

    @property
    def widths(self) -> tuple[int, ...]:
        return (self.token_embedding.shape[1],)

    @property
    def embed_dim(self) -> int:
        return int(self._network.config.hidden_size)

    def features(self, embeddings: Tensor) -> Tensor:
        states: Tensor = self._network(inputs_embeds=embeddings).last_hidden_state  # (R, L, D)
        return F.normalize(states.mean(dim=1), dim=-1)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> SentenceTower:
        return self.map(
            lambda tensor: tensor.to(device, dtype if tensor.is_floating_point() else None)
        )

    def map(self, change: Callable[[Tensor], Tensor]) -> SentenceTower:
        return SentenceTower(copy.deepcopy(self._network)._apply(change))


@dataclass(frozen=True)
class SentenceEncoder:
    """A sentence encoder with its tokenizer."""

    name: str
    tower: SentenceTower = field(repr=False)
    tokenizer: Any = field(repr=False)

    @property
    def longest(self) -> int:
        """The most tokens that it reads, without [CLS] and [SEP]."""
        return int(self.tower._network.config.max_position_embeddings) - 2

    def encode(self, text: str) -> list[int]:
        """The ids of a text, without [CLS] and [SEP]."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    @torch.inference_mode(False)
    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Unit features of texts, (N, E). Texts longer than the context are cut."""
        start, end = self.tokenizer.cls_token_id, self.tokenizer.sep_token_id
        ids = [[start, *self.encode(text)[: self.longest], end] for text in texts]
        return self.tower.encode_ids(ids)

    def score(self, texts: Sequence[str], targets: Targets) -> Tensor:
        """The weighted similarity of texts with targets, see `weighted_similarity`. → (N,)"""
        return weighted_similarity(self.encode_texts(texts), targets.to(self.tower.device))


@torch.inference_mode(False)
def load_sentence_encoder(
    folder: str | Path, device: torch.device | str = "cpu"
) -> SentenceEncoder:
    """The encoder of a folder in sentence-transformers' layout, with safetensors.

    Raises ModelError if transformers is not installed, for a folder without safetensors, for an
    incomplete encoder, and for one that is not a BERT or does not take the mean over positions.
    """
    transformers = load_transformers("sentence encoders")
    folder = Path(os.path.expanduser(folder))
    if not (folder / "model.safetensors").is_file():
        raise ModelError(f"{folder} has no model.safetensors: give a folder that has one")
    check_folder(folder)
    _check_pooling(folder)
    kind = read_json(folder / "config.json").get("model_type")
    if kind != "bert":  # checked before anything is built
        raise ModelError(
            f"{folder} is a {kind if isinstance(kind, str) else shown(kind)}, and a sentence "
            "encoder must be a BERT: choose one such as all-MiniLM-L6-v2"
        )
    try:
        with offline():
            tokenizer = load_tokenizer(str(folder), local_only=True)
            # The mean uses the states, not the pooler after them.
            network = load_network(
                transformers.AutoModel, str(folder), True, torch.float32, unused="pooler."
            )
    except UNREADABLE as error:
        raise loading_error(str(folder), "sentence encoder", error) from error
    network = network.to(device).eval().requires_grad_(False)
    return SentenceEncoder(folder.name, SentenceTower(network), tokenizer)


def _check_pooling(folder: Path) -> None:
    """Raises ModelError for a pooling other than the mean."""
    file = folder / "1_Pooling" / "config.json"
    if not file.exists():
        return
    modes = read_json(file)
    wanted = [name for name, on in modes.items() if name.startswith("pooling_mode_") and on is True]
    if wanted not in ([], ["pooling_mode_mean_tokens"]):
        raise ModelError(
            f"{folder} uses {', '.join(wanted)}, and only the mean over tokens is supported: "
            "choose another encoder"
        )
