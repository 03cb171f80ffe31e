"""The settings of a search for a language model's prompt, in one frozen dataclass."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..config import SearchConfig
from ..errors import ConfigError

VOCABULARIES = ("words", "all")  # see `tokens`


@dataclass(frozen=True)
class TextConfig:
    """All settings of `learn_text_prompt`.

    "paper" is arXiv 2302.03668 §4.3 with the authors' code. "bench" is
    benchmarks/quality/text_only.py, whose models are far smaller than those in use: the defaults
    are a starting point, not a result.
    """

    optimizer: str = "pez"  # one of config.OPTIMIZERS
    steps: int = 200  # more than enough for the models of bench; the paper uses 5000
    restarts: int = 4  # prompts moved in one batch; not tuned
    lr: float = 0.3  # paper, which uses Adafactor; this is AdamW
    weight_decay: float = 0.0  # not tuned
    batch_size: int | None = 16  # paper; examples of a step, None = all
    swaps: int = 16  # tokens tried in a step of AutoPrompt
    fluency: float = 0.0  # λ of (1 - λ)·task + λ·fluency; the paper's is 0.003
    vocabulary: str = "words"  # one of VOCABULARIES
    look_every: int = 10  # steps between two measurements of the texts; paper: 100
    look_examples: int = 256  # the most training examples of a measurement
    seconds: float | None = None  # time limit; None = no limit
    candidates: int = 5  # the most distinct prompts to return

    def __post_init__(self) -> None:
        self.search_config()
        for name in ("look_every", "look_examples"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigError(f"{name} must be a whole number of at least 1, got {value!r}")
        if not (math.isfinite(self.fluency) and 0 <= self.fluency < 1):
            raise ConfigError(
                f"fluency must be at least 0 and below 1, got {self.fluency}: the paper's is 0.003"
            )
        if self.vocabulary not in VOCABULARIES:
            raise ConfigError(
                f"unknown vocabulary {self.vocabulary!r}: choose one of {', '.join(VOCABULARIES)}"
            )

    def search_config(self) -> SearchConfig:
        """The settings of the optimiser and the loop. Raises ConfigError for one out of range."""
        return SearchConfig(
            optimizer=self.optimizer, steps=self.steps, restarts=self.restarts, lr=self.lr,
            weight_decay=self.weight_decay, batch_size=self.batch_size, swaps=self.swaps,
            refine=0, seconds=self.seconds, candidates=self.candidates,
        )  # fmt: skip

    def replace(self, **changes: Any) -> TextConfig:
        """A copy with some settings changed. Raises ConfigError for one out of range."""
        return replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


DEFAULT = TextConfig()
