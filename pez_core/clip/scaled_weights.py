"""Weights in float8 with scales, as ComfyUI and others store them.

A weight is its stored values times its scale: one for all, or one for each row. Three namings of
the scale of `X.weight` are known: `X.scale_weight`, with a tensor `scaled_fp8` that marks the file;
`X.weight_scale`, often with `X.comfy_quant`, a JSON text that names the format; and
`X.weight_scale` alone. Scales of inputs (`X.scale_input`, `X.input_scale`) are only for arithmetic
in float8 and are ignored.

But: quantisations with blocks, offsets or packed values are not read. Their values have another
type or shape and are refused where they are used; a tensor that belongs to no known scheme is left
in the file's names, where a reader that knows all of its tensors refuses it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import torch
from torch import Tensor

from ..errors import WeightsError
from ..hub.configuration import parse_json, shown

_FLOAT8 = (torch.float8_e4m3fn, torch.float8_e5m2)
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_FORMATS = ("float8_e4m3fn", "float8_e5m2")
WAY_OUT = "give the model in float16 or float32"  # of a quantisation that is not read


class Scales:
    """The scales in a file. hidden: the names of tensors that are not weights of a model."""

    def __init__(self, names: Collection[str]) -> None:
        self._of: dict[str, list[str]] = {}  # the scales of a weight; more than one is unknown
        self._formats: dict[str, str] = {}  # the tensor that names its format
        self.hidden: set[str] = set()
        for name in names:
            stem, _, last = name.rpartition(".")
            of_input = last in ("scale_input", "input_scale") and f"{stem}.weight" in names
            if of_input or last == "scaled_fp8":
                self.hidden.add(name)
            elif last == "comfy_quant" and f"{stem}.weight" in names:
                self.hidden.add(name)
                self._formats[f"{stem}.weight"] = name
            elif owner := _owner(name, names):
                self.hidden.add(name)
                self._of.setdefault(owner, []).append(name)

    def apply(self, name: str, read: Callable[[str], Tensor], label: str) -> Tensor:
        """A weight with its scale applied. read: reads a tensor. label: names it in messages.

        Raises WeightsError for scales of an unknown kind.
        """
        tensor = read(name)
        if name in self._formats:
            _check_format(read(self._formats[name]), label)
        if tensor.dtype in _FLOAT8:
            tensor = tensor.float()
        if name not in self._of:
            return tensor
        scale, *others = map(read, self._of[name])
        rows = (1,) if scale.numel() == 1 else tensor.shape[:1]
        if (
            others
            or tensor.dtype not in _FLOATS
            or scale.dtype not in _FLOATS
            or scale.shape not in ((), rows, (*rows, 1))
        ):
            raise WeightsError(
                f"{label} is quantised in a way that is not read (its scale is {scale.dtype} of "
                f"the shape {tuple(scale.shape)}): {WAY_OUT}"
            )
        scale = scale.float().reshape(-1, *(1 for _ in tensor.shape[1:]))
        return (tensor.float() * scale).reshape(tensor.shape)


def _owner(name: str, names: Collection[str]) -> str | None:
    """The weight that a tensor scales, by its name. Bare parameters such as open_clip's
    `attn.in_proj_weight` have no module of their own."""
    stem, dot, last = name.rpartition(".")
    candidates = []
    if dot and last == "scale_weight":
        candidates = [f"{stem}.weight", stem, f"{stem}_weight"]
    elif last.endswith("_scale"):
        candidates = [name.removesuffix("_scale"), name.removesuffix("_scale") + ".weight"]
    return next((c for c in candidates if c in names), None)


def _check_format(described: Tensor, label: str) -> None:
    """Raises WeightsError for a format other than plain float8."""
    try:
        if described.dtype != torch.uint8 or described.numel() > 10_000:
            raise ValueError("not a text")
        text = bytes(described.flatten().tolist())
        format_ = parse_json(text, "its description")["format"]
    except (ValueError, TypeError, KeyError) as error:
        raise WeightsError(
            f"{label} is quantised in an unknown way ({error}): {WAY_OUT}"
        ) from error
    if format_ not in _FORMATS:
        raise WeightsError(
            f"{label} is quantised as {shown(format_)}, which is not read: {WAY_OUT}"
        )
