"""The objective for a language model: the loss on labelled examples that follow a prompt (arXiv
2302.03668 §4.3), for a batch of prompts.

The score of a class is the logit of its verbaliser word after the input. The task loss is the
cross-entropy over the classes. With λ = `fluency` the loss is (1 - λ)·task + λ·(mean negative log
likelihood of the prompt's own tokens).

Shorter inputs are padded after their end, which a causal model does not attend to. The number of
positions of one pass is bounded; the gradient is the sum over the passes.
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

# Positions of one pass: prompts times examples times length. This bounds the memory.
ON_GPU, ON_CPU = 2**16, 2**13


class LabelLoss:
    """The objective for one data set. A score is the negative loss."""

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

        Raises TargetError for an example that does not fit the model's context, and what
        `Question` raises.
        """
        self.count, self._model, self._table, self._share = tokens, model, table, fluency
        device = model.device
        self._labels = question.labels_of(examples).to(device)  # (X,)
        self._answers = question.answers(model).to(device)  # (C,)
        inputs = [model.continuation(f" {e.text}{question.after}") for e in examples]
        self._lengths = torch.tensor([len(ids) for ids in inputs], device=device)
        longest = max(map(len, inputs))
        _check_length(model, examples, inputs, tokens)
        padded = [ids + ids[-1:] * (longest - len(ids)) for ids in inputs]
        self._inputs = torch.tensor(padded, device=device)  # (X, L)
        self._prefix = model.embed(torch.tensor(model.prefix, dtype=torch.long))  # (p, D)
        length = len(model.prefix) + tokens + longest
        positions = ON_CPU if device.type == "cpu" else ON_GPU
        self._pass_size = max(1, positions // length)  # sequences of one pass
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
            # The prompts are independent, so the gradient of the sum holds the gradient of each.
            gradient += torch.autograd.grad(part.sum(), leaf)[0]
            losses += part.detach()
        return Evaluation(-losses, -losses, gradient)

    @torch.no_grad()
    def scores(self, trials: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        chosen = self._batch(step)
        prompts = trials.flatten(0, 1).split(self._pass_size)
        losses = torch.cat([sum(self._parts(some, chosen), some.new_zeros(())) for some in prompts])
        scores = -losses.view(trials.shape[:2])
        return scores, scores

    def _batch(self, step: Tensor) -> Tensor:
        """The examples of a step, (B,)."""
        if self._batches is None:
            return torch.arange(len(self._labels), device=self._labels.device)
        return self._batches[step][0]

    def _parts(self, prompts: Tensor, chosen: Tensor) -> Iterator[Tensor]:
        """Parts of the prompts' losses, (N,) each; their sum is the loss. Each part is
        differentiated by itself. prompts: (N, n, D); chosen: (B,)"""
        for some in chosen.split(max(1, self._pass_size // len(prompts))):
            yield self.task(prompts, some).sum(dim=1) * ((1 - self._share) / len(chosen))
        if self._share:
            yield self.unlikeliness(prompts) * self._share

    def task(self, prompts: Tensor, chosen: Tensor) -> Tensor:
        """The cross-entropy of each example after each prompt. (N, n, D), (B,) → (N, B)"""
        count, lengths = len(prompts), self._lengths[chosen]
        inputs = self._model.embed(self._inputs[chosen, : int(lengths.max())])  # (B, L, D)
        embeddings = self._sequences(
            prompts.to(inputs.dtype).repeat_interleave(len(chosen), dim=0),
            inputs.repeat(count, 1, 1),
        )
        start = len(self._prefix) + self.count - 1
        ends, place = (start + lengths).unique(return_inverse=True)
        logits = self._model.logits(embeddings, ends)  # (N·B, P, V)
        rows = torch.arange(len(embeddings), device=logits.device)
        scores = logits[rows, place.repeat(count)][:, self._answers].to(prompts.dtype)  # (N·B, C)
        losses = F.cross_entropy(scores, self._labels[chosen].repeat(count), reduction="none")
        return losses.view(count, len(chosen))

    def unlikeliness(self, prompts: Tensor) -> Tensor:
        """The mean negative log likelihood of the tokens nearest to the prompts' embeddings, in
        nats. (N, n, D) → (N,). The first token counts only if the model reads a start token before
        it."""
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
        """The model's prefix followed by the parts, (M, T, D)."""
        return torch.cat([self._prefix.expand(len(parts[0]), -1, -1), *parts], dim=1)


def _check_length(
    model: LanguageModel, examples: Sequence[Example], inputs: Sequence[list[int]], tokens: int
) -> None:
    for example, ids in zip(examples, inputs, strict=True):
        length = len(model.prefix) + tokens + len(ids)
        if not ids or (model.context is not None and length > model.context):
            raise TargetError(
                f"with {tokens} learned tokens before it, the example {example.text[:30]!r} has "
                f"{length} tokens, and {model.name} reads at most {model.context}: shorten it, or "
                "give it some text if it is empty"
            )
