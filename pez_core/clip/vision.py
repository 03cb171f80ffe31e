"""CLIP's two image towers (arXiv 2103.00020 §2.4) with open_clip's tensor names, and its
preprocessing.

Preprocessing equals open_clip's bit for bit, and the towers equal open_clip's up to rounding,
without the 4 to 7 s of importing it.
But: only plain towers. `plain` and `plain_preprocessing` return None for all others, which
open_clip then builds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from .block import ACTIVATIONS

_SIZES = ("image_size", "patch_size", "width", "layers", "head_width", "mlp_ratio")
# Settings of open_clip's vision_cfg that have no effect with these values, or if absent.
_NEUTRAL: dict[str, Any] = {
    "ls_init_value": None, "attentional_pool": False, "no_ln_pre": False, "pool_type": "tok",
    "pos_embed_type": "learnable", "final_ln_after_pool": False, "output_tokens": False,
    "act_kwargs": None, "norm_kwargs": None, "timm_model_name": None, "block_type": None,
    "qk_norm": False, "scaled_cosine_attn": False, "scale_heads": False,
    "scale_attn_inner": False, "scale_attn": False, "scale_fc": False,
}  # fmt: skip
_IGNORED = ("patch_dropout", "timm_model_pretrained")  # these act only in training
_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


def plain(vision: dict[str, Any], embed_dim: int, activation: str) -> nn.Module | None:
    """The tower of an open_clip vision_cfg, without gradients; None if it is not a plain one.

    Its forward: (N, 3, S, S) → (N, embed_dim), not normalised.
    """
    odd = [k for k in vision if k not in (*_SIZES, *_NEUTRAL, *_IGNORED)]
    odd += [k for k, value in _NEUTRAL.items() if vision.get(k, value) != value]
    size, layers = vision.get("image_size"), vision.get("layers")
    if odd or not isinstance(size, int) or "width" not in vision or layers is None:
        return None
    width, head_width = vision["width"], vision.get("head_width", 64)
    if isinstance(layers, list | tuple):
        return ResNet(tuple(layers), width, width * 32 // head_width, size, embed_dim)
    # The ratio may be a quotient of whole numbers, whose product falls just short of one.
    patch, mlp = vision.get("patch_size"), int(width * vision.get("mlp_ratio", 4.0) + 1e-6)
    if not isinstance(patch, int):
        return None
    return Transformer(layers, width, width // head_width, mlp, size, patch, embed_dim, activation)


class Transformer(nn.Module):
    """A vision transformer, read at its class token."""

    def __init__(
        self, layers: int, width: int, heads: int, mlp: int,
        size: int, patch: int, embed_dim: int, activation: str,
    ) -> None:  # fmt: skip
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, patch, stride=patch, bias=False)
        self.class_embedding = nn.Parameter(torch.zeros(width))
        self.positional_embedding = nn.Parameter(torch.zeros((size // patch) ** 2 + 1, width))
        self.ln_pre = nn.LayerNorm(width)
        blocks = [_Block(width, heads, mlp, activation) for _ in range(layers)]
        self.transformer = nn.ModuleDict({"resblocks": nn.ModuleList(blocks)})
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(torch.zeros(width, embed_dim))

    @property
    def blocks(self) -> list[nn.Module]:
        return list(self.transformer["resblocks"].children())

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x).flatten(2).transpose(1, 2)  # (N, P, D)
        first = self.class_embedding.expand(len(x), 1, -1)
        x = self.ln_pre(torch.cat([first, x], dim=1) + self.positional_embedding)
        for block in self.blocks:
            x = block(x)
        pooled: Tensor = self.ln_post(x[:, 0]) @ self.proj
        return pooled


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, mlp: int, activation: str) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, mlp), "c_proj": nn.Linear(mlp, width)})
        self._activation = ACTIVATIONS[activation]

    def forward(self, x: Tensor) -> Tensor:
        h = self.ln_1(x)
        x = x + self.attn(h, h, h, need_weights=False)[0]
        h = self._activation(self.mlp["c_fc"](self.ln_2(x)))
        result: Tensor = x + self.mlp["c_proj"](h)
        return result


class ResNet(nn.Module):
    """OpenAI's residual network: three convolutions first, anti-aliased strides, attention pooling
    last."""

    def __init__(
        self, layers: tuple[int, ...], width: int, heads: int, size: int, embed_dim: int
    ) -> None:
        super().__init__()
        for i, (before, after) in enumerate(
            [(3, width // 2), (width // 2, width // 2), (width // 2, width)], start=1
        ):
            stride = 2 if i == 1 else 1
            self.add_module(f"conv{i}", nn.Conv2d(before, after, 3, stride, 1, bias=False))
            self.add_module(f"bn{i}", nn.BatchNorm2d(after))
        inside = width
        for i, count in enumerate(layers):
            planes, stage = width << i, []
            for number in range(count):
                stage.append(_Bottleneck(inside, planes, 2 if i and not number else 1))
                inside = planes * _Bottleneck.expansion
            self.add_module(f"layer{i + 1}", nn.Sequential(*stage))
        self.stages = len(layers)
        self.attnpool = _AttentionPool(size // 32, inside, heads, embed_dim)

    def forward(self, x: Tensor) -> Tensor:
        for i in (1, 2, 3):
            x = F.relu(self.get_submodule(f"bn{i}")(self.get_submodule(f"conv{i}")(x)))
        x = F.avg_pool2d(x, 2)
        for i in range(self.stages):
            x = self.get_submodule(f"layer{i + 1}")(x)
        pooled: Tensor = self.attnpool(x)
        return pooled


class _Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, before: int, planes: int, stride: int) -> None:
        super().__init__()
        after = planes * self.expansion
        self.conv1, self.bn1 = nn.Conv2d(before, planes, 1, bias=False), nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3, self.bn3 = nn.Conv2d(planes, after, 1, bias=False), nn.BatchNorm2d(after)
        self.stride = stride
        self.downsample = None
        if stride > 1 or before != after:
            parts = {"0": nn.Conv2d(before, after, 1, bias=False), "1": nn.BatchNorm2d(after)}
            self.downsample = nn.ModuleDict(parts)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.bn1(self.conv1(x)))
        h = self.bn3(self.conv3(self._pooled(F.relu(self.bn2(self.conv2(h))))))
        if self.downsample is not None:
            x = self.downsample["1"](self.downsample["0"](self._pooled(x)))
        return F.relu(h + x)

    def _pooled(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, self.stride) if self.stride > 1 else x


class _AttentionPool(nn.Module):
    """Attention pooling: the mean of all positions attends to them and to itself."""

    def __init__(self, side: int, width: int, heads: int, embed_dim: int) -> None:
        super().__init__()
        self.positional_embedding = nn.Parameter(torch.zeros(side**2 + 1, width))
        self.q_proj, self.k_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.v_proj, self.c_proj = nn.Linear(width, width), nn.Linear(width, embed_dim)
        self.heads = heads

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(2).transpose(1, 2)  # (N, P, D)
        x = torch.cat([x.mean(dim=1, keepdim=True), x], dim=1) + self.positional_embedding
        count, _, width = x.shape

        def split(h: Tensor) -> Tensor:
            return h.view(count, -1, self.heads, width // self.heads).transpose(1, 2)

        q, k, v = self.q_proj(x[:, :1]), self.k_proj(x), self.v_proj(x)
        h = F.scaled_dot_product_attention(split(q), split(k), split(v))  # (N, H, 1, D/H)
        pooled: Tensor = self.c_proj(h.reshape(count, width))
        return pooled


def plain_preprocessing(
    size: Any, mean: tuple[float, ...], std: tuple[float, ...], settings: dict[str, Any]
) -> Callable[[Image.Image], Tensor] | None:
    """open_clip's evaluation transform, a picture → (3, size, size) float32: it scales the short
    side to `size`, crops the middle and normalises. None for other resize modes and for sizes that
    are not a number.
    """
    chosen = _FILTERS.get(settings.get("interpolation") or "bicubic")
    shortest = (settings.get("resize_mode") or "shortest") == "shortest"
    if not isinstance(size, int) or chosen is None or not shortest:
        return None
    means, stds = torch.tensor(mean).view(3, 1, 1), torch.tensor(std).view(3, 1, 1)

    def prepare(picture: Image.Image) -> Tensor:
        width, height = picture.size
        short = min(width, height)
        if short != size:
            wide, high = int(size * width / short), int(size * height / short)
            picture = picture.resize((wide, high), chosen)
        left, top = round((picture.width - size) / 2), round((picture.height - size) / 2)
        picture = picture.crop((left, top, left + size, top + size)).convert("RGB")
        values = torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()
        return values.float().div(255).sub_(means).div_(stds)

    return prepare
