"""Adversarial prompts: wrong words with a too high score, found during training.

In a small CLIP some bags of unrelated words score above any true caption, and a prompt search finds
them. So a short search runs against the model in training: prompts without any word that fits the
picture are improved by a few rounds of gradient-guided swaps (HotFlip). They are additional
negatives. The prompts of a concept are kept and improved further when it occurs again, so the
attack becomes stronger at little cost.
"""

from __future__ import annotations

import torch
from open_clip.model import CLIP
from torch import Tensor

from . import attributes
from .concepts import Concept
from .features import prompt_features
from .scenes import Scene
from .tokens import TokenTable, concept_texts

PROMPT_LEN = 8
SHORTEST = 4
CANDIDATES = 1500
"""Words tried in one round: a random part of all, because its best are nearly as good."""
TOP_SWAPS = 4
RESTART_SHARE = 0.3


class PromptAttack:
    """The search for wrong prompts, with a memory of them for each concept."""

    def __init__(
        self, concepts: list[Concept], table: TokenTable, rounds: int, style_words: list[tuple]
    ) -> None:
        self.table = table
        self.rounds = rounds
        self._style_words = style_words
        self._fitting = torch.zeros(len(concepts), table.size, dtype=torch.bool)
        for row, concept in enumerate(concepts):
            for text in concept_texts(concept):
                self._fitting[row, table.compact(text)] = True
        self._fitting[:, [table.start, table.end, table.unknown]] = True
        self.memory = torch.full((len(concepts), PROMPT_LEN), -1)

    def fitting_words(self, scenes: list[Scene]) -> Tensor:
        """Tokens (B, V) bool that fit each scene and must not occur in its wrong prompt."""
        fitting = self._fitting[torch.tensor([s.concept for s in scenes])].clone()
        for row, scene in enumerate(scenes):
            if scene.partner_concept is not None:
                fitting[row] |= self._fitting[scene.partner_concept]
            words = [scene.colour, scene.background, scene.pattern]
            words += self._style_words[scene.sprite]
            words += attributes.EFFECT_WORDS.get(scene.effect or "", ())
            for word in words:
                if word:
                    fitting[row, self.table.compact(word)] = True
        return fitting

    def _features(self, model: CLIP, embedded: Tensor) -> Tensor:
        """Unit features (B, D) of prompts (B, L, W) between start and end."""
        rows = model.token_embedding.weight
        ends = (self.table.start, self.table.end)
        start, end = (rows[token].expand(len(embedded), 1, -1) for token in ends)
        whole = torch.cat([start, embedded, end], dim=1)
        return prompt_features(model, whole, torch.full((len(whole),), whole.shape[1] - 1))

    def find(
        self, model: CLIP, scenes: list[Scene], targets: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Wrong prompts (B, L) and their similarity (B,) to picture features `targets` (B, D)."""
        fitting = self.fitting_words(scenes)
        owners = torch.tensor([s.concept for s in scenes])
        length = int(torch.randint(SHORTEST, PROMPT_LEN + 1, (), generator=generator))
        current = self._start(fitting, owners, length, generator)
        best, best_similarity = current, torch.full((len(scenes),), -2.0)
        table = model.token_embedding.weight.detach()
        for turn in range(self.rounds):
            embedded = table[current].requires_grad_(True)
            similarity = (self._features(model, embedded) * targets).sum(1)
            (gradient,) = torch.autograd.grad(similarity.sum(), embedded)
            similarity = similarity.detach()
            better = similarity > best_similarity
            best = torch.where(better[:, None], current, best)
            best_similarity = torch.where(better, similarity, best_similarity)
            if turn < self.rounds - 1:
                current = _swap(best, gradient.float(), table, fitting, generator)
        self.memory[owners, :length] = best
        return best, best_similarity

    def _start(
        self, fitting: Tensor, owners: Tensor, length: int, generator: torch.Generator
    ) -> Tensor:
        """Remembered prompts (B, length), with random words where no usable prompt is
        remembered."""
        fresh = torch.multinomial((~fitting).float(), length, generator=generator)
        kept = self.memory[owners, :length]
        usable = (kept >= 0) & ~fitting.gather(1, kept.clamp_min(0))
        usable &= torch.rand(len(owners), 1, generator=generator) >= RESTART_SHARE
        return torch.where(usable, kept, fresh)

    def features(self, model: CLIP, prompts: Tensor) -> Tensor:
        """Unit features (B, D) of prompts (B, L), with gradient."""
        return self._features(model, model.token_embedding(prompts))


def _swap(
    prompts: Tensor, gradient: Tensor, table: Tensor, fitting: Tensor, generator: torch.Generator
) -> Tensor:
    """`prompts` (B, L) with half of their words replaced by words that the gradient favours."""
    tried = torch.randperm(len(table), generator=generator)[:CANDIDATES]
    gain = gradient @ table[tried].t()  # (B, L, candidates)
    gain.masked_fill_(fitting[:, None, tried], float("-inf"))
    top = tried[gain.topk(TOP_SWAPS, dim=-1).indices]
    pick = torch.randint(TOP_SWAPS, (*prompts.shape, 1), generator=generator)
    swapped = top.gather(2, pick)[..., 0]
    return torch.where(torch.rand(prompts.shape, generator=generator) < 0.5, swapped, prompts)
