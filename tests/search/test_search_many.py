"""Searches that share each pass through the tower end as they do alone, and one may fail without
the others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from pez_core import (
    ClipModel,
    LearnedPrompt,
    SearchConfig,
    StepInfo,
    Targets,
    learn_prompt,
    learn_prompts,
    make_targets,
)
from pez_core.errors import ConfigError, TargetError
from tests.support.clocks import TickingClock

CONFIG = SearchConfig(steps=6, restarts=2, rounds=3, swaps=3, patience=1)
TEXTS = ("a red apple", "a blue car", "a snowman", "a smiling cat", "two green leaves")


@pytest.fixture(scope="module")
def goals(demo: ClipModel) -> list[Targets]:
    return [make_targets(demo.encode_texts([text])) for text in TEXTS]


def collected(runs: Iterator[tuple[int, object]]) -> dict[int, LearnedPrompt]:
    results = dict(runs)
    assert all(isinstance(result, LearnedPrompt) for result in results.values())
    return results  # type: ignore[return-value]


@pytest.mark.parametrize("at_once", [1, 2, 8])
def test_each_result_is_that_of_the_search_alone(
    at_once: int, demo: ClipModel, goals: list[Targets]
) -> None:
    """Candidates, steps and the reason to stop; also of those that begin in a place set free."""
    results = collected(learn_prompts(demo, goals, config=CONFIG, at_once=at_once, seed=3))
    assert sorted(results) == list(range(len(TEXTS)))
    for number, goal in enumerate(goals):
        alone = learn_prompt(demo, goal, config=CONFIG, seed=3)
        shared = results[number]
        assert [c.text for c in shared.candidates] == [c.text for c in alone.candidates]
        assert (shared.steps, shared.stopped) == (alone.steps, alone.stopped)
        assert shared.best.similarity == pytest.approx(alone.best.similarity, abs=1e-6)
        assert [h[0] for h in shared.history] == [h[0] for h in alone.history]


def test_two_refined_of_each_round(demo: ClipModel, goals: list[Targets]) -> None:
    config = CONFIG.replace(refine=2, rounds=2, patience=None)
    results = collected(learn_prompts(demo, goals[:3], config=config))
    for number, goal in enumerate(goals[:3]):
        alone = learn_prompt(demo, goal, config=config)
        assert results[number].best.text == alone.best.text
        assert results[number].steps == alone.steps


def test_goals_are_read_when_a_place_is_free(demo: ClipModel, goals: list[Targets]) -> None:
    """Ten thousand pictures are not encoded before the first prompt is there."""
    read: list[int] = []

    def source() -> Iterator[Targets]:
        for number, goal in enumerate(goals):
            read.append(number)
            yield goal

    runs = learn_prompts(demo, source(), config=CONFIG, at_once=2)
    assert read == []
    next(runs)
    assert len(read) == 2
    assert len(dict(runs)) == len(goals) - 1
    assert read == list(range(len(goals)))


def test_a_wrong_goal_is_a_result_and_ends_no_other(demo: ClipModel, goals: list[Targets]) -> None:
    wrong = make_targets(torch.randn(1, 7))
    results = dict(learn_prompts(demo, [wrong, goals[0], wrong], config=CONFIG, at_once=1))
    assert isinstance(results[0], TargetError) and isinstance(results[2], TargetError)
    assert isinstance(results[1], LearnedPrompt)
    with pytest.raises(TargetError):
        learn_prompt(demo, wrong, config=CONFIG)


def test_the_callback_stops_one_search_and_the_others_go_on(
    demo: ClipModel, goals: list[Targets]
) -> None:
    """The callback gets the steps of each search, under its number."""
    told: dict[int, list[int]] = {0: [], 1: [], 2: []}

    def callback(info: StepInfo) -> bool:
        told[info.number].append(info.step)
        return not (info.number == 1 and info.step == 4)

    results = collected(learn_prompts(demo, goals[:3], config=CONFIG, callback=callback))
    assert (results[1].stopped, results[1].steps) == ("user", 4)
    assert told[1] == [1, 2, 3, 4]
    for number in (0, 2):
        assert results[number].stopped != "user"
        assert told[number] == list(range(1, results[number].steps + 1))
        alone = learn_prompt(demo, goals[number], config=CONFIG)
        assert results[number].best.text == alone.best.text


def test_the_time_is_shared_out(demo: ClipModel, goals: list[Targets], clock: TickingClock) -> None:
    """Searches that run together have the whole time among them, so a limit is one of work."""
    config = CONFIG.replace(patience=None)
    start = clock.now
    results = collected(learn_prompts(demo, goals, config=config, at_once=5))
    seconds = [result.seconds for result in results.values()]
    assert max(seconds) < 2 * min(seconds)
    assert sum(seconds) <= clock.now - start
    limited = collected(learn_prompts(demo, goals, config=CONFIG.replace(seconds=1e-9)))
    assert {result.stopped for result in limited.values()} == {"seconds"}
    assert all(result.candidates for result in limited.values())


def test_no_place_means_no_search(demo: ClipModel, goals: list[Targets]) -> None:
    with pytest.raises(ConfigError, match="at_once"):
        learn_prompts(demo, goals, at_once=0)
