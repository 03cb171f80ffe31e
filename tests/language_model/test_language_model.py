"""Prompts for a language model, against no prompt and random ones, and how a search ends."""

from __future__ import annotations

import math

import pytest
import torch

from pez_core.config import OPTIMIZERS as NAMES
from pez_core.language_model import (
    Example,
    LanguageModel,
    TextConfig,
    TextStep,
    learn_text_prompt,
    score_text,
)
from pez_core.language_model.tokens import text_of
from tests.support.language_support import VERBALIZERS, reviews, table_of
from training.instructed import AFTER, KEYS

pytest_plugins = ("tests.support.language_fixtures",)

SHORT = TextConfig(steps=40, restarts=4)


@pytest.mark.parametrize("task", KEYS)
def test_a_learned_prompt_beats_none_and_random_ones(instructed: LanguageModel, task: str) -> None:
    """On held-out examples, by more than four standard deviations of a binomial share."""
    data = reviews(task, 420, seed=5)  # all different
    training, held = data[:120], data[120:]
    result = learn_text_prompt(
        instructed, training, VERBALIZERS, holdout=held, after=AFTER, tokens=4, config=SHORT
    )
    table, draw = table_of(instructed), torch.Generator().manual_seed(9)
    texts = [
        text_of(instructed.tokenizer, ids)
        for ids in table.ids[torch.randint(len(table.ids), (8, 4), generator=draw)].tolist()
    ]
    others = [
        score_text(instructed, t, held, VERBALIZERS, after=AFTER).accuracy for t in ["", *texts]
    ]
    assert others[0] == result.empty.accuracy
    for other in (others[0], sum(others[1:]) / 8):
        deviation = math.sqrt(other * (1 - other) / len(held))
        assert result.best.holdout.accuracy > other + 4 * deviation


def test_what_is_reported_is_the_texts_own(instructed: LanguageModel) -> None:
    held, training = reviews("food", 50, seed=6), reviews("food", 60, seed=5)
    result = learn_text_prompt(
        instructed, training, VERBALIZERS, holdout=held, after=AFTER, tokens=3, config=SHORT
    )
    texts = [candidate.text for candidate in result.candidates]
    assert 1 < len(texts) == len(set(texts)) <= SHORT.candidates
    for candidate in result.candidates:
        assert candidate.text == candidate.text.strip()
        assert candidate.ids == tuple(instructed.encode(candidate.text))
        for told, examples in ((candidate.training, training), (candidate.holdout, held)):
            again = score_text(instructed, candidate.text, examples, VERBALIZERS, after=AFTER)
            assert told.accuracy == again.accuracy
            assert told.loss == pytest.approx(again.loss, abs=1e-5)
    losses = [candidate.training.loss for candidate in result.candidates]
    assert losses == sorted(losses)
    told = [loss for _, _, loss, _ in result.history]
    assert told == sorted(told, reverse=True) and told[-1] == losses[0]


def test_fluency_makes_prompts_likelier(instructed: LanguageModel) -> None:
    found = {}
    for share in (0.0, 0.5):
        result = learn_text_prompt(
            instructed, reviews("food", 60, seed=5), VERBALIZERS, after=AFTER, tokens=4,
            config=TextConfig(steps=40, fluency=share),
        )  # fmt: skip
        found[share] = result.best.unlikeliness
    assert found[0.5] < found[0.0] - 0.5  # nats per token


def test_equal_seeds_give_equal_prompts(instructed: LanguageModel) -> None:
    def learned(seed: int) -> list[str]:
        result = learn_text_prompt(
            instructed, reviews("food", 40, seed=5), VERBALIZERS, after=AFTER, tokens=3,
            config=TextConfig(steps=12, restarts=2, look_every=4), seed=seed,
        )  # fmt: skip
        return [candidate.text for candidate in result.candidates]

    assert learned(1) == learned(1) != learned(2)


@pytest.mark.parametrize("name", NAMES)
def test_a_search_runs_with_every_optimizer(instructed: LanguageModel, name: str) -> None:
    result = learn_text_prompt(
        instructed, reviews("food", 40, seed=5), VERBALIZERS, after=AFTER, tokens=2,
        config=TextConfig(optimizer=name, steps=4, restarts=2, swaps=4, look_every=2),
    )  # fmt: skip
    assert result.settings["optimizer"] == name and result.steps == 4
    again = score_text(
        instructed, result.best.text, reviews("food", 40, seed=5), VERBALIZERS, after=AFTER
    )
    assert again.count == result.best.training.count + result.best.holdout.count


def test_a_callback_ends_a_search_with_the_best_so_far(instructed: LanguageModel) -> None:
    seen: list[TextStep] = []

    def stop(info: TextStep) -> bool:
        seen.append(info)
        return info.step < 7

    result = learn_text_prompt(
        instructed, reviews("food", 40, seed=5), VERBALIZERS, after=AFTER, tokens=2, config=SHORT,
        callback=stop,
    )  # fmt: skip
    assert (result.stopped, result.steps, len(seen)) == ("user", 7, 7)
    assert result.best.text and seen[-1].total == SHORT.steps


@pytest.mark.usefixtures("clock")
def test_a_time_limit_ends_a_search(instructed: LanguageModel) -> None:
    config = TextConfig(steps=10_000, restarts=1, seconds=0.05)
    result = learn_text_prompt(
        instructed, reviews("food", 40, seed=5), VERBALIZERS, after=AFTER, tokens=2, config=config
    )
    assert result.stopped == "seconds" and result.steps < 1000 and result.best.text


def test_under_inference_mode_it_learns_as_well(instructed: LanguageModel) -> None:
    data = [Example("the soup was good", "true"), Example("the plot was bad", "false")] * 4
    config = TextConfig(steps=4, restarts=2)
    outside = learn_text_prompt(instructed, data, VERBALIZERS, tokens=2, config=config)
    with torch.inference_mode():
        inside = learn_text_prompt(instructed, data, VERBALIZERS, tokens=2, config=config)
    assert inside.candidates == outside.candidates
