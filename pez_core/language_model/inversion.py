"""`invert_sentence`: the hard prompt whose embedding is nearest to that of a sentence.

The loop is that of every search (`pez_core.search.search_loop`). A sentence encoder is its text
tower.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..config import DEFAULT, SearchConfig
from ..errors import ConfigError, PezError, SearchError
from ..prompt import Candidate, LearnedPrompt
from ..search.best_tracker import EveryTextTracker, Scored
from ..search.problem import TowerProblem
from ..search.progress import Callback
from ..search.projection import TokenTable, token_table
from ..search.search_loop import SearchLoop
from ..search.state import Search
from ..targets import Targets, make_targets
from .sentence_encoder import SentenceEncoder
from .tokens import learnable, text_of


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
    """The words whose embedding is nearest to a target: distinct candidates, best first.

    target: (E,), an embedding of any norm. Every similarity is that of the returned text.
    vocabulary: see `tokens.learnable`. callback: called after every step; if it returns False, the
    search stops and the best so far is returned.
    Raises ConfigError for a number out of range and for settings that only CLIP's search has,
    TargetError for a target that is not a usable embedding, SearchError if no text can be returned.
    """
    if not 1 <= tokens <= encoder.longest:
        raise ConfigError(f"tokens must be between 1 and {encoder.longest}, got {tokens}")
    if config.fluency or config.patience is not None:
        raise ConfigError(
            "only CLIP's search has the settings fluency and patience: leave them out"
        )
    targets = make_targets(target[None]).to(encoder.tower.device)
    table = token_table(encoder.tower.token_embedding, learnable(encoder.tokenizer, vocabulary))
    problem = SentenceProblem(encoder, table, config, tokens, vocabulary, seed, callback)
    ((_, result),) = SearchLoop(problem).run([targets])
    if isinstance(result, PezError):
        raise result
    return result


class SentenceProblem(TowerProblem):
    """One target embedding. A prompt is the learned tokens between [CLS] and [SEP]."""

    captures = False
    tracker_type = EveryTextTracker

    def __init__(
        self,
        encoder: SentenceEncoder,
        table: TokenTable,
        config: SearchConfig,
        tokens: int,
        vocabulary: str,
        seed: int,
        callback: Callback | None,
    ) -> None:
        self.encoder, self.tower, self.table = encoder, encoder.tower, table
        self.config, self.seed, self.callback = config, seed, callback
        self._tokens, self._vocabulary = tokens, vocabulary
        self.update_every = config.steps  # an update scores texts: one per round is enough

    @property
    def layout(self) -> Tensor:
        tokenizer = self.encoder.tokenizer
        return torch.tensor([tokenizer.cls_token_id, *[-1] * self._tokens, tokenizer.sep_token_id])

    def text(self, ids: Sequence[int]) -> str:
        return text_of(self.encoder.tokenizer, list(ids))

    def score(self, goal: Targets, texts: Sequence[str]) -> list[Scored]:
        similarities = self.encoder.score(texts, goal).tolist()
        return [
            Scored(Candidate(text, tuple(self.encoder.encode(text)), similarity), similarity)
            for text, similarity in zip(texts, similarities, strict=True)
        ]

    def result(self, search: Search) -> LearnedPrompt | PezError:
        ranked: list[Candidate] = search.tracker.ranked(self.config.candidates)
        if not ranked:
            return SearchError(f"no text was found in {search.step} steps: no score was a number")
        settings = {"tokens": self._tokens, "vocabulary": self._vocabulary, **self.config.to_json()}
        return self.learned(search, ranked, self.encoder.name, settings)
