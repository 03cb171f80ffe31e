"""`learn_text_prompt`: from labelled examples to ranked prompts for a language model.

The loop is that of every search (`pez_core.search.search_loop`). The optimiser uses mini-batches.
Every few steps its prompts are written as text, tokenised again and scored, always on the same
examples. The best text is kept. The search does not use the holdout.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import ConfigError, ModelError, PezError
from ..search.best_tracker import EveryTextTracker, Scored
from ..search.optimizers import Optimizer
from ..search.problem import Problem
from ..search.projection import token_table
from ..search.search_loop import SearchLoop
from ..search.state import Search
from .examples import Example, Question, split
from .label_loss import LabelLoss
from .measure import Measure, measure, unlikeliness
from .model import LanguageModel
from .results import LearnedText, TextCandidate
from .settings import DEFAULT, TextConfig
from .tokens import learnable, text_of

HOLDOUT = 0.25  # share of the examples that is held out if no holdout is given


@dataclass(frozen=True)
class TextStep:
    """The progress of a search. best: the best text so far. measure: of it, in training."""

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
    """The prompts with which the model predicts the labels of the inputs best, best first. A prompt
    comes before each input.

    verbalizers: the word of each label, one token each. holdout: examples that are used only for
    the reported figures; by default a quarter of `examples`, drawn at random. after: the text
    between an input and the answer. tokens: how many are learned. callback: called after every
    step; if it returns False, the search stops and the best so far is returned.
    Raises ConfigError for a number out of range, TargetError for unusable examples or verbalizers,
    VocabularyError if no token can be learned, ModelError for a model that cannot learn.
    """
    if isinstance(tokens, bool) or not isinstance(tokens, int) or tokens < 1:
        raise ConfigError(f"tokens must be a whole number of at least 1, got {tokens!r}")
    if not model.learns:
        raise ModelError(
            f"{model.name} has an encoder and a decoder, and prompts are learned only on causal "
            "models: learn on a causal model, and transfer the text (--transfer-to)"
        )
    if not 0 <= seed < 2**64:
        raise ConfigError(f"seed must be between 0 and 2^64 - 1, got {seed}")
    if holdout is None:
        examples, holdout = split(examples, HOLDOUT, seed)
    question = Question(verbalizers, after)
    problem = LabelProblem(
        model, list(examples), list(holdout), question, tokens, config, seed, callback
    )
    ((_, result),) = SearchLoop(problem).run([None])
    if isinstance(result, PezError):
        raise result
    return result


class MeasuredText(NamedTuple):
    """A text and its measure on the examples that rank the texts."""

    text: str
    training: Measure


class LabelProblem(Problem[None, LearnedText]):
    """One search on labelled examples."""

    captures = False
    tracker_type = EveryTextTracker

    @torch.inference_mode(False)
    def __init__(
        self,
        model: LanguageModel,
        examples: list[Example],
        holdout: list[Example],
        question: Question,
        tokens: int,
        config: TextConfig,
        seed: int,
        callback: Callback | None,
    ) -> None:
        self._model, self._question, self._text_config = model, question, config
        self._callback, self._tokens, self._seed = callback, tokens, seed
        self.config, self.update_every = config.search_config(), config.look_every
        self._generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(examples), generator=self._generator).tolist()
        self._ranking = [examples[i] for i in order[: config.look_examples]]
        self._holdout = holdout
        everything = model.embed(torch.arange(len(model.tokenizer)))
        everything = everything if everything.dtype == torch.float64 else everything.float()
        self.table = token_table(everything, learnable(model.tokenizer, config.vocabulary))
        self._objective = LabelLoss(
            model, examples, question, self.table, tokens=tokens, fluency=config.fluency
        )
        self._empty = measure(model, "", holdout, question)

    @property
    def count(self) -> int:
        return self._tokens

    def generator(self) -> torch.Generator:
        return self._generator

    def objective(self, goals: Sequence[None]) -> LabelLoss:
        return self._objective

    def reached(self, optimizer: Optimizer, searches: int) -> tuple[list[list[float]], Tensor]:
        """The last prompts and the best ones, because a mini-batch may rank them wrongly. Every
        text is scored, so the returned scores are zeros."""
        both = torch.cat([optimizer.token_indices, optimizer.best_token_indices])
        return [[0.0] * len(both)], both[None]

    def text(self, ids: Sequence[int]) -> str:
        return text_of(self._model.tokenizer, list(ids))

    def score(self, goal: None, texts: Sequence[str]) -> list[Scored]:
        """The value is -((1 - λ)·loss + λ·unlikeliness), with λ = `fluency`."""
        found = []
        for text in texts:
            reached = measure(self._model, text, self._ranking, self._question)
            value = reached.loss
            if share := self._text_config.fluency:
                value = (1 - share) * value + share * unlikeliness(self._model, text)
            found.append(Scored(MeasuredText(text, reached), -value))
        return found

    def notify(self, search: Search, phase: str) -> bool | None:
        if self._callback is None:
            return None
        text, reached = search.tracker.best or (None, None)
        return self._callback(
            TextStep(search.step, self.config.steps, search.seconds, text, reached)
        )

    def result(self, search: Search) -> LearnedText:
        config, question = self._text_config, self._question
        ranked = search.tracker.ranked(config.candidates)[: config.candidates]
        return LearnedText(
            tuple(self._candidate(*found) for found in ranked),
            self._empty,
            tuple(
                (step, seconds, best.training.loss, best.training.accuracy)
                for step, seconds, best in search.tracker.history
            ),
            search.step, search.seconds, search.stopped, self._seed, self._model.name,
            {
                "tokens": self._tokens, "verbalizers": dict(question.verbalizers),
                "after": question.after, "vocabulary_size": len(self.table.ids),
                **config.to_json(),
            },
        )  # fmt: skip

    def _candidate(self, text: str, training: Measure) -> TextCandidate:
        """A text with its measures."""
        model = self._model
        ids = tuple(model.encode(text)[len(model.prefix) :])
        holdout = measure(model, text, self._holdout, self._question)
        return TextCandidate(text, ids, training, holdout, unlikeliness(model, text))
