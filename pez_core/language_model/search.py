"""`learn_text_prompt`: the way from labelled examples to ranked prompts for a language model.

The optimiser sees mini-batches; every few steps the tokens that its prompts have reached are
written out as text, read again by the tokenizer and measured on the same examples, and the best
text is kept. The holdout takes part in nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from ..errors import ConfigError, ModelError
from ..search.optimizers import OPTIMIZERS
from ..search.projection import token_table
from .examples import Example, Question, split
from .label_loss import LabelLoss
from .measure import Measure, measure, unlikeliness
from .model import LanguageModel
from .results import LearnedText, TextCandidate
from .settings import DEFAULT, TextConfig
from .tokens import handed_out, learnable

HOLDOUT = 0.25  # of the examples, where none are given for it


@dataclass(frozen=True)
class TextStep:
    """What a callback is told. best: the best text so far, with its loss and accuracy in
    training."""

    step: int
    total: int
    seconds: float
    best: str | None
    measure: Measure | None


Callback = Callable[[TextStep], bool | None]


def learn_text_prompt(
    model: LanguageModel,
    examples: Sequence[Example],
    verbalizers: Mapping[str, str],
    *,
    holdout: Sequence[Example] | None = None,
    after: str = "",
    tokens: int = 8,
    config: TextConfig = DEFAULT,
    seed: int = 0,
    callback: Callback | None = None,
) -> LearnedText:
    """The prompts in front of the inputs by which the model names their labels best, best first.

    verbalizers: the word that stands for each label; one token each. holdout: examples that take no
    part but in the figures told; a quarter of `examples`, drawn at random, if left out. after: what
    is written between an input and the answer. tokens: how many are learned. callback: called after
    every step; returning False stops with the best so far.
    Raises ConfigError for a number out of range, TargetError for examples or verbalizers that
    cannot be used, VocabularyError when no token can be learned, ModelError for a model that only
    measures.
    """
    if isinstance(tokens, bool) or not isinstance(tokens, int) or tokens < 1:
        raise ConfigError(f"tokens must be a whole number of at least 1, got {tokens!r}")
    if not model.learns:
        raise ModelError(
            f"{model.name} is an encoder with a decoder, and prompts are learned on causal models: "
            "learn on one, and carry the text over"
        )
    if not 0 <= seed < 2**64:
        raise ConfigError(f"seed must be between 0 and 2^64 - 1, got {seed}")
    if holdout is None:
        examples, holdout = split(examples, HOLDOUT, seed)
    question = Question(verbalizers, after)
    return _Search(model, list(examples), question, tokens, config, seed).run(holdout, callback)


class _Search:
    """One search: its optimiser and the texts it has found."""

    @torch.inference_mode(False)
    def __init__(
        self,
        model: LanguageModel,
        examples: list[Example],
        question: Question,
        tokens: int,
        config: TextConfig,
        seed: int,
    ) -> None:
        self._model, self._question, self._config, self._seed = model, question, config, seed
        self._generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(examples), generator=self._generator).tolist()
        self._looked_at = [examples[i] for i in order[: config.look_examples]]
        everything = model.embed(torch.arange(len(model.tokenizer)))
        everything = everything if everything.dtype == torch.float64 else everything.float()
        self._table = token_table(everything, learnable(model.tokenizer, config.vocabulary))
        objective = LabelLoss(
            model, examples, question, self._table, tokens=tokens, fluency=config.fluency
        )
        self._optimizer = OPTIMIZERS[config.optimizer](
            objective, self._table, config.moves(), [self._generator], capture=False
        )
        self._found: dict[str, tuple[float, Measure]] = {}  # of each text: what counts, its measure
        self._best: str | None = None
        self._history: list[tuple[int, float, float, float]] = []
        self._tokens = tokens

    def run(self, holdout: Sequence[Example], callback: Callback | None) -> LearnedText:
        start, config = time.perf_counter(), self._config
        empty = measure(self._model, "", holdout, self._question)
        stopped, step = "steps", 0
        while step < config.steps:
            self._optimizer.step()
            step += 1
            if step % config.look_every == 0 or step == config.steps:
                self._look(step, start)
            seconds = time.perf_counter() - start
            if callback is not None and callback(self._told(step, seconds)) is False:
                stopped = "user"
            elif config.seconds is not None and seconds >= config.seconds:
                stopped = "seconds"
            if stopped != "steps":
                break
        self._look(step, start)
        candidates = self._candidates(holdout)
        return LearnedText(
            candidates, empty, tuple(self._history), step, time.perf_counter() - start, stopped,
            self._seed, self._model.name,
            {
                "tokens": self._tokens, "verbalizers": dict(self._question.verbalizers),
                "after": self._question.after, "vocabulary_size": len(self._table.ids),
                **config.to_json(),
            },
        )  # fmt: skip

    def _look(self, step: int, start: float) -> None:
        """Measures the texts that the prompts have reached."""
        # Where a mini-batch has told its best prompt, that one may be better than the last.
        rows = torch.cat([self._optimizer.rows, self._optimizer.best_rows])
        for ids in self._table.ids[rows].tolist():
            text = handed_out(self._model.tokenizer, ids)
            if text in self._found:
                continue
            found = measure(self._model, text, self._looked_at, self._question)
            worth = found.loss
            if share := self._config.fluency:
                worth = (1 - share) * worth + share * unlikeliness(self._model, text)
            self._found[text] = (worth, found)
            if self._best is None or worth < self._found[self._best][0]:
                self._best = text
                seconds = time.perf_counter() - start
                self._history.append((step, seconds, found.loss, found.accuracy))

    def _told(self, step: int, seconds: float) -> TextStep:
        found = self._found[self._best][1] if self._best is not None else None
        return TextStep(step, self._config.steps, seconds, self._best, found)

    def _candidates(self, holdout: Sequence[Example]) -> tuple[TextCandidate, ...]:
        ranked = sorted(self._found, key=lambda text: self._found[text][0])
        return tuple(
            TextCandidate(
                text,
                tuple(self._model.encode(text)[len(self._model.prefix) :]),
                self._found[text][1],
                measure(self._model, text, holdout, self._question),
                unlikeliness(self._model, text),
            )
            for text in ranked[: self._config.candidates]
        )
