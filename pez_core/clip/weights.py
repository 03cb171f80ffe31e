"""The text tower of a state dict in the naming of open_clip, Hugging Face or ComfyUI.

open_clip: `token_embedding.weight`, `transformer.resblocks.0.attn.in_proj_weight`, …, and
`text_projection`, stored (width, embedding).
Hugging Face and ComfyUI: `text_model.embeddings.token_embedding.weight`,
`text_model.encoder.layers.0.self_attn.q_proj.weight`, …, and `text_projection.weight`, stored
(embedding, width). Some files leave out `text_model.`.

The names may have a prefix (`text.`, `clip_l.transformer.`, `cond_stage_model.model.`, …).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ..compute.inference import normal
from ..compute.precision import HALVES
from ..errors import WeightsError, printable
from .architecture import TOKENS, Architecture
from .block import Block
from .scaled_weights import WAY_OUT
from .text_tower import TextTower
from .weights_file import WeightsFile

log = logging.getLogger(__name__)
_FLOATS = (torch.float64, torch.float32, *HALVES, torch.float8_e4m3fn, torch.float8_e5m2)


@dataclass(frozen=True)
class Naming:
    """The names of a text tower's tensors. table, positions, blocks, norm: of the token table, the
    positional embeddings, the blocks, and the last norm."""

    table: str
    positions: str
    blocks: str
    norm: str
    fc: str  # the first layer of a block's MLP
    first: str  # a tensor of the first block

    @property
    def parts(self) -> tuple[str, ...]:
        """What the name of every tensor of the tower begins with."""
        own = (self.table.removesuffix("weight"), self.positions, self.blocks, f"{self.norm}.")
        return (*own, "text_projection.", "text_projection_")


def _hugging_face(start: str) -> Naming:
    return Naming(
        f"{start}embeddings.token_embedding.weight",
        f"{start}embeddings.position_embedding.weight",
        f"{start}encoder.layers.", f"{start}final_layer_norm", "mlp.fc1", "layer_norm1.weight",
    )  # fmt: skip


OPEN_CLIP = Naming(
    "token_embedding.weight", "positional_embedding", "transformer.resblocks.", "ln_final",
    "mlp.c_fc", "ln_1.weight",
)  # fmt: skip
HUGGING_FACE = _hugging_face("text_model.")
FLAT = _hugging_face("")  # as text encoders are saved on their own
NAMINGS = (HUGGING_FACE, FLAT, OPEN_CLIP)  # the longest table first: it ends like the others
_UNUSED = ("position_ids",)  # of old transformers: 0, 1, 2, …


@dataclass(frozen=True)
class _Reader:
    """A reader of one text tower in a state dict. It takes tensors by name and checks them."""

    state: Mapping[str, Tensor]
    source: str  # for messages
    prefix: str
    naming: Naming
    as_stored: bool = False  # keep matrices in half precision
    taken: set[str] = field(default_factory=set)

    def take(self, name: str, *shape: int, advice: str = "", wide: bool = False) -> Tensor:
        """A copy of a tensor that autograd can use, in float32 unless it is a matrix kept as
        stored.

        wide: always in float32.
        Raises WeightsError when the tensor is missing, has another shape, or is not finite.
        """
        key = self.prefix + name
        if key not in self.state:
            advice = advice or "the file is incomplete, give a complete CLIP file"
            raise WeightsError(f"{self.source} has no {printable(key)}: {advice}")
        self.taken.add(key)
        shown = printable(key)
        found = shape_of(self.state, key)
        if found != shape:
            raise WeightsError(
                f"{self.source}: {shown} has the shape {found}, but the configuration "
                f"says {shape}: give the configuration of this file"
            )
        tensor = self.state[key]
        if tensor.dtype not in _FLOATS:
            raise WeightsError(
                f"{self.source}: {shown} holds values of {tensor.dtype}, which are not weights or "
                f"are quantised: {WAY_OUT}"
            )
        keep = self.as_stored and not wide and len(shape) == 2 and tensor.dtype in HALVES
        tensor = tensor.detach().to(tensor.dtype if keep else torch.float32, copy=True)
        tensor = normal(tensor)
        if not bool(torch.isfinite(tensor).all()):
            raise WeightsError(
                f"{self.source}: {shown} holds values that are not finite numbers: the file is "
                "damaged, download or copy it again"
            )
        return tensor

    def require_layers(self, layers: int) -> None:
        """Raises WeightsError unless the file has so many blocks."""
        found = count_layers(self.state, self.prefix + self.naming.blocks)
        if found != layers:
            raise WeightsError(
                f"{self.source} has {found} blocks in its text encoder, but the configuration says "
                f"{layers}: give the configuration of this file"
            )

    def require_no_more(self) -> None:
        """Raises WeightsError for tensors of the tower that have not been taken: they would change
        what it computes."""
        parts = tuple(self.prefix + part for part in self.naming.parts)
        more = [
            key for key in self.state
            if key.startswith(parts) and key not in self.taken and not key.endswith(_UNUSED)
        ]  # fmt: skip
        if more:
            raise WeightsError(
                f"{self.source} has {printable(more[0])} ({len(more)} tensors in its text encoder "
                "are not those of the configuration): it is another architecture or quantised in a "
                f"way that is not read; give the configuration of this file, or {WAY_OUT}"
            )


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
    naming = reader.naming
    block = _block if naming is OPEN_CLIP else _hugging_face_block
    reader.require_layers(arch.layers)
    positions = reader.take(naming.positions, arch.context_length, arch.width, wide=True)
    loaded = TextTower(
        token_embedding=_table(reader, arch),
        positional_embedding=positions,
        blocks=tuple(block(reader.take, naming.blocks, i, arch) for i in range(arch.layers)),
        ln_final_weight=reader.take(f"{naming.norm}.weight", arch.width),
        ln_final_bias=reader.take(f"{naming.norm}.bias", arch.width),
        text_projection=_projection(reader, arch),
        heads=arch.heads,
        activation=arch.activation,
        arithmetic=torch.float32 if as_stored else None,
    )
    reader.require_no_more()
    return loaded


@torch.inference_mode(False)
def load_projection(
    state: Mapping[str, Tensor], arch: Architecture, *, source: str, tower: str | None = None
) -> tuple[Tensor, Tensor]:
    """Only the token table (V, D) and the projection (D, E) of a text tower. Raises as
    `load_text_tower` does."""
    reader = _locate(state, source, tower)
    return _table(reader, arch), _projection(reader, arch)


def text_towers(names: Collection[str]) -> dict[str, Naming]:
    """The CLIP text towers in a state dict: the prefix of each, and its naming."""
    found = {}
    for key in names:
        naming = next((n for n in NAMINGS if key.endswith(n.table)), None)
        if naming is None:
            continue
        prefix = key.removesuffix(naming.table)
        if naming is HUGGING_FACE or f"{prefix}{naming.blocks}0.{naming.first}" in names:
            found[prefix] = naming
    return found


def count_layers(names: Collection[str], start: str) -> int:
    """One more than the greatest number that follows `start` in the names."""
    number = re.compile(re.escape(start) + r"(\d{1,9})\.")
    return 1 + max((int(m[1]) for m in map(number.match, names) if m), default=-1)


def shape_of(state: Mapping[str, Tensor], key: str) -> tuple[int, ...]:
    """The shape of a tensor; that of a file's tensor without reading it."""
    return state.shape(key) if isinstance(state, WeightsFile) else tuple(state[key].shape)


