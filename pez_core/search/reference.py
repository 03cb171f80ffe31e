"""A plain implementation of Algorithm 1 of the paper (arXiv 2302.03668 §3). It takes the same steps
as the authors' released code.

https://github.com/YuxinWenRick/hard-prompts-made-easy (optim_utils.py): all 77 positions, the token
table normalised in every step, one forward that scores all targets, one forward and backward over
the mini-batch, the best prompt kept. It is the oracle of the tests and the baseline of the
benchmarks. But: it is slow on purpose, and nothing else uses it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ..clip.block import ACTIVATIONS
from ..clip.text_tower import TextTower
from ..compute.inference import normal
from ..config import SearchConfig
from ..text.template import CONTEXT


def encode_text(tower: TextTower, embeddings: Tensor, eot: int) -> Tensor:
    """The features of CLIP's text encoder over the whole context, at position `eot`.

    embeddings: (B, 77, D) → (B, E), not normalised.
    """
    _, length, width = embeddings.shape
    mask = embeddings.new_full((length, length), -torch.inf).triu(1)
    x = embeddings + tower.positional_embedding
    for block in tower.blocks:
        h = F.layer_norm(x, (width,), block.ln_1_weight, block.ln_1_bias)
        h, _ = F.multi_head_attention_forward(
            h.transpose(0, 1), h.transpose(0, 1), h.transpose(0, 1), width, tower.heads,
            block.qkv_weight, block.qkv_bias, None, None, False, 0.0,
            block.out_weight, block.out_bias, need_weights=False, attn_mask=mask,
        )  # fmt: skip
        x = x + h.transpose(0, 1)
        h = F.layer_norm(x, (width,), block.ln_2_weight, block.ln_2_bias)
        h = ACTIVATIONS[tower.activation](F.linear(h, block.fc_weight, block.fc_bias))
        x = x + F.linear(h, block.proj_weight, block.proj_bias)
    x = F.layer_norm(x, (width,), tower.ln_final_weight, tower.ln_final_bias)
    return x[:, eot] @ tower.text_projection


class Reference:
    """The search for one prompt of n tokens.

    token_indices: (1, n) the tokens of the last step, as indices into `allowed`.
    best_token_indices: (1, n) those of the best prompt so far.
    """

    @torch.inference_mode(False)
    def __init__(
        self,
        tower: TextTower,
        allowed: Tensor,
        layout: Tensor,
        targets: Tensor,
        config: SearchConfig,
        generator: torch.Generator,
    ) -> None:
        """allowed: (A,) token ids. layout: (L,) ids with -1 where a token is learned.

        targets: (T, E) unit features.
        """
        self.tower, self.targets, self.config = tower, normal(targets), config
        self.generator = generator  # on the CPU, as in the optimised search
        device = tower.device
        self.table = tower.token_embedding[allowed.to(device)]  # (A, D)
        self.eot = len(layout) - 1
        padded = F.pad(layout, (0, CONTEXT - len(layout))).to(device)
        self.learned = padded < 0  # (77,)
        self.dummy_embeds = tower.token_embedding[padded.clamp_min(0)][None]  # (1, 77, D)
        shape = (1, int(self.learned.sum()))
        self.token_indices = torch.randint(len(allowed), shape, generator=generator).to(device)
        self.prompt_embeds = torch.nn.Parameter(self.table[self.token_indices].clone())  # (1, n, D)
        self.optimizer = torch.optim.AdamW(
            [self.prompt_embeds], lr=config.lr, weight_decay=config.weight_decay
        )
        self.batches = self._draw_batches()
        self.best_score, self.best_token_indices = -float("inf"), self.token_indices
        self.steps = 0

    def _draw_batches(self) -> list[Tensor]:
        size = self.config.batch_size
        if size is None or size >= len(self.targets):
            return []
        return [
            torch.randperm(len(self.targets), generator=self.generator)[:size]
            for _ in range(self.config.steps)
        ]

    def _project(self, embeddings: Tensor) -> Tensor:
        """The nearest tokens by cosine: normalise, dot product, top 1. (1, n, D) → (1, n)"""
        table = F.normalize(self.table, dim=-1)
        query = F.normalize(embeddings, dim=-1)
        return (query @ table.T).topk(1, dim=-1).indices.squeeze(-1)

    def _similarities(self, prompt: Tensor, targets: Tensor) -> Tensor:
        """The cosine of the prompt with each target. prompt: (1, n, D) → (T,)"""
        embeds = self.dummy_embeds.clone()
        embeds[:, self.learned] = prompt
        features = F.normalize(encode_text(self.tower, embeds, self.eot), dim=-1)  # (1, E)
        return (features @ targets.T).squeeze(0)

    @torch.inference_mode(False)
    def step(self) -> None:
        """One step of Algorithm 1."""
        self.token_indices = self._project(self.prompt_embeds.detach())
        projected = self.table[self.token_indices].clone().requires_grad_()
        with torch.no_grad():
            score = self._similarities(projected, self.targets).mean().item()
        batch = self.targets[self.batches[self.steps]] if self.batches else self.targets
        loss = 1 - self._similarities(projected, batch).mean()
        (self.prompt_embeds.grad,) = torch.autograd.grad(loss, [projected])
        self.optimizer.step()
        self.steps += 1
        if score > self.best_score:
            self.best_score, self.best_token_indices = score, self.token_indices
