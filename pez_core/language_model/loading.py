"""A model of transformers and its tokenizer, whole or refused.

transformers fills what a file lacks with random numbers and goes on, so what it says of its loading
is read here: figures of random weights would look like any others.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from ..errors import ModelError, first_line
from ..hub.bars import without_bars

EXTRA = "pip install 'pez-prompts[lm]'"
FEW = 3  # weights that a message names
# What transformers raises for files that it cannot make sense of, or that need a package of theirs.
UNREADABLE = (
    OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, ImportError,
    ArithmeticError, SafetensorError,
)  # fmt: skip


def load_transformers(what: str) -> Any:
    """The module transformers. what: needs it, for the message. Raises ModelError where it is
    missing."""
    try:
        import transformers
    except ImportError as error:
        raise ModelError(f"{what} need transformers: {EXTRA}") from error
    return transformers


def load_tokenizer(where: str, here: bool) -> Any:
    """The tokenizer of a folder or a name. here: look on this machine alone. Raises ModelError
    where there is none, and what transformers raises."""
    transformers = load_transformers("tokenizers")
    tokenizer = None
    # Without its files transformers 4 raises TypeError, and 5 makes an empty one.
    with suppress(TypeError):
        tokenizer = transformers.AutoTokenizer.from_pretrained(where, local_files_only=here)
    if tokenizer is None or len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        raise ModelError(
            f"{where} has no tokenizer: put the files of the model's own beside it, such as "
            "tokenizer.json"
        )
    return tokenizer


def load_network(
    kind: Any, where: str, here: bool, dtype: torch.dtype, unused: str | None = None
) -> Any:
    """The model of a folder or a name, all of whose weights are in its files and are numbers.

    kind: the class of transformers to load it by. here: look on this machine alone. unused: how the
    names of weights begin that may be missing.
    Raises ModelError for weights that are missing, of other sizes than the configuration says, or
    no numbers; and what transformers and safetensors raise.
    """
    with without_bars(load_transformers("models")):
        network, told = kind.from_pretrained(
            where, local_files_only=here, use_safetensors=True, dtype=dtype,
            output_loading_info=True, ignore_mismatched_sizes=True,
        )  # fmt: skip
    # With the two sizes behind a name, or without.
    other = [key if isinstance(key, str) else key[0] for key in told["mismatched_keys"]]
    missing = [*_untied(network, set(told["missing_keys"])), *other]
    missing = [key for key in missing if unused is None or not key.startswith(unused)]
    if missing:
        raise ModelError(
            f"{where} lacks weights of a {type(network).__name__}, or has them in other sizes than "
            f"its config.json says, {len(missing)} in all, such as "
            f"{', '.join(sorted(missing)[:FEW])}: take a whole model of this kind, or download it "
            "again"
        )
    for name, weight in network.named_parameters():
        if not bool(weight.detach().sum(dtype=torch.float32).isfinite()):
            raise ModelError(
                f"{where} holds weights that are no finite numbers, such as {name}: download it "
                "again, or load it in float32"
            )
    return network


def refused(where: str, kind: str, error: Exception) -> ModelError:
    """The error to raise for one of transformers. kind: what it was to be."""
    reason = first_line(error).rstrip(". ")
    if isinstance(error, SafetensorError):
        return ModelError(f"{where}: a safetensors file is damaged ({reason}): download it again")
    if Path(where).is_dir() or not isinstance(error, OSError):
        return ModelError(
            f"{where} is no {kind} that can be read here: {reason}; give a folder that "
            "save_pretrained has written, with what else it needs installed"
        )
    return ModelError(
        f"the {kind} {where} cannot be had from the Hugging Face hub: {reason}; give a folder, or "
        f"download it first where there is a network: hf download {where}"
    )


def _untied(network: Any, missing: set[str]) -> list[str]:
    """Those of the missing parameters that do not stand for one that is there, as a head that is
    the embedding once more does. Buffers are computed, not learned."""
    weights = dict(network.named_parameters(remove_duplicate=False))
    there = {weight.data_ptr() for name, weight in weights.items() if name not in missing}
    return [n for n in missing if n in weights and weights[n].data_ptr() not in there]
