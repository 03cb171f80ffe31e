"""The settings of a search, in one frozen dataclass with what is said of each, and the presets.

A search is a number of rounds. Each round starts `restarts` random prompts, moves them together
with PEZ for `steps` steps, and then improves the best `refine` of them by single-token swaps until
no swap helps.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from .errors import ConfigError

# Ways to move prompts; see `search.optimizers`.
OPTIMIZERS = (
    "pez", "autoprompt_sgd", "fluentprompt", "autoprompt", "stochastic_rounding", "soft",
)  # fmt: skip

# The share of neutral texts that a guard may report as too near to a concept.
FALSE_POSITIVE_RATE = 0.01


@dataclass(frozen=True)
class Option:
    """What is said of an option, wherever it is shown.

    meaning: what it is, without a full stop at its end; shown everywhere.
    command: what `pez COMMAND --help` and docs/options.md add.
    node: sentences that the tooltips of the nodes add.
    page: sentences that docs/options.md adds, in Markdown, such as where the default comes from.
    shown: what is shown as the default, if the value does not say what happens.
    """

    meaning: str
    command: str = ""
    node: str = ""
    page: str = ""
    shown: str = ""

    @property
    def help(self) -> str:
        return "; ".join(filter(None, (self.meaning, self.command)))

    @property
    def tooltip(self) -> str:
        return " ".join(filter(None, (sentence(self.meaning), self.node)))


def sentence(meaning: str) -> str:
    return f"{meaning[0].upper()}{meaning[1:]}."


def _setting(default: Any, meaning: str, **said: str) -> Any:
    """A field with its `Option`. said: further fields of the option."""
    return field(default=default, metadata={"option": Option(meaning, **said)})


@dataclass(frozen=True)
class SearchConfig:
    """All settings of `learn_prompt`. `options.OPTIONS` holds what is said of each.

    Where a default comes from: "the paper" is arXiv 2302.03668 §4.1, "benchmark" is
    benchmarks/quality/search_quality.py.
    """

    optimizer: str = _setting(
        "pez",
        "what moves the prompts of a round",
        page="The others are the paper's baselines, for comparison.",
    )
    steps: int = _setting(
        10,
        "steps of the optimizer in each round",
        node="0 uses the preset's value.",
        page="By benchmark: refinement gains more than further steps. The paper: 3000.",
    )
    restarts: int = _setting(
        8,
        "how many prompts each round moves together",
        node="The best one is kept. 0 uses the preset's value.",
        page="By benchmark. The paper: 1.",
    )
    lr: float = _setting(
        0.1,
        "learning rate of the optimizer",
        node="0 uses the preset's value, 0.1 as in the paper.",
        page="From the paper, with AdamW.",
    )
    weight_decay: float = _setting(
        0.1,
        "weight decay of the optimizer",
        node="-1 uses the preset's value, 0.1 as in the paper.",
        page="From the paper, with AdamW.",
    )
    batch_size: int | None = _setting(
        None, "targets drawn for each step", page="All of them by default. The paper: 1."
    )
    refine: int = _setting(
        1, "how many prompts of a round are refined; 0 is plain PEZ", page="By benchmark."
    )
    swaps: int = _setting(
        16, "tokens tried per position in a step of refinement", page="By benchmark."
    )
    fluency: float = _setting(
        0.0,
        "prefer prompts that read like a caption: the weight of log P(text) per token in the sum "
        "with the similarity, such as 0.003",
        page="See [vocabulary](#vocabulary).",
    )
    rounds: int = _setting(
        1,
        "how many rounds to run at most",
        page="By benchmark: more rounds raise the similarity and lower the judge's.",
    )
    patience: int | None = _setting(
        None, "end the search after this many rounds in a row without a better prompt"
    )
    seconds: float | None = _setting(
        None,
        "end the search after this time with the best prompt so far",
        node="0: no limit.",
        shown="no limit",
    )
    candidates: int = _setting(5, "how many distinct prompts to return at most")

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
            advice = "lower one of them" if self.weight_decay > 0 else "give 0 for none"
            raise ConfigError(
                f"weight_decay must be at least 0 and below 1/lr, got {self.weight_decay} "
                f"at lr {self.lr}: {advice}"
            )
        if not (math.isfinite(self.fluency) and self.fluency >= 0):
            raise ConfigError(f"fluency must be at least 0, got {self.fluency}: try 0.003")
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
# No refinement: the first good words, with less similarity.
FAST = SearchConfig(steps=20, refine=0)
# More rounds while they find better prompts: the highest similarity.
THOROUGH = SearchConfig(rounds=12, patience=4)
# The paper's own setting (§4.1): one prompt, 3000 steps, one target per step, no refinement.
PAPER = SearchConfig(steps=3000, restarts=1, batch_size=1, refine=0)

PRESETS: dict[str, SearchConfig] = {
    "default": DEFAULT,
    "fast": FAST,
    "thorough": THOROUGH,
    "paper": PAPER,
}
