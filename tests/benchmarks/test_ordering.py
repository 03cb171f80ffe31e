"""The best order of words that benchmarks/quality/readability.py compares with, against all
orders."""

from __future__ import annotations

import itertools

import pytest
import torch

from benchmarks.quality.ordering import best_order
from pez_core.errors import ConfigError
from pez_core.search.fluency import BigramPrior, read_prior
from pez_core.text.vocabulary import Vocabulary

START, END = 49406, 49407


@pytest.fixture(scope="module")
def prior(vocabulary: Vocabulary) -> BigramPrior:
    return read_prior(vocabulary)


@pytest.mark.parametrize(
    "template",
    [[START, *[-1] * 6, END], [START, 320, -1, -1, 537, 320, -1, -1, 1125, -1, END]],
    ids=["slots alone", "words between"],
)
def test_the_best_order_is_the_best_of_all(
    prior: BigramPrior, vocabulary: Vocabulary, template: list[int]
) -> None:
    """Against all permutations; a word that stands twice is kept twice."""
    layout = torch.tensor(template)
    count = int(layout.lt(0).sum())
    ids = torch.tensor(vocabulary.encode("red background cat red photo on")[:count])
    orders = torch.tensor(list(itertools.permutations(ids.tolist())))
    texts = layout.repeat(len(orders), 1)
    texts[:, layout < 0] = orders
    scores = prior.log_probability(texts[:, 1:-1])
    found = best_order(prior, layout, ids)
    assert sorted(found.tolist()) == sorted(ids.tolist())
    index = orders.eq(found).all(dim=1).nonzero()[0]
    assert scores[index].item() == pytest.approx(scores.max().item(), abs=1e-4)
    assert scores.max() - scores.median() > 1


def test_one_word_has_one_order(prior: BigramPrior) -> None:
    one = torch.tensor([2368])
    assert best_order(prior, torch.tensor([START, -1, END]), one).tolist() == [2368]


def test_too_many_words_are_refused(prior: BigramPrior) -> None:
    with pytest.raises(ConfigError, match="17 tokens .* at most 16"):
        best_order(prior, torch.tensor([START, *[-1] * 17, END]), torch.arange(17) + 500)
