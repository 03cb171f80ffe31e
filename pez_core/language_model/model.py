"""A frozen language model with its tokenizer, loaded through transformers.

Weights are read only from safetensors. Code in a model's repository is not run.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..errors import ModelError
from ..hub.download import why_unreachable
from .folder_check import check_folder, offline
from .loading import UNREADABLE, load_network, load_tokenizer, load_transformers, loading_error


@dataclass(frozen=True)
class LanguageModel:
    """A causal language model in evaluation mode. Its weights get no gradients. learns: whether a
    search can run on it."""

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
        """The most tokens that it reads; None if its configuration has no limit."""
        number = getattr(self.network.config, "max_position_embeddings", None)
        return None if number is None else int(number)

    @cached_property
    def prefix(self) -> tuple[int, ...]:
        """The ids that its tokenizer puts before every text, such as a start token. Often none."""
        return tuple(self.encode(""))

    def encode(self, text: str) -> list[int]:
        """The ids of a whole text, with the special tokens that the tokenizer adds."""
        ids: list[int] = self.tokenizer(text)["input_ids"]
        return ids

    def continuation(self, text: str) -> list[int]:
        """The ids of a text that follows a word, as " good" follows "a"."""
        return self.encode("a" + text)[len(self.encode("a")) :]

    def embed(self, ids: Tensor) -> Tensor:
        """The input embeddings of ids of any shape, (..., D)."""
        with torch.no_grad():
            embeddings: Tensor = self.network.get_input_embeddings()(ids.to(self.device))
        return embeddings

    def answer_logits(self, sequences: Sequence[list[int]], answers: Tensor) -> Tensor:
        """The logits of the answers' tokens after each text. answers: (C,) → (B, C)"""
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
    """A model with an encoder and a decoder, such as T5, to which texts are transferred.

    The encoder reads the text, and the first token of the decoder is the answer. This is how T5
    answers after its adaptation to language modelling (arXiv 2104.08691). The original T5 fills
    marked gaps; texts here have none. But: no search runs on it.
    """

    learns = False

    def continuation(self, text: str) -> list[int]:
        """The ids of a text that follows a word, without the special tokens after it."""
        first, whole = (
            self.tokenizer(t, add_special_tokens=False)["input_ids"] for t in ("a", "a" + text)
        )
        return list(whole[len(first) :])

    def answer_logits(self, sequences: Sequence[list[int]], answers: Tensor) -> Tensor:
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
    """The model of a folder or of a name on the Hugging Face hub; an `EncoderDecoder` for a model
    such as T5.

    name: a folder with safetensors, a configuration and a tokenizer, or a name, whose files are
    downloaded once.
    Raises ModelError if transformers is not installed, for a folder that does not exist or has no
    safetensors, for a model that is not a language model, and for an incomplete model: without a
    tokenizer, or with weights that are missing or not finite.
    """
    transformers = load_transformers("language models")
    local = os.path.isdir(os.path.expanduser(name))
    if local and not any(Path(os.path.expanduser(name)).glob("*.safetensors")):
        raise ModelError(
            f"{name} has no safetensors file, and pickle files are not read: save the model again "
            "with save_pretrained"
        )
    if not local and (name.count("/") > 1 or name.startswith((".", "/", "~")) or "\\" in name):
        raise ModelError(f"{name}: no such folder: give one, or the name of a model on the hub")
    where = os.path.expanduser(name) if local else name
    if local:
        check_folder(Path(where))
    unreachable = None if local else why_unreachable(name, "config.json")
    local_only = local or unreachable is not None  # earlier downloads are used
    try:
        with offline() if local else nullcontext():
            config = transformers.AutoConfig.from_pretrained(
                where, local_files_only=local_only, trust_remote_code=False
            )
            has_encoder = bool(getattr(config, "is_encoder_decoder", False))
            causal, both = transformers.AutoModelForCausalLM, transformers.AutoModelForSeq2SeqLM
            tokenizer = load_tokenizer(where, local_only)
            network = load_network(both if has_encoder else causal, where, local_only, dtype)
    except UNREADABLE as error:
        raise loading_error(where, "language model", error, unreachable) from error
    network = network.to(device).eval().requires_grad_(False)
    return (EncoderDecoder if has_encoder else LanguageModel)(name, network, tokenizer)
