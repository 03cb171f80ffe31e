"""From targets to ranked hard prompts: `learn_prompt`, `learn_prompts`, and the `Searcher` that
they use.

A search is anytime: its best prompt so far is always valid, so a callback, a time limit or a
plateau ends it with a result. Several searches move in step and share each pass through the tower
(`search_loop`). Each draws from a generator of its own, so it returns what it would return alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, TypedDict

import torch
from torch import Tensor

from ..clip.models import ClipModel
from ..clip.text_tower import Tower
from ..compute.precision import arithmetic_of
from ..config import DEFAULT, SearchConfig
from ..errors import ConfigError, PezError, SearchError
from ..guard.guard import Guard
from ..prompt import Candidate, LearnedPrompt
from ..targets import Targets
from ..text.template import Template, parse_template
from ..text.vocabulary import TokenMask, make_mask
from .best_tracker import Scored
from .fluency import Fluency, read_prior
from .objective import Penalty
from .problem import TowerProblem
from .progress import Callback, StepInfo
from .projection import TokenTable, token_table
from .search_loop import SearchLoop
from .state import Search
from .text_score import score_texts

__all__ = [
    "Callback", "SearchOptions", "Searcher", "StepInfo", "learn_prompt", "learn_prompts",
    "prepare_search",
]  # fmt: skip


class SearchOptions(TypedDict, total=False):
    """The keyword arguments of `learn_prompt`, for callers that forward them."""

    config: SearchConfig
    mask: TokenMask | None
    guard: Guard | None
    seed: int
    callback: Callback | None
    dtype: torch.dtype | None
    settings: dict[str, Any] | None


@dataclass(frozen=True)
class Searcher(TowerProblem):
    """A model prepared for any number of searches; `prepare_search` makes it.

    The token table and the tower in the precision of the search are made once; on a small model
    that takes as long as several steps. `with_template` and `dataclasses.replace` share them.
    """

    model: ClipModel
    tower: Tower = field(repr=False)
    table: TokenTable = field(repr=False)
    template: Template
    mask: TokenMask = field(repr=False)
    config: SearchConfig = DEFAULT
    seed: int = 0
    callback: Callback | None = None
    guard: Guard | None = None  # on the model's device
    settings: dict[str, Any] = field(default_factory=dict)  # more entries for the results' own
    shows_at_once: ClassVar[bool] = True

    def learn(self, targets: Targets) -> LearnedPrompt:
        """The best hard prompts for targets. Raises as `learn_prompt` does."""
        ((_, result),) = self.learn_many([targets])
        if isinstance(result, PezError):
            raise result
        return result

    def learn_many(
        self, goals: Iterable[Targets], at_once: int = 8
    ) -> Iterator[tuple[int, LearnedPrompt | PezError]]:
        """The number and the result of each goal, as soon as it is done; see `learn_prompts`."""
        if at_once < 1:
            raise ConfigError(f"at_once must be at least 1, got {at_once}")
        if not 0 <= self.seed < 2**64:
            raise ConfigError(f"seed must be between 0 and 2^64 - 1, got {self.seed}")
        return SearchLoop(self).run((goal.to(self.model.device) for goal in goals), at_once)

    def with_template(self, template: str) -> Searcher:
        """The same for another template. Raises as `parse_template` does."""
        return replace(self, template=parse_template(template, self.model.vocabulary))

    @property
    def layout(self) -> Tensor:
        return torch.tensor(self.template.layout)

    @property
    def count(self) -> int:
        return self.template.learned

    @cached_property
    def fluency(self) -> Fluency | None:
        if not self.config.fluency:
            return None
        prior = read_prior(self.model.vocabulary, device=self.model.device)
        return Fluency(prior, self.layout, self.table.ids, self.config.fluency)

    @property
    def penalty(self) -> Penalty | None:
        return None if self.guard is None else self.guard.penalty

    @property
    def permits(self) -> Callable[[Tensor], Tensor] | None:
        return None if self.mask.closed else self._permitted

    def _permitted(self, token_indices: Tensor) -> Tensor:
        """Which prompts survive as text, without a banned word. (N, n) → (N,) bool"""
        kept = []
        for ids in self.table.ids[token_indices].tolist():  # one wait for the device
            text = self.text(ids)
            kept.append(text is not None and self.survives(ids, text))
        return torch.tensor(kept, dtype=torch.bool, device=token_indices.device)

    def text(self, ids: Sequence[int]) -> str | None:
        """The text of learned ids, or None where they hold a banned word; the template's own words
        are the user's."""
        vocabulary = self.model.vocabulary
        if not self.mask.closed and not self.mask.permits(vocabulary.decode(list(ids))):
            return None
        return self.template.render(list(ids), vocabulary)

    def survives(self, ids: Sequence[int], text: str) -> bool:
        """In a closed vocabulary every text does."""
        if self.mask.closed:
            return True
        return self.model.vocabulary.encode(text) == self.template.fill(list(ids))

    def score(self, goal: Targets, texts: Sequence[str]) -> list[Scored]:
        return score_texts(self.model, goal, texts, self.guard, self.fluency)

    def result(self, search: Search) -> LearnedPrompt | PezError:
        """The best candidates; those that keep away from what they should, if there are any."""
        ranked: list[Candidate] = search.tracker.ranked(self.config.candidates)
        if not ranked:
            return SearchError(
                f"no prompt was found in {search.step} steps: every score was not a number, or "
                "every text held a banned word; try float32, more steps or fewer banned words"
            )
        clear = [candidate for candidate in ranked if not candidate.near]
        settings = {"template": self.template.text, **self.config.to_json(), **self.settings}
        return self.learned(search, clear or ranked, self.model.name, settings)


