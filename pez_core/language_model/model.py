"""A frozen causal language model with its tokenizer, through transformers.

Weights are read from safetensors only, and no code of a model's repository is run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import ModelError

EXTRA = "pip install 'pez-prompts[lm]'"


@dataclass(frozen=True)
class LanguageModel:
    """A causal language model, in evaluation mode, for which no gradient is ever made."""

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

    def logits(self, embeddings: Tensor, positions: Tensor) -> Tensor:
        """The logits at some positions. embeddings: (B, T, D); positions: (P,) → (B, P, V).
        Differentiable with respect to `embeddings`."""
        logits: Tensor = self.network(
            inputs_embeds=embeddings, logits_to_keep=positions, use_cache=False
        ).logits
        return logits


@torch.inference_mode(False)
def load_language_model(
    name: str, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> LanguageModel:
    """The model of a folder with safetensors, a configuration and a tokenizer, or that of a name on
    the Hugging Face hub, which is downloaded once.

    Raises ModelError where transformers is missing, for a folder that is not there or holds no
    safetensors, and for what is no causal language model.
    """
    try:
        import transformers
    except ImportError as error:
        raise ModelError(f"language models need transformers: {EXTRA}") from error
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
        tokenizer = transformers.AutoTokenizer.from_pretrained(where, local_files_only=local)
        network: Any = transformers.AutoModelForCausalLM.from_pretrained(
            where, local_files_only=local, use_safetensors=True, dtype=dtype
        )
    except (OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(
            f"{name} is no causal language model that can be read here: {reason}"
        ) from error
    return LanguageModel(name, network.to(device).eval().requires_grad_(False), tokenizer)
