"""`learn_prompts` in its plainest form: one search after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch

from .config import DEFAULT, SearchConfig
from .models import ClipModel
from .prompt import LearnedPrompt
from .search import Callback, learn_prompt
from .targets import Targets
from .vocabulary import TokenMask


def learn_prompts(
    model: ClipModel,
    targets: Iterable[Targets],
    template: str = "{8}",
    *,
    config: SearchConfig = DEFAULT,
    mask: TokenMask | None = None,
    seed: int = 0,
    at_once: int = 8,
    callback: Callback | None = None,
    dtype: torch.dtype | None = None,
    settings: dict[str, Any] | None = None,
) -> Iterator[tuple[int, LearnedPrompt]]:
    """Index and result of each of the targets, as soon as it is done."""
    for index, target in enumerate(targets):
        yield (
            index,
            learn_prompt(
                model,
                target,
                template,
                config=config,
                mask=mask,
                seed=seed,
                callback=callback,
                dtype=dtype,
                settings=settings,
            ),
        )