def _locate(state: Mapping[str, Tensor], source: str, tower: str | None) -> _Reader:
    found = [_Reader(state, source, prefix, n) for prefix, n in text_towers(state).items()]
    if not found:
        raise WeightsError(
            f"{source} holds no CLIP text encoder: it has neither {OPEN_CLIP.table} nor "
            f"{HUGGING_FACE.table}; give a CLIP file with the naming of open_clip, Hugging Face or "
            "ComfyUI"
        )
    chosen = found if tower is None else [f for f in found if tower in f.prefix]
    chosen = [f for f in chosen if f.prefix == tower] or chosen
    if len(chosen) != 1:
        names = ", ".join(printable(f.prefix.rstrip(".")) or "(no prefix)" for f in found)
        raise WeightsError(
            f"{source} holds the text encoders {names}: name one of them"
            + (f", {tower!r} matches {len(chosen)}" if tower else "")
        )
    return chosen[0]


def _table(reader: _Reader, arch: Architecture) -> Tensor:
    """The token table (V, D), in float32."""
    table = reader.take(reader.naming.table, arch.vocab_size, arch.width, wide=True)
    if len(table) <= TOKENS:
        return table
    # Training with words of its own appends their rows. No text is read as one of them.
    log.warning("%s has %d rows in its token table; those after CLIP's %d tokens are not used",
                reader.source, len(table), TOKENS)  # fmt: skip
    return table[:TOKENS].clone()


def _projection(reader: _Reader, arch: Architecture) -> Tensor:
    if f"{reader.prefix}text_projection.weight" in reader.state:  # a Linear: (E, D)
        weight = reader.take("text_projection.weight", arch.embed_dim, arch.width)
        return weight.T.contiguous()
    advice = (
        "it was saved without the projection into CLIP's common space, as CLIP-L is in SD 1.5 and "
        "SDXL checkpoints; give the CLIP model's own file, which has it"
    )
    return reader.take("text_projection", arch.width, arch.embed_dim, advice=advice)


def _block(take: Callable[..., Tensor], blocks: str, index: int, arch: Architecture) -> Block:
    at, d, m = f"{blocks}{index}.", arch.width, arch.mlp_width
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


def _hugging_face_block(
    take: Callable[..., Tensor], blocks: str, index: int, arch: Architecture
) -> Block:
    at, d, m = f"{blocks}{index}.", arch.width, arch.mlp_width
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
