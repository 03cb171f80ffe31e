"""The text tower of a state dict in the naming of open_clip, Hugging Face or ComfyUI.

open_clip: `token_embedding.weight`, `transformer.resblocks.0.attn.in_proj_weight`, …, and
`text_projection`, stored (width, embedding).
Hugging Face and ComfyUI: `text_model.embeddings.token_embedding.weight`,
`text_model.encoder.layers.0.self_attn.q_proj.weight`, …, and `text_projection.weight`, stored
(embedding, width).

The names may have a prefix (`text.`, `clip_l.transformer.`, `cond_stage_model.model.`, …).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..compute.inference import normal
from ..compute.precision import HALVES
from ..errors import WeightsError
from .architecture import Architecture
from .block import Block
from .text_tower import TextTower

_OPEN_CLIP_TABLE = "token_embedding.weight"
_HF_TABLE = "text_model.embeddings.token_embedding.weight"


@dataclass(frozen=True)
class _Reader:
    """A reader of one text tower in a state dict. It takes tensors by name and checks them."""

    state: Mapping[str, Tensor]
    source: str  # for messages
    prefix: str
    hugging_face: bool
    as_stored: bool = False  # keep matrices in half precision

    def take(self, name: str, *shape: int, advice: str = "", wide: bool = False) -> Tensor:
        """A copy of a tensor that autograd can use, in float32 unless it is a matrix kept as
        stored.

        wide: always in float32.
        Raises WeightsError when the tensor is missing, has another shape, or is not finite.
        """
        key = self.prefix + name
        if key not in self.state:
            advice = advice or "the file is incomplete, give a complete CLIP file"
            raise WeightsError(f"{self.source} has no {key}: {advice}")
        tensor = self.state[key]
        if tuple(tensor.shape) != shape:
            raise WeightsError(
                f"{self.source}: {key} has the shape {tuple(tensor.shape)}, but the configuration "
                f"says {shape}: give the configuration of this file"
            )
        keep = self.as_stored and not wide and len(shape) == 2 and tensor.dtype in HALVES
        tensor = tensor.detach().to(tensor.dtype if keep else torch.float32, copy=True)
        tensor = normal(tensor)
        if not bool(torch.isfinite(tensor).all()):
            raise WeightsError(
                f"{self.source}: {key} holds values that are not finite numbers: the file is "
                "damaged, download or copy it again"
            )
        return tensor


@torch.inference_mode(False)
def load_text_tower(
    state: Mapping[str, Tensor],
    arch: Architecture,
    *,
    source: str,
    tower: str | None = None,
    as_stored: bool = False,
) -> TextTower:
    """The text tower of a state dict, in float32, made of copies that autograd can use.

    state: a WeightsFile or any mapping of names to tensors. tower: a part of the prefix of the
    wanted tower, if there are several (an SDXL checkpoint holds two). as_stored: keep matrices
    stored in half precision, in half the memory; the tower still computes in float32 and returns
    the same features.
    Raises WeightsError, which names `source`, the key, and what to do.
    """
    reader = replace(_locate(state, source, tower), as_stored=as_stored)
    table, positions, final, block = _OPEN_CLIP_TABLE, "positional_embedding", "ln_final", _block
    if reader.hugging_face:
        table, positions = _HF_TABLE, "text_model.embeddings.position_embedding.weight"
        final, block = "text_model.final_layer_norm", _hugging_face_block
    return TextTower(
        token_embedding=reader.take(table, arch.vocab_size, arch.width, wide=True),
        positional_embedding=reader.take(positions, arch.context_length, arch.width, wide=True),
        blocks=tuple(block(reader.take, i, arch) for i in range(arch.layers)),
        ln_final_weight=reader.take(f"{final}.weight", arch.width),
        ln_final_bias=reader.take(f"{final}.bias", arch.width),
        text_projection=_projection(reader, arch),
        heads=arch.heads,
        activation=arch.activation,
        arithmetic=torch.float32 if as_stored else None,
    )


@torch.inference_mode(False)
def load_projection(
    state: Mapping[str, Tensor], arch: Architecture, *, source: str, tower: str | None = None
) -> tuple[Tensor, Tensor]:
    """Only the token table (V, D) and the projection (D, E) of a text tower. Raises as
    `load_text_tower` does."""
    reader = _locate(state, source, tower)
    table = _HF_TABLE if reader.hugging_face else _OPEN_CLIP_TABLE
    return reader.take(table, arch.vocab_size, arch.width), _projection(reader, arch)


def text_towers(names: Collection[str]) -> dict[str, bool]:
    """The CLIP text towers in a state dict: the prefix of each, and whether it has Hugging Face's
    naming."""
    found = {}
    for key in names:
        hf = key.endswith(_HF_TABLE)
        prefix = key.removesuffix(_HF_TABLE if hf else _OPEN_CLIP_TABLE)
        if hf or (prefix != key and f"{prefix}transformer.resblocks.0.ln_1.weight" in names):
            found[prefix] = hf
    return found


def _locate(state: Mapping[str, Tensor], source: str, tower: str | None) -> _Reader:
    towers = text_towers(state)
    found = [_Reader(state, source, prefix, hf) for prefix, hf in towers.items()]
    if not found:
        raise WeightsError(
            f"{source} holds no CLIP text encoder: it has neither {_OPEN_CLIP_TABLE} nor "
            f"{_HF_TABLE}; give a CLIP file with the naming of open_clip, Hugging Face or ComfyUI"
        )
    chosen = found if tower is None else [f for f in found if tower in f.prefix]
    chosen = [f for f in chosen if f.prefix == tower] or chosen
    if len(chosen) != 1:
        names = ", ".join(f.prefix.rstrip(".") or "(no prefix)" for f in found)
        raise WeightsError(
            f"{source} holds the text encoders {names}: name one of them"
            + (f", {tower!r} matches {len(chosen)}" if tower else "")
        )
    return chosen[0]


def _projection(reader: _Reader, arch: Architecture) -> Tensor:
    if f"{reader.prefix}text_projection.weight" in reader.state:  # a Linear: (E, D)
        weight = reader.take("text_projection.weight", arch.embed_dim, arch.width)
        return weight.T.contiguous()
    advice = (
        "it was saved without the projection into CLIP's common space, as CLIP-L is in SD 1.5 and "
        "SDXL checkpoints; give the CLIP model's own file, which has it"
    )
    return reader.take("text_projection", arch.width, arch.embed_dim, advice=advice)


def _block(take: Callable[..., Tensor], index: int, arch: Architecture) -> Block:
    at, d, m = f"transformer.resblocks.{index}.", arch.width, arch.mlp_width
    return Block(
        ln_1_weight=take(f"{at}ln_1.weight", d),
        ln_1_bias=take(f"{at}ln_1.bias", d),
        qkv_weight=take(f"{at}attn.in_proj_weight", 3 * d, d),
        qkv_bias=take(f"{at}attn.in_proj_bias", 3 * d),
        out_weight=take(f"{at}attn.out_proj.weight", d, d),
        out_bias=take(f"{at}attn.out_proj.bias", d),
        ln_2_weight=take(f"{at}ln_2.weight", d),
        ln_2_bias=take(f"{at}ln_2.bias", d),
        fc_weight=take(f"{at}mlp.c_fc.weight", m, d),
        fc_bias=take(f"{at}mlp.c_fc.bias", m),
        proj_weight=take(f"{at}mlp.c_proj.weight", d, m),
        proj_bias=take(f"{at}mlp.c_proj.bias", d),
    )


def _hugging_face_block(take: Callable[..., Tensor], index: int, arch: Architecture) -> Block:
    at, d, m = f"text_model.encoder.layers.{index}.", arch.width, arch.mlp_width
    qkv = [f"{at}self_attn.{name}_proj" for name in "qkv"]
    return Block(
        ln_1_weight=take(f"{at}layer_norm1.weight", d),
        ln_1_bias=take(f"{at}layer_norm1.bias", d),
        qkv_weight=torch.cat([take(f"{name}.weight", d, d) for name in qkv]),
        qkv_bias=torch.cat([take(f"{name}.bias", d) for name in qkv]),
        out_weight=take(f"{at}self_attn.out_proj.weight", d, d),
        out_bias=take(f"{at}self_attn.out_proj.bias", d),
        ln_2_weight=take(f"{at}layer_norm2.weight", d),
        ln_2_bias=take(f"{at}layer_norm2.bias", d),
        fc_weight=take(f"{at}mlp.fc1.weight", m, d),
        fc_bias=take(f"{at}mlp.fc1.bias", m),
        proj_weight=take(f"{at}mlp.fc2.weight", d, m),
        proj_bias=take(f"{at}mlp.fc2.bias", d),
    )
