"""From the embedding of a sentence back to words: a hard prompt with nearly the same embedding.

The search is CLIP's with another tower: an optimiser's steps, then single-token swaps.
"""

from __future__ import annotations

import heapq
import time
from typing import Any

import torch
from torch import Tensor

from ..config import DEFAULT, SearchConfig
from ..errors import ConfigError
from ..prompt import Candidate, LearnedPrompt
from ..search.objective import Cosine
from ..search.optimizers import OPTIMIZERS
from ..search.projection import token_table
from ..search.refine import Refine
from ..search.run import Callback, StepInfo
from ..targets import Targets, make_targets, mean_target, weighted_similarity
from .sentence_encoder import SentenceEncoder
from .tokens import handed_out, learnable


def invert_sentence(
    encoder: SentenceEncoder,
    target: Tensor,
    *,
    tokens: int = 8,
    config: SearchConfig = DEFAULT,
    vocabulary: str = "words",
    seed: int = 0,
    callback: Callback | None = None,
) -> LearnedPrompt:
    """The words whose embedding is nearest to a target's, distinct candidates, best first.

    target: (E,), of any length. Every similarity is that of the text handed out. vocabulary: see
    `tokens.learnable`. callback: called after every step; returning False stops with the best so
    far. Raises ConfigError for a number out of range and for settings that only CLIP's search
    knows, TargetError for a target that is no usable embedding, SearchError when no text can be
    handed out.
    """
    if not 1 <= tokens <= encoder.longest:
        raise ConfigError(f"tokens must be between 1 and {encoder.longest}, got {tokens}")
    if config.fluency or config.patience is not None:
        raise ConfigError("fluency and patience are of CLIP's search only: leave them out")
    targets = make_targets(target[None])
    return _Inversion(encoder, targets, tokens, config, vocabulary, seed, callback).run()


class _Inversion:
    """One search: the texts it has found, with their similarities."""

    @torch.inference_mode(False)
    def __init__(
        self, encoder: SentenceEncoder, targets: Targets, tokens: int, config: SearchConfig,
        vocabulary: str, seed: int, callback: Callback | None,
    ) -> None:  # fmt: skip
        self._encoder, self._config, self._seed = encoder, config, seed
        self._callback, self._stopped = callback, ""  # and why it has ended
        self._targets = targets.to(encoder.tower.device)
        tokenizer = encoder.tokenizer
        self._table = token_table(encoder.tower.token_embedding, learnable(tokenizer, vocabulary))
        slots = [-1] * tokens
        self._layout = torch.tensor([tokenizer.cls_token_id, *slots, tokenizer.sep_token_id])
        self._generator = torch.Generator().manual_seed(seed)
        self._found: dict[str, float] = {}
        self._history: list[tuple[int, float, float]] = []
        self._step, self._start = 0, time.perf_counter()
        self._settings: dict[str, Any] = {"tokens": tokens, "vocabulary": vocabulary}

    @torch.inference_mode(False)
    def run(self) -> LearnedPrompt:
        for _ in range(self._config.rounds):
            if not self._stopped:
                self._round()
        candidates = self._ranked(self._config.candidates)
        return LearnedPrompt(
            candidates, tuple(self._history), self._step, time.perf_counter() - self._start,
            self._stopped or "steps", self._seed, self._encoder.name,
            {**self._settings, **self._config.to_json()},
        )  # fmt: skip

    def _ranked(self, most: int) -> tuple[Candidate, ...]:
        ranked = heapq.nlargest(most, self._found, key=self._found.__getitem__)
        return tuple(
            Candidate(text, tuple(self._encoder.encode(text)), self._found[text]) for text in ranked
        )

    def _report(self, phase: str) -> None:
        """Counts a step, tells the callback, and ends the search when it has to end."""
        self._step += 1
        config, seconds = self._config, time.perf_counter() - self._start
        if self._callback is not None:
            a_round = config.steps + config.refine * (len(self._layout) - 2)
            total = max(self._step, config.rounds * a_round)
            best = next(iter(self._ranked(1)), None)
            if self._callback(StepInfo(self._step, total, seconds, phase, best)) is False:
                self._stopped = "user"
        if config.seconds is not None and not self._stopped and seconds >= config.seconds:
            self._stopped = "seconds"

    def _round(self) -> None:
        """The optimiser's steps, and the refinement of its best prompts."""
        config = self._config
        objective = Cosine(self._encoder.tower, self._layout, [self._targets])
        optimizer = OPTIMIZERS[config.optimizer](
            objective, self._table, config, [self._generator], capture=False
        )
        for step in range(1, config.steps + 1):
            optimizer.step()
            self._report("pez")
            if self._stopped and step < config.steps:
                if not optimizer.unfinished:
                    break
                if self._found:
                    return
                raise optimizer.has_nothing(self._step)
        best = optimizer.best_scores.argsort(descending=True)
        self._put(optimizer.best_rows[best])
        if config.refine and not self._stopped:
            self._refine(optimizer.best_rows[best[: config.refine]])

    def _refine(self, rows: Tensor) -> None:
        aims = mean_target(self._targets).expand(len(rows), -1)
        refine = Refine(
            self._encoder.tower, self._table, self._layout, aims, rows, swaps=self._config.swaps
        )
        while not all(refine.done) and not self._stopped:
            refine.step()
            self._put(torch.stack(refine.rows))
            self._report("refine")

    def _put(self, rows: Tensor) -> None:
        """Measures prompts as texts. rows: (N, n)"""
        texts = [handed_out(self._encoder.tokenizer, ids) for ids in self._table.ids[rows].tolist()]
        new = [text for text in dict.fromkeys(texts) if text not in self._found]
        if not new:
            return
        features = self._encoder.encode_texts(new)
        before = max(self._found.values(), default=-1.0)
        similarities = weighted_similarity(features, self._targets).tolist()
        self._found.update(zip(new, similarities, strict=True))
        if max(similarities) > before:
            seconds = time.perf_counter() - self._start
            self._history.append((self._step, seconds, max(similarities)))