@torch.inference_mode(False)
def prepare_search(
    model: ClipModel,
    template: str = "{8}",
    *,
    config: SearchConfig = DEFAULT,
    mask: TokenMask | None = None,
    guard: Guard | None = None,
    seed: int = 0,
    callback: Callback | None = None,
    dtype: torch.dtype | None = None,
    settings: dict[str, Any] | None = None,
) -> Searcher:
    """The searcher with these settings. Arguments and errors as in `learn_prompt`."""
    if guard is not None:
        guard.require(model)
        guard = guard.to(model.device)
    mask = mask or make_mask(model.vocabulary, words=model.source.words)
    settings = dict(settings or {})
    if guard is not None:
        mask, settings = mask.less(model.vocabulary, guard.ban), settings | guard.settings
    half = dtype if dtype != torch.float32 else None
    table = token_table(
        model.tower.token_embedding,
        torch.tensor(mask.ids),
        model.tower.widths,
        arithmetic_of(model.device, half) if half else None,
    )
    tower = (model.tower.to(model.device, half) if half else model.tower).for_search()
    parsed = parse_template(template, model.vocabulary)
    return Searcher(model, tower, table, parsed, mask, config, seed, callback, guard, settings)


def learn_prompt(
    model: ClipModel,
    targets: Targets,
    template: str = "{8}",
    *,
    config: SearchConfig = DEFAULT,
    mask: TokenMask | None = None,
    guard: Guard | None = None,
    seed: int = 0,
    callback: Callback | None = None,
    dtype: torch.dtype | None = None,
    settings: dict[str, Any] | None = None,
) -> LearnedPrompt:
    """The hard prompts most similar to the targets: distinct candidates, best first.

    template: fixed words with slots; "{8}" is 8 learned tokens. mask: the tokens allowed; whole
    words if left out. guard: what the prompts keep away from, in whatever words. If no prompt does,
    the best is still returned, and `best.near` names what it is too near to. callback: called after
    every step, and within long ones; returning False stops the search with the best so far. dtype:
    of the tower's weights while searching; scores returned are always computed in float32.
    settings: more entries for the result's `settings`.
    Raises TargetError for targets of other dimensions than the model's, GuardError for the guard of
    another model, ConfigError for a seed out of range, SearchError when no text can be returned,
    and what `parse_template` and `make_mask` raise.
    """
    return prepare_search(
        model, template, config=config, mask=mask, guard=guard, seed=seed, callback=callback,
        dtype=dtype, settings=settings,
    ).learn(targets)  # fmt: skip


def learn_prompts(
    model: ClipModel,
    goals: Iterable[Targets],
    template: str = "{8}",
    *,
    at_once: int = 8,
    config: SearchConfig = DEFAULT,
    mask: TokenMask | None = None,
    guard: Guard | None = None,
    seed: int = 0,
    callback: Callback | None = None,
    dtype: torch.dtype | None = None,
    settings: dict[str, Any] | None = None,
) -> Iterator[tuple[int, LearnedPrompt | PezError]]:
    """A prompt for each goal: its number and its result, as soon as it is done.

    goals: read only as places become free. at_once: how many searches share each pass through the
    tower. Each result is the one that `learn_prompt` returns for this goal alone, up to the
    rounding of larger matrix products. An error of one goal is its result and does not end the
    others. The rest as in `learn_prompt`. Raises ConfigError for at_once below 1.
    """
    return prepare_search(
        model, template, config=config, mask=mask, guard=guard, seed=seed, callback=callback,
        dtype=dtype, settings=settings,
    ).learn_many(goals, at_once)  # fmt: skip
