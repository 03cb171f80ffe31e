"""A frozen language model with its tokenizer, through transformers.

Weights are read from safetensors only, and no code of a model's repository is run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..errors import ModelError
from ..hub.download import hub_answers
from .loading import UNREADABLE, load_network, load_tokenizer, load_transformers, refused


@dataclass(frozen=True)
class LanguageModel:
    """A causal language model, in evaluation mode, for which no gradient is ever made. learns:
    whether a search can run on it."""

    learns: ClassVar[bool] = True
    name: str
    network: Any = field(repr=False)
    tokenizer: Any = field(repr=False)

    @property
    def device(self) -> torch.device:
        device: torch.device = self.network.device
        return device

    @property
    def context(self) -> int | None:
        """How many tokens it reads at most; None where its configuration names no number."""
        number = getattr(self.network.config, "max_position_embeddings", None)
        return None if number is None else int(number)

    @cached_property
    def prefix(self) -> tuple[int, ...]:
        """The ids that its tokenizer puts before any text, such as a start token; often none."""
        return tuple(self.encode(""))

    def encode(self, text: str) -> list[int]:
        """The ids of a whole text, as the tokenizer gives them to the model."""
        ids: list[int] = self.tokenizer(text)["input_ids"]
        return ids

    def continuation(self, text: str) -> list[int]:
        """The ids of a text that goes on behind a word, as " good" does behind "a"."""
        return self.encode("a" + text)[len(self.encode("a")) :]

    def embed(self, ids: Tensor) -> Tensor:
        """What the blocks read for ids of any shape, (..., D)."""
        with torch.no_grad():
            rows: Tensor = self.network.get_input_embeddings()(ids.to(self.device))
        return rows

    def said(self, sequences: Sequence[list[int]], answers: Tensor) -> Tensor:
        """The logits of some tokens behind each text. answers: (C,) → (B, C)"""
        longest = max(map(len, sequences))
        ids = torch.tensor([s + s[-1:] * (longest - len(s)) for s in sequences], device=self.device)
        ends = torch.tensor([len(s) - 1 for s in sequences], device=self.device)
        kept, place = ends.unique(return_inverse=True)
        logits = self.network(input_ids=ids, logits_to_keep=kept, use_cache=False).logits
        rows = torch.arange(len(ids), device=self.device)
        found: Tensor = logits[rows, place][:, answers.to(self.device)]
        return found

    def logits(self, embeddings: Tensor, positions: Tensor) -> Tensor:
        """The logits at some positions. embeddings: (B, T, D); positions: (P,) → (B, P, V).
        Differentiable with respect to `embeddings`."""
        logits: Tensor = self.network(
            inputs_embeds=embeddings, logits_to_keep=positions, use_cache=False
        ).logits
        return logits


class EncoderDecoder(LanguageModel):
    """A model that reads with an encoder and answers with a decoder, such as T5, to which texts are
    carried: the first token that its decoder says is the answer, the way of T5 adapted to language
    modelling (arXiv 2104.08691). T5 as it was first trained fills marked gaps, and is asked
    for none here. But: no search runs on it.
    """

    learns = False

    def continuation(self, text: str) -> list[int]:
        """Without what the tokenizer puts behind a text."""
        first, whole = (
            self.tokenizer(t, add_special_tokens=False)["input_ids"] for t in ("a", "a" + text)
        )
        return list(whole[len(first) :])

    def said(self, sequences: Sequence[list[int]], answers: Tensor) -> Tensor:
        longest = max(map(len, sequences))
        ids = torch.tensor([s + s[-1:] * (longest - len(s)) for s in sequences])
        mask = torch.tensor([[1] * len(s) + [0] * (longest - len(s)) for s in sequences])
        start = torch.full((len(sequences), 1), self.network.config.decoder_start_token_id)
        logits = self.network(
            input_ids=ids.to(self.device),
            attention_mask=mask.to(self.device),
            decoder_input_ids=start.to(self.device),
            use_cache=False,
        ).logits
        found: Tensor = logits[:, 0][:, answers.to(self.device)]
        return found


@torch.inference_mode(False)
def load_language_model(
    name: str, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> LanguageModel:
    """The model of a folder with safetensors, a configuration and a tokenizer, or that of a name on
    the Hugging Face hub, which is downloaded once. Of an encoder with a decoder, such as T5, it is
    an `EncoderDecoder`.

    Raises ModelError where transformers is missing, for a folder that is not there or holds no
    safetensors, for what is no language model, and for one that is not whole: without a tokenizer,
    with weights that are missing or no numbers.
    """
    transformers = load_transformers("language models")
    local = Path(name).expanduser().is_dir()
    if local and not any(Path(name).expanduser().glob("*.safetensors")):
        raise ModelError(
            f"{name} holds no safetensors file, and pickles are not read: save the model again "
            "with save_pretrained"
        )
    if not local and (name.count("/") > 1 or name.startswith((".", "/", "~")) or "\\" in name):
        raise ModelError(f"{name}: no such folder; give one, or a model's name on the hub")
    where = str(Path(name).expanduser()) if local else name
    try:
        here = local or not hub_answers()  # without a network, what was downloaded before
        config = transformers.AutoConfig.from_pretrained(where, local_files_only=here)
        two = bool(getattr(config, "is_encoder_decoder", False))
        kind = transformers.AutoModelForSeq2SeqLM if two else transformers.AutoModelForCausalLM
        tokenizer = load_tokenizer(where, here)
        network = load_network(kind, where, here, dtype)
    except UNREADABLE as error:
        raise refused(where, "language model", error) from error
    network = network.to(device).eval().requires_grad_(False)
    return (EncoderDecoder if two else LanguageModel)(name, network, tokenizer)
