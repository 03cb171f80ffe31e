"""Settings are checked when they are made, and the presets hold."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest

from pez_core import PRESETS, SearchConfig
from pez_core.errors import ConfigError

COUNTS = {"steps": 1, "restarts": 1, "refine": 0, "swaps": 1, "rounds": 1, "candidates": 1}


@pytest.mark.parametrize("name", [*COUNTS, "batch_size", "patience"])
def test_counts_are_whole_numbers_from_their_least_value(name: str) -> None:
    """The least value is taken, the one below and every other kind refused by name."""
    least = COUNTS.get(name, 1)
    assert getattr(SearchConfig(**{name: least}), name) == least
    wrong: tuple[Any, ...] = (least - 1, 1.5, "3", True, math.nan)
    for value in wrong:
        with pytest.raises(ConfigError, match=f"{name} must be a whole number of at least {least}"):
            SearchConfig(**{name: value})


@pytest.mark.parametrize("name", ["batch_size", "patience", "seconds"])
def test_optional_settings_may_be_none(name: str) -> None:
    """None stands for "all of them", "never" and "no limit"."""
    assert getattr(SearchConfig(**{name: None}), name) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lr": 0}, "lr must be a positive number, got 0"),
        ({"lr": -1.0}, "lr must be a positive number, got -1"),
        ({"lr": math.nan}, "lr must be a positive number, got nan"),
        ({"lr": math.inf}, "lr must be a positive number, got inf"),
        ({"weight_decay": -0.1}, "weight_decay must be at least 0 and below 1/lr, got -0.1"),
        ({"weight_decay": 10.0}, "got 10.0 at lr 0.1"),
        ({"weight_decay": math.nan}, "weight_decay.*got nan"),
        ({"seconds": 0}, "seconds must be .*positive.*got 0"),
        ({"seconds": -5.0}, "seconds must be .*positive.*got -5"),
        ({"seconds": math.nan}, "seconds must be .*positive.*got nan"),
        ({"seconds": math.inf}, "seconds must be"),
    ],
)
def test_numbers_out_of_range_are_refused(changes: dict[str, Any], message: str) -> None:
    """With the value in the message."""
    with pytest.raises(ConfigError, match=message):
        SearchConfig(**changes)


def test_a_changed_copy_is_checked_again() -> None:
    """`replace` leaves the original alone and refuses what the constructor refuses."""
    config = SearchConfig()
    assert config.replace(steps=7).steps == 7 and config == SearchConfig()
    with pytest.raises(ConfigError, match="steps"):
        config.replace(steps=0)


def test_settings_go_through_json_and_back() -> None:
    """Everything that was set is in the JSON, for every preset."""
    for preset in PRESETS.values():
        assert SearchConfig(**json.loads(json.dumps(preset.to_json()))) == preset
    assert set(SearchConfig().to_json()) == {f.name for f in dataclasses.fields(SearchConfig)}


def test_the_papers_preset_is_the_papers() -> None:
    """arXiv 2302.03668 §4.1: 3000 steps, learning rate and weight decay 0.1, one target a step,
    one prompt, nothing else."""
    paper = PRESETS["paper"]
    assert (paper.steps, paper.lr, paper.weight_decay) == (3000, 0.1, 0.1)
    assert (paper.restarts, paper.batch_size, paper.refine, paper.rounds) == (1, 1, 0, 1)
    assert paper.patience is None and paper.seconds is None


def test_the_default_preset_is_the_default() -> None:
    """`PRESETS["default"]` and `SearchConfig()` are the same settings."""
    assert PRESETS["default"] == SearchConfig()
    assert set(PRESETS) >= {"default", "fast", "thorough", "paper"}
