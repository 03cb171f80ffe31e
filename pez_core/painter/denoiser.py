"""The denoiser of the embedded painter: a small transformer over patches of pixels.

It stands where Stable Diffusion XL has its UNet, and is called like it. A UNet of diffusers has
most of its work in small convolutions, which are several times slower on a CPU than the matrix
products of a transformer (training/README.md has the figures).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.embeddings import TimestepEmbedding
from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput
from torch import Tensor, nn
from torch.nn import functional as F

TIME_FEATURES = 256
CANVAS_HIDDEN = 1024
WORDS = 32
"""How many states of a text are attended to. Later ones count in the text's feature alone."""
SHARPNESS = 2.0
"""Factor of the attention's logits. Normalised queries and keys alone would attend too evenly."""


class PatchDenoiser(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Predicts the clean picture from a noisy one, the time and a text.

    Each token is a patch; it sees and paints half a patch beyond its borders on every side, because
    pictures of disjoint patches look like mosaics. The text comes twice, as in Stable Diffusion XL.
    Its words join the keys and values of every attention. Its feature, the one that CLIP compares
    with pictures, scales and shifts every block together with the time (adaptive layer norm, as in
    DiT, arXiv 2212.09748), and sketches the picture: a canvas added to the tokens.

    sample_size: side of a picture in pixels, a multiple of patch_size. cross_attention_dim: width
    of the words' states. text_width: that of the text's feature. condition_width: that of what
    modulates the blocks. That it predicts the picture instead of the noise, in large patches,
    follows arXiv 2511.13720.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        sample_size: int = 48,
        patch_size: int = 8,
        in_channels: int = 3,
        width: int = 256,
        depth: int = 4,
        heads: int = 4,
        mlp_width: int = 768,
        condition_width: int = 128,
        canvas_width: int = 48,
        cross_attention_dim: int = 128,
        text_width: int = 192,
        addition_time_embed_dim: int = 0,
        time_cond_proj_dim: int | None = None,
    ) -> None:
        """The last two are asked for by diffusers' pipeline: there are no conditions on sizes and
        no guidance embedding."""
        super().__init__()
        tokens = (sample_size // patch_size) ** 2
        self.window = {
            "kernel_size": 2 * patch_size, "stride": patch_size, "padding": patch_size // 2,
        }  # fmt: skip
        values = in_channels * (2 * patch_size) ** 2
        self.see = nn.Linear(values, width)
        self.places = nn.Parameter(torch.randn(1, tokens, width) * 0.02)
        self.canvas = Canvas(text_width, tokens, canvas_width, width)
        self.time_embedding = TimestepEmbedding(TIME_FEATURES, width)
        # Stable Diffusion XL's pipeline reads the width of its `linear_1`.
        self.add_embedding = TimestepEmbedding(text_width, width)
        self.condition = nn.Sequential(nn.SiLU(), nn.Linear(width, condition_width), nn.SiLU())
        self.words = nn.LayerNorm(cross_attention_dim)
        self.blocks = nn.ModuleList(
            Block(width, heads, mlp_width, cross_attention_dim, condition_width)
            for _ in range(depth)
        )
        self.last_norm = nn.LayerNorm(width, elementwise_affine=False)
        self.last_modulation = nn.Linear(condition_width, 2 * width)
        self.paint = nn.Linear(width, values)
        nn.init.zeros_(self.paint.weight)

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor | float | int,
        encoder_hidden_states: Tensor,
        added_cond_kwargs: Mapping[str, Tensor],
        return_dict: bool = True,
        **_: Any,
    ) -> UNet2DConditionOutput | tuple[Tensor]:
        """The clean picture (B, 3, S, S), from a noisy one of that shape, the time (a number, or
        (B,)), the states of the words (B, L, D), and `text_embeds` (B, T) of added_cond_kwargs.
        Other arguments of a UNet have no effect."""
        times = torch.as_tensor(timestep, device=sample.device).expand(len(sample))
        words = self.words(encoder_hidden_states[:, :WORDS])
        text = F.normalize(added_cond_kwargs["text_embeds"], dim=-1)
        text = text * text.shape[-1] ** 0.5  # so that its values are about 1
        time = self.time_embedding(time_features(times).to(sample.dtype))
        condition = self.condition(time + self.add_embedding(text))
        x = self.see(F.unfold(sample, **self.window).transpose(1, 2))
        x = x + self.places + self.canvas(text)
        for block in self.blocks:
            x = block(x, words, condition)
        shift, scale = self.last_modulation(condition)[:, None].chunk(2, -1)
        x = self.last_norm(x) * (1 + scale) + shift
        painted = F.fold(self.paint(x).transpose(1, 2), sample.shape[-2:], **self.window)
        return UNet2DConditionOutput(painted) if return_dict else (painted,)


