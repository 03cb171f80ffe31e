"""A search stops on request, says why, and always has a prompt."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch

from pez_core import (
    ClipModel,
    LearnedPrompt,
    SearchConfig,
    StepInfo,
    Targets,
    learn_prompt,
    make_mask,
    make_targets,
)
from pez_core.search.searcher import prepare_search
from tests.support.clocks import TickingClock
from tests.support.oracle import DemoOracle

CONFIG = SearchConfig(steps=7, restarts=2, rounds=3, swaps=2, patience=None)


class Stop(Exception):
    """What a caller may raise from its callback."""


@pytest.fixture(scope="module")
def targets(demo: ClipModel) -> Targets:
    return make_targets(demo.encode_texts(["a red apple on a table"]))


def assert_valid(result: LearnedPrompt, targets: Targets, oracle: DemoOracle) -> None:
    assert result.candidates and result.history
    for candidate in result.candidates:
        assert candidate.similarity == pytest.approx(
            oracle.similarity(candidate.text, targets), abs=1e-5
        )


@pytest.mark.parametrize("stop_at", [2, 9, None])
def test_a_search_leaves_nothing_in_memory(
    demo: ClipModel, targets: Targets, stop_at: int | None
) -> None:
    """Its tower and table are freed at once: on a GPU they are as large as the model, and the
    garbage collector does not know when the GPU is full."""
    searcher = prepare_search(
        demo, config=CONFIG, callback=lambda info: info.step != stop_at, dtype=torch.bfloat16
    )
    watched = [weakref.ref(searcher.tower), weakref.ref(searcher.table), weakref.ref(searcher)]
    gc.collect()
    gc.disable()
    try:
        result = searcher.learn(targets)
        del searcher
        assert [ref() for ref in watched] == [None, None, None]
    finally:
        gc.enable()
    assert result.stopped == ("steps" if stop_at is None else "user")


@pytest.mark.parametrize("kind", ["ascii", "all"])
@pytest.mark.parametrize("last", [1, 2, 6, 9])
def test_a_callback_ends_the_search_with_a_prompt(
    last: int, kind: str, demo: ClipModel, targets: Targets, oracle: DemoOracle
) -> None:
    """At any step, the first included: nothing runs on, and the best so far is valid."""
    seen: list[int] = []

    def callback(info: StepInfo) -> bool:
        seen.append(info.step)
        return info.step < last

    mask = make_mask(demo.vocabulary, kind)
    result = learn_prompt(demo, targets, config=CONFIG, callback=callback, mask=mask)
    assert seen == list(range(1, last + 1))
    assert (result.stopped, result.steps) == ("user", last)
    assert_valid(result, targets, oracle)


def test_only_false_stops(demo: ClipModel, targets: Targets) -> None:
    """A callback that returns None, 0 or True lets the search run on."""
    answers = iter([None, 0, True] * 1000)
    result = learn_prompt(demo, targets, config=CONFIG, callback=lambda info: next(answers))
    assert result.stopped == "steps"


def test_the_callback_gets_the_truth(demo: ClipModel, targets: Targets, oracle: DemoOracle) -> None:
    """Steps count up within the total, both phases occur, and the best is real and never falls."""
    infos: list[StepInfo] = []
    result = learn_prompt(demo, targets, config=CONFIG, callback=infos.append)
    assert [info.step for info in infos] == list(range(1, result.steps + 1))
    assert all(info.step <= info.total for info in infos)
    assert {info.phase for info in infos} == {"pez", "refine"}
    bests = [info.best for info in infos if info.best is not None]
    assert all(a.similarity <= b.similarity for a, b in zip(bests, bests[1:], strict=False))
    for best in set(bests):
        assert best.similarity == pytest.approx(oracle.similarity(best.text, targets), abs=1e-5)
    assert bests[-1].similarity == pytest.approx(result.best.similarity, abs=1e-6)


def test_an_exception_of_the_callback_reaches_the_caller(demo: ClipModel, targets: Targets) -> None:
    """ComfyUI's own interruption is one; it is not swallowed."""

    def callback(info: StepInfo) -> None:
        raise Stop

    with pytest.raises(Stop):
        learn_prompt(demo, targets, config=CONFIG, callback=callback)


def test_a_budget_of_time_ends_the_search(
    demo: ClipModel, targets: Targets, oracle: DemoOracle, clock: TickingClock
) -> None:
    """However small, one step is taken, and the prompt is valid; a large one is not used up; and
    one between them ends the search between two steps, when it is used up."""
    result = learn_prompt(demo, targets, config=CONFIG.replace(seconds=1e-9))
    assert (result.stopped, result.steps) == ("seconds", 1)
    assert_valid(result, targets, oracle)
    whole = learn_prompt(demo, targets, config=CONFIG.replace(seconds=1e9))
    assert whole.stopped == "steps"
    limit = whole.seconds / 2
    result = learn_prompt(demo, targets, config=CONFIG.replace(seconds=limit))
    assert result.stopped == "seconds" and 1 < result.steps < whole.steps
    assert limit <= result.seconds < limit + 20 * clock.tick  # one step looks at it a few times


def test_rounds_without_gain_are_a_plateau(demo: ClipModel, targets: Targets) -> None:
    """With one possible prompt the second round gains nothing, and patience counts such rounds."""
    mask = make_mask(demo.vocabulary, allow=["apple"])
    config = CONFIG.replace(rounds=10, refine=0)
    for patience in (1, 3):
        result = learn_prompt(
            demo, targets, "{2}", config=config.replace(patience=patience), mask=mask
        )
        assert (result.stopped, result.steps) == ("plateau", (1 + patience) * config.steps)
    result = learn_prompt(demo, targets, "{2}", config=config, mask=mask)
    assert (result.stopped, result.steps) == ("steps", 10 * config.steps)


def test_without_refinement_the_steps_are_those_asked_for(
    demo: ClipModel, targets: Targets
) -> None:
    """rounds · steps, all of them of PEZ."""
    infos: list[StepInfo] = []
    config = CONFIG.replace(refine=0, rounds=2)
    result = learn_prompt(demo, targets, config=config, callback=infos.append)
    assert (result.stopped, result.steps) == ("steps", 14)
    assert {(info.phase, info.total) for info in infos} == {("pez", 14)}


def test_a_long_step_of_refinement_can_be_ended_within(
    demo: ClipModel, targets: Targets, oracle: DemoOracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the passes over its trials; what was found before it counts."""
    monkeypatch.setattr("pez_core.search.refine.ON_CPU", 1)  # the least: 32 trials a pass
    told: list[int] = []

    def callback(info: StepInfo) -> bool:
        told.append(info.step)
        return len(told) < 2 or told[-1] != told[-2]

    result = learn_prompt(demo, targets, "{6}", config=CONFIG.replace(swaps=32), callback=callback)
    assert result.stopped == "user"
    assert told[-1] == told[-2] == result.steps >= CONFIG.steps
    assert_valid(result, targets, oracle)
