"""Rankings: racing, what is told apart, and when they end."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from pez_core.errors import ConfigError, PictureError
from pez_core.painter.contributions import painter_contributions
from pez_core.painter.ranking import NO_WORDS, Ranking, rank

LEVELS = 5


class Errors:
    """Errors of a known mean for each prompt, with noise that is partly common to all."""

    levels = LEVELS

    def __init__(self, means: dict[str, float], spread: float = 0.05) -> None:
        self.means, self.spread = {NO_WORDS: 1.0, **means}, spread
        self.asked: list[list[str]] = []

    def errors(self, prompts: Sequence[str], noise: int) -> Tensor:
        self.asked.append(list(prompts))
        common = 10 ** torch.linspace(0, 2, LEVELS)  # levels differ more than prompts
        rows = []
        for prompt in prompts:
            seed = torch.Generator().manual_seed(1000 * noise + [*self.means].index(prompt))
            own = self.spread * torch.randn(LEVELS, generator=seed)
            rows.append(common * (self.means[prompt] + (own if prompt else 0)))
        return torch.stack(rows)


MEANS = {"far": 1.2, "best": 0.7, "near": 0.71, "mid": 0.9}


def test_the_ranking_is_that_of_the_errors() -> None:
    found = rank(Errors(MEANS), [*MEANS], rounds=40, race=False)
    assert [r.prompt for r in found.prompts] == ["best", "near", "mid", "far"]
    assert found.reason == "rounds" and found.rounds == 40
    assert [r.passes for r in found.prompts] == [40 * LEVELS] * 4
    assert found.passes == 5 * 40 * LEVELS
    for ranked in found.prompts:
        assert ranked.error == pytest.approx(MEANS[ranked.prompt], abs=0.02)
        assert ranked.low <= ranked.error <= ranked.high
    assert found.tied < 3


def test_who_is_behind_leaves_the_race() -> None:
    errors = Errors(MEANS)
    found = rank(errors, [*MEANS], rounds=40)
    assert [r.prompt for r in found.prompts][0] == "best"
    passes = {r.prompt: r.passes for r in found.prompts}
    assert passes["far"] == 2 * LEVELS < passes["best"]
    assert found.passes < 4 * 40 * LEVELS  # of 5
    assert errors.asked[0] == [NO_WORDS, *MEANS] and "far" not in errors.asked[2]


def test_the_end_is_told() -> None:
    apart = {"a": 0.5, "b": 1.5}
    found = rank(Errors(apart), ["b", "a"])
    assert (found.reason, found.rounds, found.tied) == ("one left", 2, 1)
    assert rank(Errors(apart), ["a"]).reason == "rounds"
    seen: list[Ranking] = []

    def stop(ranking: Ranking) -> bool:
        seen.append(ranking)
        return len(seen) < 3

    found = rank(Errors(MEANS, 1.0), [*MEANS], callback=stop, race=False)
    assert found.reason == "stopped" and [r.rounds for r in seen] == [1, 2, 3]

    class Slow(Errors):
        def errors(self, prompts: Sequence[str], noise: int) -> Tensor:
            time.sleep(0.02)
            return super().errors(prompts, noise)

    found = rank(Slow(MEANS, 1.0), [*MEANS], rounds=1000, seconds=0.05)
    assert found.reason == "seconds" and found.rounds < 10


def test_equal_prompts_are_tied() -> None:
    found = rank(Errors(dict.fromkeys("abc", 0.8)), ["a", "b", "c"])
    assert found.tied >= 2


def test_what_is_asked_for_is_checked() -> None:
    with pytest.raises(ConfigError, match="at least one prompt"):
        rank(Errors({}), [])
    with pytest.raises(ConfigError, match="'a' is given twice"):
        rank(Errors({"a": 1}), ["a", "a"])
    with pytest.raises(ConfigError, match="rounds must be at least 1"):
        rank(Errors({"a": 1}), ["a"], rounds=0)
    with pytest.raises(ConfigError, match="seconds must be more than 0"):
        rank(Errors({"a": 1}), ["a"], seconds=float("nan"))
    with pytest.raises(PictureError, match="not finite"):
        rank(Errors({"a": float("nan")}), ["a"])


def test_what_a_word_adds() -> None:
    """What the error grows by without it, in the order of the words; also of a single word."""
    means = {"a red cat": 0.6, "red cat": 0.6, "a cat": 0.7, "a red": 0.9, "cat": 0.8}
    error, added = painter_contributions(Errors(means, 0.01), ["a", "red", "cat"], rounds=8)
    assert error == pytest.approx(0.6, abs=0.01)
    assert [c.word for c in added] == ["a", "red", "cat"]
    for found, wanted in zip(added, (0.0, 0.1, 0.3), strict=True):
        assert found.low <= found.adds <= found.high
        assert found.adds == pytest.approx(wanted, abs=0.02)
    assert added[0].low < 0 < added[1].low
    _, (only,) = painter_contributions(Errors({"cat": 0.8}, 0.01), ["cat"])
    assert only.adds == pytest.approx(0.2, abs=0.02)
    with pytest.raises(ConfigError, match="nothing to explain"):
        painter_contributions(Errors({}), [])


def test_the_same_words_add_the_same() -> None:
    _, added = painter_contributions(Errors({"a a": 0.6, "a": 0.7}), ["a", "a"])
    assert added[0] == added[1]


def test_equal_prompts_are_rarely_told_apart() -> None:
    """However often a race looks: of rankings of two equal prompts, one in twenty may be wrong."""
    wrong = 0
    for seed in range(200):

        class Noise:
            levels = 4

            def errors(self, prompts: Sequence[str], noise: int, seed: int = seed) -> Tensor:
                generator = torch.Generator().manual_seed(1000 * seed + noise)
                rows = 1 + 0.02 * torch.randn(len(prompts), 4, generator=generator)
                rows[[i for i, text in enumerate(prompts) if text == NO_WORDS]] = 1.0
                return rows

        wrong += rank(Noise(), ["a", "b"]).certainty == "the first is the best"
    assert wrong <= 14


def test_many_prompts_are_soon_checked() -> None:
    """In one pass, not each with each: only a loop of hours would not end here."""
    with pytest.raises(ConfigError, match="is given twice"):
        rank(Errors({}), [*map(str, range(200_000)), "0"])
