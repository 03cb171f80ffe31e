"""`learn_prompt` and `learn_prompts`: the way from targets to ranked hard prompts.

A search is anytime: the best prompt so far is always valid, so a callback, a time budget or a
plateau ends it at once with a result. Several searches move in step and share each pass through
the tower (`group`); each draws from its own generator, so its result is the one it has alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypedDict

import torch

from ..clip.models import ClipModel
from ..compute.precision import arithmetic_of
from ..config import DEFAULT, SearchConfig
from ..errors import ConfigError, PezError
from ..guard.guard import Guard
from ..prompt import LearnedPrompt
from ..targets import Targets
from ..text.template import parse_template
from ..text.vocabulary import TokenMask, make_mask
from .fluency import Fluency, read_prior
from .projection import token_table
from .run import Callback, Setting, StepInfo
from .search_batch import Group

__all__ = ["Callback", "SearchOptions", "StepInfo", "learn_prompt", "learn_prompts"]


class SearchOptions(TypedDict, total=False):
    """What `learn_prompt` takes beside its targets and its template, for what hands it on."""

    config: SearchConfig
    mask: TokenMask | None
    guard: Guard | None
    seed: int
    callback: Callback | None
    dtype: torch.dtype | None
    settings: dict[str, Any] | None


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
    """The hard prompts that say best what the targets show: distinct candidates, best first.

    template: fixed words with slots, "{8}" is 8 learned tokens. mask: the tokens allowed; printable
    lower-case ASCII if left out. guard: what the prompts are to keep away from, in no words of its
    own; where none is found that does, the best is told all the same, and `best.near` says from
    what it does not. callback:
    called after every step, and within long ones; returning False stops with the best so far.
    dtype: of the tower's weights while searching (scores handed out are always those of float32).
    settings: more entries for the result's `settings`, such as what the caller was asked.
    Raises TargetError and GuardError when the targets and the guard belong to another model,
    ConfigError for a seed out of range, SearchError when no text can be handed out, and what
    `parse_template` and `make_mask` raise.
    """
    searches = learn_prompts(
        model, [targets], template, config=config, mask=mask, guard=guard, seed=seed,
        callback=callback, dtype=dtype, settings=settings,
    )  # fmt: skip
    ((_, result),) = searches
    if isinstance(result, PezError):
        raise result
    return result


@torch.inference_mode(False)  # where ComfyUI runs its nodes no gradient could be had
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
    tower. Each result is the one that `learn_prompt` gives for this goal alone, up to the rounding
    of larger matrix products. What is wrong with one goal is its result and does not end the
    others. The rest as in `learn_prompt`. Raises ConfigError for at_once below 1.
    """
    if at_once < 1:
        raise ConfigError(f"at_once must be at least 1, got {at_once}")
    if not 0 <= seed < 2**64:
        raise ConfigError(f"seed must be between 0 and 2^64 - 1, got {seed}")
    if guard is not None:
        guard.require(model)
        guard = guard.to(model.device)
    mask = mask or make_mask(model.vocabulary, words=model.source.words)
    told = dict(settings or {})
    if guard is not None:
        mask = mask.less(model.vocabulary, guard.ban)
        told |= guard.settings
    half = dtype if dtype != torch.float32 else None
    table = token_table(
        model.tower.token_embedding,
        torch.tensor(mask.ids),
        model.tower.widths,
        arithmetic_of(model.device, half) if half else None,
    )
    parsed = parse_template(template, model.vocabulary)
    fluency = None
    if config.fluency:
        prior = read_prior(model.vocabulary, device=model.device)
        fluency = Fluency(prior, torch.tensor(parsed.layout), table.ids, config.fluency)
    setting = Setting(model, parsed, config, mask, table, seed, callback, fluency, told, guard)
    tower = model.tower.to(model.device, half) if half else model.tower
    return Group(setting, tower.for_search()).run(goals, at_once)
