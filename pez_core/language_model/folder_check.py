"""What a folder of transformers or diffusers may not say, checked before either library reads it.

Both run code and ask the hub where a configuration says so: for adapters, quantised weights,
backbones, attention kernels and custom classes. None of it is needed here. Sizes are compared with
the weights in the folder, because a model is built before its weights are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..clip.scaled_weights import WAY_OUT
from ..clip.weights_file import WeightsFile
from ..errors import ModelError, WeightsError
from ..hub.configuration import every_entry, read_json, read_value, shown

_ADAPTER = "adapter_config.json"
# What transformers and diffusers read as an object. Other tools leave lists beside it.
_OBJECTS = tuple(
    f"{name}config.json"
    for name in ("", "generation_", "preprocessor_", "processor_", "scheduler_", "tokenizer_")
)
_LAYERS = (
    "num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_decoder_layers",
    "encoder_layers", "decoder_layers", "layers_per_block", "num_single_layers", "depth",
)  # fmt: skip
# The sizes of a table of tokens, an MLP, attention and convolutions: each product, and the square
# of a width, is at most the size of a tensor in the file.
_WIDTHS = (
    "embedding_size", "word_embed_proj_dim", "hidden_size", "n_embd", "d_model", "width",
    "block_out_channels",
)  # fmt: skip
_FACTORS = (
    "vocab_size", "intermediate_size", "ffn_dim", "d_ff", "n_inner", "n_positions", "mlp_width",
)  # fmt: skip
_MOST_TIMESTEPS = 1_000_000  # of a scheduler's tables; models are trained on 1000


def check_folder(folder: Path) -> None:
    """Raises ModelError, which names the file and the entry, for a model's folder whose
    configurations are malformed, ask for code, other models or quantised weights, or describe
    another size than that of its weights."""
    if (folder / _ADAPTER).exists():
        raise ModelError(
            f"{folder} is an adapter, which changes another model ({_ADAPTER}): merge it into its "
            "model and save that"
        )
    for path, name, value in configured(folder):
        _check_entry(path, name, value)
    weights = sorted(folder.glob("*.safetensors"))
    if weights and (folder / "config.json").is_file():
        _check_sizes(folder / "config.json", [_opened(path) for path in weights])


def configured(folder: Path) -> Iterator[tuple[Path, str, Any]]:
    """The entries of all configurations in a folder, at any depth: file, name and value. Raises
    ModelError for a file that is not JSON, or not an object where the libraries read one."""
    for path in sorted(folder.glob("*config.json")):
        read = read_json if path.name in _OBJECTS else read_value
        for name, value in every_entry(read(path)):
            yield path, name, value


@contextmanager
def offline() -> Iterator[None]:
    """A context in which the hub's client does not use the network. Everything that a folder needs
    lies in it."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _check_entry(path: Path, name: str, value: Any) -> None:
    if name == "quantization_config" and value:
        raise ModelError(
            f"{path}: {name} is {shown(value)}: quantised weights are not read, {WAY_OUT}"
        )
    if name == "num_train_timesteps" and type(value) is int and value > _MOST_TIMESTEPS:
        raise ModelError(f"{path}: {name} is {shown(value)}, but must be at most {_MOST_TIMESTEPS}")
    code = "attn_implementation" in name and any(sign in str(value) for sign in "/:|")
    if code or (name == "use_pretrained_backbone" and value):
        raise ModelError(
            f"{path}: {name} is {shown(value)}: it loads something that is not in the folder; "
            "remove the entry"
        )


def _opened(path: Path) -> WeightsFile:
    try:
        return WeightsFile(path)
    except WeightsError as error:
        raise ModelError(f"a safetensors file is damaged ({error}): download it again") from error


def _check_sizes(path: Path, files: list[WeightsFile]) -> None:
    """Compares numbers of layers with that of the tensors, and matrices with all values of the
    files. Tied and shared weights make both bounds loose."""
    tensors = sum(map(len, files))
    values = sum(file.total for file in files)
    config = read_json(path)
    nested = [value for _, value in every_entry(config) if isinstance(value, dict)]
    for entries in (config, *nested):
        numbers = {k: n for k, v in entries.items() if (n := _largest(v)) is not None}
        for name in _LAYERS:
            if numbers.get(name, 0) > tensors:
                raise ModelError(
                    f"{path}: {name} is {shown(numbers[name])}, but the weights are {tensors} "
                    "tensors: give the configuration of these weights"
                )
        width_name = next((name for name in _WIDTHS if name in numbers), None)
        if width_name is None:
            continue
        width = numbers[width_name]
        for name in (*_FACTORS, width_name):
            if width * numbers.get(name, 0) > values:
                raise ModelError(
                    f"{path}: {name} is {shown(numbers[name])} and the width {shown(width)}, but "
                    f"the weights are {values:,} numbers: give the configuration of these weights"
                )


def _largest(value: Any) -> int | None:
    """A whole number, or the largest of a list of them."""
    numbers: list[int] = [
        n for n in (value if isinstance(value, list) else [value]) if type(n) is int
    ]
    return max(numbers, default=None)
