"""The settings of a search, in one frozen dataclass, and the presets.

A search is a number of rounds. Each round starts `restarts` random prompts, moves them together
with PEZ for `steps` steps, and then improves the best `refine` of them by single-token swaps until
none helps.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from .errors import ConfigError

# Ways to move prompts; see `optimizers`.
OPTIMIZERS = (
    "pez", "autoprompt_sgd", "fluentprompt", "autoprompt", "stochastic_rounding", "soft",
)  # fmt: skip


@dataclass(frozen=True)
class SearchConfig:
    """All settings of `learn_prompt`.

    Where a default comes from: "paper" is arXiv 2302.03668 §4.1, "bench" is
    benchmarks/quality/search_quality.py.
    """

    optimizer: str = "pez"  # one of OPTIMIZERS: what moves the prompts of a round
    steps: int = 10  # PEZ steps of a round; search_variants.py: more gain nothing
    restarts: int = 8  # prompts moved in one batch; bench (the paper runs 1)
    lr: float = 0.1  # paper
    weight_decay: float = 0.1  # paper
    batch_size: int | None = None  # targets drawn per step; None = all of them (the paper uses 1)
    refine: int = 1  # how many restarts of a round are refined; 0 = plain PEZ; bench
    swaps: int = 16  # tokens tried per position in a refinement step; bench
    fluency: float = 0.0  # weight of log P(text) per token beside the similarity; readability.py
    rounds: int = 1  # rounds at most; bench: more raise the similarity, and lower the judge's
    patience: int | None = None  # stop after so many rounds without a better prompt; None = never
    seconds: float | None = None  # stop after so many seconds of search; None = no limit
    candidates: int = 5  # how many distinct prompts to return at most

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise ConfigError(
                f"unknown optimizer {self.optimizer!r}: choose one of {', '.join(OPTIMIZERS)}"
            )
        self._require_int("steps", 1)
        self._require_int("restarts", 1)
        self._require_int("refine", 0)
        self._require_int("swaps", 1)
        self._require_int("rounds", 1)
        self._require_int("candidates", 1)
        if self.batch_size is not None:
            self._require_int("batch_size", 1)
        if self.patience is not None:
            self._require_int("patience", 1)
        if not (math.isfinite(self.lr) and self.lr > 0):
            raise ConfigError(f"lr must be a positive number, got {self.lr}")
        if not (math.isfinite(self.weight_decay) and 0 <= self.weight_decay * self.lr < 1):
            raise ConfigError(
                f"weight_decay must be at least 0 and below 1/lr, got {self.weight_decay} "
                f"at lr {self.lr}: lower one of them"
            )
        if not (math.isfinite(self.fluency) and self.fluency >= 0):
            raise ConfigError(f"fluency must be at least 0, got {self.fluency}: a small number")
        if self.seconds is not None and not 0 < self.seconds < math.inf:
            raise ConfigError(f"seconds must be a positive number, got {self.seconds}")

    def _require_int(self, name: str, least: int) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ConfigError(f"{name} must be a whole number of at least {least}, got {value!r}")

    def replace(self, **changes: Any) -> SearchConfig:
        """A copy with some settings changed and checked again."""
        return replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


DEFAULT = SearchConfig()
# No refinement: the first good words, of less similarity.
FAST = SearchConfig(steps=20, refine=0)
# Round after round while they find better ones: the most similarity.
THOROUGH = SearchConfig(rounds=12, patience=4)
# The paper's own setting (§4.1): one prompt, 3000 steps, one target a step, nothing else.
PAPER = SearchConfig(steps=3000, restarts=1, batch_size=1, refine=0)

PRESETS: dict[str, SearchConfig] = {
    "default": DEFAULT,
    "fast": FAST,
    "thorough": THOROUGH,
    "paper": PAPER,
}
