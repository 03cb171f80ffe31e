"""What a search may cost: passes through the text tower, encoded texts, and waits for the device.

The bounds are formulas of the settings. A bound on waits counts the looks of the optimiser, not its
steps: a step waits for nothing, and only every fifth one is looked at.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import NamedTuple

import pytest
import torch

from pez_core import (
    ClipModel,
    LearnedPrompt,
    SearchConfig,
    Targets,
    learn_prompt,
    learn_prompts,
    make_mask,
    make_targets,
)
from tests.support.counting import CountingTower, CountingWaits

TOKENS = 6
LOOK_EVERY = 5
WIDEST = 4  # times the swaps that refinement begins with
START = 8  # waits of a search before its first step
# Every token of the first survives as text; of the second it has to be found out.
CLOSED, OPEN = "words", "all"
CONFIG = SearchConfig(steps=12, restarts=3, rounds=2, swaps=4, refine=1, patience=None)
CONFIGS = {
    "no refinement": CONFIG.replace(refine=0),
    "a refinement": CONFIG,
    "many steps": CONFIG.replace(steps=40, restarts=2),
    "many restarts": CONFIG.replace(restarts=8),
    "many swaps": CONFIG.replace(swaps=32),
    "two refined": CONFIG.replace(refine=2),
}


class Cost(NamedTuple):
    """A search with what it has cost, and what the bounds are made of."""

    result: LearnedPrompt
    counts: Counter[str]
    waits: int
    looks: int
    refined: int  # steps of refinement


def counted(model: ClipModel, counts: Counter[str]) -> ClipModel:
    return replace(model, tower=CountingTower(model.tower, counts))


@pytest.fixture(scope="module")
def targets(demo: ClipModel) -> Targets:
    return make_targets(demo.encode_texts(["a red apple on a table"]))


def cost(model: ClipModel, targets: Targets, config: SearchConfig, kind: str) -> Cost:
    counts: Counter[str] = Counter()
    mask = make_mask(model.vocabulary, kind)
    assert mask.closed == (kind == CLOSED)
    with CountingWaits() as waits:
        result = learn_prompt(
            counted(model, counts), targets, f"{{{TOKENS}}}", config=config, mask=mask
        )
    looks = config.rounds * math.ceil(config.steps / LOOK_EVERY)
    return Cost(result, counts, waits.count, looks, result.steps - config.rounds * config.steps)


@pytest.mark.parametrize("kind", [CLOSED, OPEN])
@pytest.mark.parametrize("name", CONFIGS)
def test_a_search_costs_no_more_than_its_steps(
    name: str, kind: str, demo: ClipModel, targets: Targets
) -> None:
    config = CONFIGS[name]
    found = cost(demo, targets, config, kind)
    counts, restarts, looks, refined = found.counts, config.restarts, found.looks, found.refined
    assert refined >= (config.refine > 0)

    # A step is one pass with a gradient, of all restarts; of refinement, of all that are refined.
    if config.refine <= 1:
        assert counts["gradient"] == found.result.steps
    assert counts["gradient"] <= found.result.steps
    steps = config.rounds * config.steps
    assert counts["gradient sequences"] == steps * restarts + refined

    # A step of refinement tries `swaps` tokens in every place, in passes of a bounded size.
    trials = TOKENS * config.swaps * WIDEST
    width = (TOKENS + 2) * demo.tower.token_embedding.shape[1]
    assert counts["trials"] <= refined * math.ceil(trials / max(32, 2**19 // width))
    assert counts["trials sequences"] <= refined * trials

    # A text is encoded when it is the best so far: at most one a look, one a step of refinement,
    # and the candidates in the end. Of tokens that may not survive as text, every text may have to
    # be.
    texts = looks + refined + 1
    if kind == OPEN:
        texts += looks * restarts + refined
    assert len(found.result.history) < counts["texts"] <= texts
    assert counts["texts sequences"] <= texts + 2 * config.candidates

    # Python waits once a look, for the tokens of every restart that has become better, and for the
    # similarity and the penalty of each encoded text. A step of refinement waits for the scores,
    # and for each prompt for the best of its trials, once more for its score and once for its
    # tokens; in an open vocabulary also for what survives of the prompt and of its trials.
    each = 4 if kind == CLOSED else 8
    waits = START + looks * (1 + restarts) + 2 * counts["texts sequences"] + each * refined
    assert found.waits <= waits


def test_more_steps_between_two_looks_cost_no_wait(demo: ClipModel, targets: Targets) -> None:
    """Where every prompt is the same: then nothing becomes better, and the counts are exact."""
    mask = make_mask(demo.vocabulary, allow=["apple"])
    waits = {}
    for steps in (1, 5, 6, 10, 11):
        with CountingWaits() as counting:
            learn_prompt(
                demo, targets, "{2}", config=CONFIG.replace(steps=steps, refine=0), mask=mask
            )
        waits[steps] = counting.count
    assert waits[5] == waits[1] + 1  # the first step of a search shows its words
    assert waits[5] < waits[6] == waits[10] < waits[11]
    assert waits[6] - waits[5] == waits[11] - waits[10] == CONFIG.rounds


@pytest.mark.parametrize("count", [1, 3])
def test_searches_that_run_together_share_every_pass(
    count: int, demo: ClipModel, targets: Targets
) -> None:
    counts: Counter[str] = Counter()
    config = CONFIG.replace(refine=0)
    done = dict(learn_prompts(counted(demo, counts), [targets] * count, config=config, at_once=3))
    assert len(done) == count
    steps = config.rounds * config.steps
    assert counts["gradient"] == steps
    assert counts["gradient sequences"] == steps * config.restarts * count


def test_the_counters_count() -> None:
    """The test's own guard: each of these would wait for a GPU, and none of the others."""
    values = torch.arange(4.0)
    with CountingWaits() as waits:
        for wait in (
            lambda: values[0].item(),
            lambda: values.tolist(),
            lambda: bool(values[0]),
            lambda: float(values[0]),
            lambda: values[values > 1],
            lambda: values.nonzero(),
        ):
            before = waits.count
            wait()
            assert waits.count == before + 1
        values[0], values[values.long()], values + values, values.max(dim=0)
        assert waits.count == before + 1
