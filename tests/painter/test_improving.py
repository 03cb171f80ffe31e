"""Edits that a painter takes: only sure ones, each measured once, until none helps."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from pez_core.errors import ConfigError
from pez_core.painter.improving import improve
from pez_core.painter.ranking import NO_WORDS, Ranking

LEVELS = 5
VALUES = {"red": 0.1, "apple": 0.2, "dunno": 0.0, "car": -0.1}


class Words:
    """Errors of a known mean: every word of VALUES lowers them by its value."""

    levels = LEVELS

    def __init__(self, spread: float = 0.01) -> None:
        self.spread, self.asked = spread, list[tuple[str, int]]()

    def errors(self, prompts: Sequence[str], noise: int) -> Tensor:
        self.asked += [(prompt, noise) for prompt in prompts]
        rows = []
        for prompt in prompts:
            seed = torch.Generator().manual_seed(zlib.crc32(f"{noise} {prompt}".encode()))
            worth = sum(VALUES.get(word, 0.0) for word in {*prompt.split()})
            own = self.spread * torch.randn(LEVELS, generator=seed)
            rows.append(1 - worth + own * (prompt != NO_WORDS))
        return torch.stack(rows)


def one_word(prompt: str) -> list[str]:
    """All prompts with one word less or one word more."""
    words = prompt.split()
    less = [" ".join([*words[:i], *words[i + 1 :]]) for i in range(len(words))]
    more = [" ".join([*words, new]) for new in VALUES if new not in words]
    return [text for text in (*less, *more) if text]


def test_edits_go_on_until_none_helps() -> None:
    found = improve(Words(), "car dunno", one_word)
    assert {*found.prompt.split()} - {"dunno"} == {"red", "apple"}
    assert found.reason == "no better edit" and found.start == "car dunno"
    assert len(found.edits) == 3
    for edit in found.edits:
        assert 0 < edit.low <= edit.gain <= edit.high
    errors = [edit.error for edit in found.edits]
    assert errors == sorted(errors, reverse=True)


def test_what_is_known_is_not_measured_again() -> None:
    picture = Words()
    found = improve(picture, "car dunno", one_word)
    assert len(set(picture.asked)) == len(picture.asked)
    assert found.passes == LEVELS * len(picture.asked)


def test_an_unsure_edit_is_not_taken() -> None:
    """A word of no worth stays, whatever the noises say of it."""
    found = improve(Words(spread=0.5), "dunno", lambda _: ["dunno dunno", "dunno dunno dunno"])
    assert (found.prompt, found.edits, found.reason) == ("dunno", (), "no better edit")


def test_many_edits_of_no_worth_are_rarely_taken() -> None:
    """Of many, one seems better by chance; noises that the race has not used tell. One in forty
    is still wrong, not every fourth."""
    taken = 0
    for seed in range(30):
        trials = [f"dunno {'dunno ' * number}x{seed}" for number in range(24)]
        taken += len(
            improve(Words(spread=0.3), f"x{seed}", lambda _, trials=trials: trials, edits=1).edits
        )
    assert taken <= 3


def test_a_race_that_is_stopped_takes_nothing() -> None:
    found = improve(Words(), "car", one_word, callback=lambda _, __: False)
    assert (found.edits, found.reason) == ((), "stopped") and found.passes > 0


def test_it_ends_when_it_should() -> None:
    assert len(improve(Words(), "car", one_word, edits=1).edits) == 1
    assert improve(Words(), "car", one_word, edits=1).reason == "edits"
    nothing = improve(Words(), "car", lambda _: [])
    assert (nothing.prompt, nothing.passes, nothing.reason) == ("car", 0, "no better edit")
    rankings: list[Ranking] = []

    def stop(found: Ranking, taken: int) -> bool:
        assert taken == 0
        rankings.append(found)
        return len(rankings) < 3

    stopped = improve(Words(), "car", one_word, callback=stop)
    assert stopped.reason == "stopped" and len(rankings) == 3
    late = improve(Words(), "car", one_word, seconds=1e-9)
    assert (late.reason, late.prompt) == ("seconds", "car")
    with pytest.raises(ConfigError, match="edits must be at least 1"):
        improve(Words(), "car", one_word, edits=0)


def test_the_time_and_the_user_end_a_confirmation() -> None:
    """It is long where the races have many rounds, and no edit is taken in the end."""
    told: list[int] = []

    def stop(found: Ranking, taken: int) -> bool:
        told.append(found.rounds)
        return len(told) < 2 or told[-1] != told[-2]  # the race has ended, and is told again

    picture = Words()
    stopped = improve(picture, "car", one_word, rounds=400, callback=stop)
    assert (stopped.reason, stopped.edits) == ("stopped", ())
    picture = Words()
    whole = improve(picture, "car", one_word, rounds=400, edits=1)
    noises = {noise for _, noise in picture.asked if noise >= 400}
    assert len(whole.edits) == 1 and noises == set(range(400, 408))
