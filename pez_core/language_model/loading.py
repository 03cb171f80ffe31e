"""Loading of complete models and tokenizers through transformers.

transformers fills missing weights with random numbers and continues. Results of random weights look
like any others, so the report of each load is checked here, and an incomplete model is an error.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from ..errors import ModelError, first_line
from ..hub.bars import without_bars

EXTRA = "pip install 'transformers>=4.56'"
NAMED = 3  # weights that a message names
# What transformers raises for files that it cannot read, or that need another package.
UNREADABLE = (
    OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, ImportError,
    ArithmeticError, RuntimeError, AssertionError, SafetensorError,
)  # fmt: skip


def load_transformers(what: str) -> Any:
    """The module transformers. what: what needs it, for the message. Raises ModelError if it is not
    installed."""
    try:
        import transformers
    except ImportError as error:
        raise ModelError(f"{what} need transformers: {EXTRA}") from error
    return transformers


def load_tokenizer(where: str, local_only: bool) -> Any:
    """The tokenizer of a folder or a name. local_only: do not ask the hub. Raises ModelError if
    there is none, and what transformers raises."""
    transformers = load_transformers("tokenizers")
    tokenizer = None
    # If the files are missing, transformers 4 raises TypeError, and 5 makes an empty tokenizer.
    with suppress(TypeError):
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            where, local_files_only=local_only, trust_remote_code=False
        )
    if tokenizer is None or len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        raise ModelError(
            f"{where} has no tokenizer: put the model's tokenizer files into it, such as "
            "tokenizer.json"
        )
    return tokenizer


def load_network(
    kind: Any, where: str, local_only: bool, dtype: torch.dtype, unused: str | None = None
) -> Any:
    """The model of a folder or a name. All its weights are in its files and are finite numbers.

    kind: the class of transformers that loads it. local_only: do not ask the hub. unused: weights
    whose names begin with it may be missing.
    Raises ModelError for weights that are missing, do not have the sizes of the configuration, or
    are not finite numbers; and what transformers and safetensors raise.
    """
    with without_bars(load_transformers("models")):
        network, report = kind.from_pretrained(
            where, local_files_only=local_only, use_safetensors=True, dtype=dtype,
            output_loading_info=True, ignore_mismatched_sizes=True, trust_remote_code=False,
        )  # fmt: skip
    # A key is a name, or a name with its two sizes.
    other = [key if isinstance(key, str) else key[0] for key in report["mismatched_keys"]]
    missing = [*_untied(network, set(report["missing_keys"])), *other]
    missing = [key for key in missing if unused is None or not key.startswith(unused)]
    if missing:
        raise ModelError(
            f"{len(missing)} weights of a {type(network).__name__} are missing from {where}, or do "
            f"not have the sizes of its config.json, such as {', '.join(sorted(missing)[:NAMED])}: "
            "choose a complete model of this kind, or download it again"
        )
    for name, weight in network.named_parameters():
        if not bool(weight.detach().sum(dtype=torch.float32).isfinite()):
            raise ModelError(
                f"{where} has weights that are not finite numbers, such as {name}: download it "
                "again, or load it in float32"
            )
    return network


def loading_error(
    where: str, kind: str, error: Exception, unreachable: str | None = None
) -> ModelError:
    """The error to raise for an error of transformers. kind: of model, for the message.
    unreachable: why the hub was not asked."""
    reason = first_line(error).rstrip(". ")
    if isinstance(error, SafetensorError):
        return ModelError(f"{where}: a safetensors file is damaged ({reason}): download it again")
    if Path(where).is_dir() or not isinstance(error, OSError):
        return ModelError(
            f"{where} cannot be read as a {kind}: {reason}; give a folder that save_pretrained "
            "has written, and install the packages that it needs"
        )
    return ModelError(
        f"the {kind} {where} is not available from the Hugging Face hub: {unreachable or reason}; "
        f"give a folder, or download it while there is a network: hf download {where}"
    )


def _untied(network: Any, missing: set[str]) -> list[str]:
    """The missing parameters that do not share their memory with a loaded one. A head that is tied
    to the embedding does. Buffers are computed, not learned."""
    weights = dict(network.named_parameters(remove_duplicate=False))
    loaded = {weight.data_ptr() for name, weight in weights.items() if name not in missing}
    return [n for n in missing if n in weights and weights[n].data_ptr() not in loaded]
