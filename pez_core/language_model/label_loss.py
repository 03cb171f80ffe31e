"""A language model's objective: the loss of labelled examples behind a prompt (arXiv 2302.03668
§4.3), for a batch of prompts.

A class's score is the logit of its verbaliser word behind the input, and the loss the cross-entropy
over the classes. With λ = `fluency` it is (1 - λ)·task + λ·(mean negative log likelihood of the
prompt's own tokens).

Inputs of several lengths are padded behind their end, where a causal model never looks. Passes take
a bounded number of positions; the gradient is summed over them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ..config import SearchConfig
from ..errors import TargetError
from ..search.objective import Evaluation
from ..search.projection import TokenTable
from .examples import Example, Question
from .model import LanguageModel

# Positions of one pass, prompts times examples times length: this bounds the memory.
ON_GPU, ON_CPU = 2**16, 2**13


class LabelLoss:
    """The objective of one data set; its scores are losses with the sign changed."""

    @torch.inference_mode(False)
    def __init__(
        self,
        model: LanguageModel,
        examples: Sequence[Example],
        question: Question,
        table: TokenTable,
        *,
        tokens: int,
        fluency: float = 0.0,
    ) -> None:
        """tokens: how many are learned. fluency: λ, see above.

        Raises TargetError for an example that does not fit the model's context, and as `Question`
        does.
        """
        self.count, self._model, self._table, self._share = tokens, model, table, fluency
        device = model.device
        self._labels = question.labels_of(examples).to(device)  # (X,)
        self._answers = question.answers(model).to(device)  # (C,)
        rests = [model.continuation(f" {e.text}{question.after}") for e in examples]
        self._lengths = torch.tensor([len(rest) for rest in rests], device=device)
        longest = max(map(len, rests))
        _check_length(model, examples, rests, tokens)
        padded = [rest + rest[-1:] * (longest - len(rest)) for rest in rests]
        self._rests = torch.tensor(padded, device=device)  # (X, L)
        self._prefix = model.embed(torch.tensor(model.prefix, dtype=torch.long))  # (p, D)
        length = len(model.prefix) + tokens + longest
        self._at_once = max(1, (ON_CPU if device.type == "cpu" else ON_GPU) // length)
        self._batches: Tensor | None = None

    def draw_batches(self, config: SearchConfig, generators: Sequence[torch.Generator]) -> None:
        size, total = config.batch_size, len(self._labels)
        if size is not None and size < total:
            (generator,) = generators
            draws = [torch.randperm(total, generator=generator)[:size] for _ in range(config.steps)]
            self._batches = torch.stack(draws).to(self._model.device)  # (steps, B)

    def evaluate(self, embeddings: Tensor, step: Tensor) -> Evaluation:
        leaf = embeddings.detach().requires_grad_()
        gradient = torch.zeros_like(leaf)
        losses = leaf.new_zeros(len(leaf))
        for part in self._parts(leaf, self._batch(step)):
            # The prompts do not touch each other, so the gradient of the sum is that of each.
            gradient += torch.autograd.grad(part.sum(), leaf)[0]
            losses += part.detach()
        return Evaluation(-losses, -losses, gradient)

    @torch.no_grad()
    def scores(self, trials: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        chosen = self._batch(step)
        prompts = trials.flatten(0, 1).split(self._at_once)
        losses = torch.cat([sum(self._parts(some, chosen), some.new_zeros(())) for some in prompts])
        scores = -losses.view(trials.shape[:2])
        return scores, scores

    def _batch(self, step: Tensor) -> Tensor:
        """The examples of a step, (B,)."""
        if self._batches is None:
            return torch.arange(len(self._labels), device=self._labels.device)
        return self._batches[step][0]

    def _parts(self, prompts: Tensor, chosen: Tensor) -> Iterator[Tensor]:
        """Losses that add up to those of the prompts, (N,) each, so that each can be
        differentiated by itself. prompts: (N, n, D); chosen: (B,)"""
        for some in chosen.split(max(1, self._at_once // len(prompts))):
            yield self.task(prompts, some).sum(dim=1) * ((1 - self._share) / len(chosen))
        if self._share:
            yield self.unlikeliness(prompts) * self._share

    def task(self, prompts: Tensor, chosen: Tensor) -> Tensor:
        """The cross-entropy of examples behind prompts. (N, n, D), (B,) → (N, B)"""
        count, lengths = len(prompts), self._lengths[chosen]
        rests = self._model.embed(self._rests[chosen, : int(lengths.max())])  # (B, L, D)
        embeddings = self._sequences(
            prompts.to(rests.dtype).repeat_interleave(len(chosen), dim=0), rests.repeat(count, 1, 1)
        )
        start = len(self._prefix) + self.count - 1
        ends, place = (start + lengths).unique(return_inverse=True)
        logits = self._model.logits(embeddings, ends)  # (N·B, P, V)
        rows = torch.arange(len(embeddings), device=logits.device)
        said = logits[rows, place.repeat(count)][:, self._answers].to(prompts.dtype)  # (N·B, C)
        losses = F.cross_entropy(said, self._labels[chosen].repeat(count), reduction="none")
        return losses.view(count, len(chosen))

    def unlikeliness(self, prompts: Tensor) -> Tensor:
        """The mean negative log likelihood of the prompts' tokens, those nearest to their
        embeddings, in nats. (N, n, D) → (N,). The first counts only behind a start token."""
        ids = self._table.ids[self._table.nearest(prompts.detach())]  # (N, n)
        first = 0 if len(self._prefix) else 1
        if self.count == first:
            return prompts.new_zeros(len(prompts))
        embeddings = self._sequences(prompts.to(self._prefix.dtype))
        before = torch.arange(first, self.count, device=ids.device) + len(self._prefix) - 1
        logits = self._model.logits(embeddings, before).to(prompts.dtype)  # (N, n - first, V)
        losses = F.cross_entropy(logits.transpose(1, 2), ids[:, first:], reduction="none")
        return losses.mean(dim=1)

    def _sequences(self, *parts: Tensor) -> Tensor:
        """The prefix and what stands behind it, (M, T, D)."""
        return torch.cat([self._prefix.expand(len(parts[0]), -1, -1), *parts], dim=1)


def _check_length(
    model: LanguageModel, examples: Sequence[Example], rests: Sequence[list[int]], tokens: int
) -> None:
    for example, rest in zip(examples, rests, strict=True):
        length = len(model.prefix) + tokens + len(rest)
        if not rest or (model.context is not None and length > model.context):
            raise TargetError(
                f"with {tokens} tokens in front the example {example.text[:30]!r} has {length} "
                f"tokens of the {model.context} that {model.name} reads: shorten it, or give it "
                "some text"
            )