class Canvas(nn.Module):
    """What a text's feature (B, T) alone says about each place: (B, tokens, width)."""

    def __init__(self, text_width: int, tokens: int, canvas_width: int, width: int) -> None:
        super().__init__()
        self.tokens = tokens
        self.hidden = nn.Linear(text_width, CANVAS_HIDDEN)
        self.sketch = nn.Linear(CANVAS_HIDDEN, tokens * canvas_width)
        self.out = nn.Linear(canvas_width, width)

    def forward(self, text: Tensor) -> Tensor:
        sketch: Tensor = self.sketch(F.silu(self.hidden(text)))
        result: Tensor = self.out(sketch.view(len(text), self.tokens, -1))
        return result


class Block(nn.Module):
    """Attention of the patches to patches and words, then an MLP with a squared ReLU (arXiv
    2109.08668), which is cheaper than a GELU on a CPU."""

    def __init__(
        self, width: int, heads: int, mlp_width: int, word_width: int, condition_width: int
    ) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1 = nn.LayerNorm(width, elementwise_affine=False)
        self.norm_2 = nn.LayerNorm(width, elementwise_affine=False)
        self.qkv = nn.Linear(width, 3 * width)
        self.word_kv = nn.Linear(word_width, 2 * width)
        self.out = nn.Linear(width, width)
        self.mlp_in = nn.Linear(width, mlp_width)
        self.mlp_out = nn.Linear(mlp_width, width)
        self.modulation = nn.Linear(condition_width, 6 * width)
        # Every block starts as the identity.
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x: Tensor, words: Tensor, condition: Tensor) -> Tensor:
        modulation: Tensor = self.modulation(condition)[:, None]
        shift_1, scale_1, gate_1, shift_2, scale_2, gate_2 = modulation.chunk(6, -1)
        x = x + gate_1 * self._attend(self.norm_1(x) * (1 + scale_1) + shift_1, words)
        hidden: Tensor = self.mlp_in(self.norm_2(x) * (1 + scale_2) + shift_2)
        changed: Tensor = gate_2 * self.mlp_out(F.relu(hidden).square())
        return x + changed

    def _attend(self, x: Tensor, words: Tensor) -> Tensor:
        query, *own = (split(t, self.heads) for t in self.qkv(x).chunk(3, -1))
        given = (split(t, self.heads) for t in self.word_kv(words).chunk(2, -1))
        key, value = (torch.cat(pair, 2) for pair in zip(own, given, strict=True))
        # Normalised as in arXiv 2302.05442: learns faster, and at higher rates.
        query, key = (F.rms_norm(t, t.shape[-1:]) for t in (query, key))
        result: Tensor = self.out(attention(SHARPNESS * query, key, value))
        return result


def split(x: Tensor, heads: int) -> Tensor:
    """(B, L, C) → (B, heads, L, C / heads)."""
    return x.view(*x.shape[:2], heads, -1).transpose(1, 2)


def attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """(B, heads, Q, C), (B, heads, K, C) twice → (B, Q, heads * C). Written out: on a CPU the
    backward pass of PyTorch's fused attention is slow in bfloat16."""
    scores = (query * float(query.shape[-1]) ** -0.5) @ key.transpose(-1, -2)
    mixed: Tensor = scores.softmax(-1).to(value.dtype) @ value
    return mixed.transpose(1, 2).flatten(2)


def time_features(times: Tensor) -> Tensor:
    """Sines and cosines (B, TIME_FEATURES) of times (B,), as in the Transformer, in float32."""
    half = TIME_FEATURES // 2
    rates = torch.exp(-math.log(10_000) * torch.arange(half, device=times.device) / half)
    angles: Tensor = times.float()[:, None] * rates
    return torch.cat([angles.cos(), angles.sin()], -1)
