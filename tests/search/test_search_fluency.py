"""With fluency a search prefers what reads like a caption; it still reports the similarity."""

from __future__ import annotations

import pytest
import torch

from pez_core import ClipModel, SearchConfig, Targets, learn_prompt, make_mask, make_targets
from pez_core.errors import ConfigError
from pez_core.search.fluency import read_prior
from tests.support.oracle import DemoOracle

CONFIG = SearchConfig(steps=10, restarts=4, rounds=2, patience=None)
WEIGHT = 0.02


@pytest.fixture(scope="module")
def apple(demo: ClipModel) -> Targets:
    return make_targets(demo.encode_texts(["a red apple on a green background"]))


def nats(demo: ClipModel, ids: tuple[int, ...]) -> float:
    prior = read_prior(demo.vocabulary)
    return prior.log_probability(torch.tensor([ids])).item() / (len(ids) + 1)


@pytest.mark.parametrize("kind", ["words", "all"])
def test_prompts_are_more_fluent_and_scores_true(
    kind: str, demo: ClipModel, apple: Targets, oracle: DemoOracle
) -> None:
    """By a nat a token at least; ranked by similarity and fluency together."""
    mask = make_mask(demo.vocabulary, kind, words=demo.source.words)
    plain = learn_prompt(demo, apple, config=CONFIG, mask=mask)
    fluent = learn_prompt(demo, apple, config=CONFIG.replace(fluency=WEIGHT), mask=mask)
    assert nats(demo, fluent.best.ids) > nats(demo, plain.best.ids) + 1
    for candidate in fluent.candidates:
        assert list(candidate.ids) == oracle.tokenizer.encode(candidate.text)
        true = oracle.similarity(candidate.text, apple)
        assert candidate.similarity == pytest.approx(true, abs=1e-5)
    worths = [c.similarity + WEIGHT * nats(demo, c.ids) for c in fluent.candidates]
    assert worths == sorted(worths, reverse=True)
    assert fluent.settings["fluency"] == WEIGHT


def test_fixed_words_count(demo: ClipModel, apple: Targets) -> None:
    """A template's words are read by the prior as well, and the search goes through."""
    config = CONFIG.replace(fluency=WEIGHT)
    result = learn_prompt(demo, apple, "a red {2} on a {2}", config=config)
    assert result.best.text.startswith("a red ")


@pytest.mark.parametrize("weight", [-0.1, float("nan"), float("inf")])
def test_a_weight_that_is_none_is_refused(weight: float) -> None:
    with pytest.raises(ConfigError, match="fluency"):
        SearchConfig(fluency=weight)
