"""The bigram prior: probabilities that sum to one, exact changes, and that it distinguishes
captions from shuffled words."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from random import Random

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pez_core.errors import WeightsError
from pez_core.search.fluency import BIGRAMS, BigramPrior, Fluency, read_prior
from pez_core.text.vocabulary import Vocabulary

START, END, ONE = 49406, 49407, 1e-4  # how near to 1 a sum of 49,408 float32 numbers comes
WORDS = ("red", "cat", "a", "background", "xylo", "of", "on", ",")


@pytest.fixture(scope="module")
def prior(vocabulary: Vocabulary) -> BigramPrior:
    return read_prior(vocabulary)


def text_score(prior: BigramPrior, vocabulary: Vocabulary, text: str) -> float:
    return float(prior.log_probability(torch.tensor([vocabulary.encode(text)])))


def by_hand(path: Path, first: int, second: int) -> float:
    """P(second | first) read off the file: a pair's share, and what is left to the unigrams."""
    file = load_file(path)
    tokens = file["tokens"].tolist()
    a, b = (tokens.index(t) if t in tokens else len(tokens) for t in (first, second))
    chance = math.exp(file["rest"][a] + file["unigram"][b])
    start, stop = file["starts"][a], file["starts"][a + 1]
    for place in range(start, stop):
        if file["second"][place] == b:
            chance += math.exp(file["share"][place])
    return chance


def test_the_file_is_small() -> None:
    assert BIGRAMS.stat().st_size < 300_000


@pytest.mark.parametrize("context", ["red", "a", "of", "zzz", "watermelon", None])
def test_what_may_follow_sums_to_one(
    prior: BigramPrior, vocabulary: Vocabulary, context: str | None
) -> None:
    """Over the whole vocabulary, after the start, frequent, rare and unknown tokens."""
    first = START if context is None else vocabulary.encode(context)[-1]
    everything = prior.numbers(torch.arange(vocabulary.size))
    chances = prior.between(prior.numbers(torch.tensor(first)), everything).double().exp()
    assert chances.min() > 0
    assert chances.sum().item() == pytest.approx(1, abs=ONE)


def test_a_text_has_the_product_of_its_pairs(prior: BigramPrior, vocabulary: Vocabulary) -> None:
    """Start and end included, seen pairs and unseen ones, known tokens and unknown ones."""
    for text in ("a red cat", "cat red zzz a", "schrödinger's watermelon"):
        ids = [START, *vocabulary.encode(text), END]
        expected = sum(math.log(by_hand(BIGRAMS, a, b)) for a, b in itertools.pairwise(ids))
        assert text_score(prior, vocabulary, text) == pytest.approx(expected, abs=0.02)


def test_unknown_tokens_are_improbable_and_alike(
    prior: BigramPrior, vocabulary: Vocabulary
) -> None:
    """They are not forbidden, and the prior does not distinguish them from each other."""
    known = text_score(prior, vocabulary, "a cat")
    unknown = [vocabulary.encode(word) for word in ("parliament", "chelsea")]
    batch = torch.tensor([[320, *ids] for ids in unknown])
    assert prior.numbers(batch[:, 1]).tolist() == [len(prior.unigram) - 1] * 2
    first, second = prior.log_probability(batch).tolist()
    assert first == second and -math.inf < first < known - 5


def test_captions_score_above_their_words_in_another_order(
    prior: BigramPrior, vocabulary: Vocabulary, root: Path
) -> None:
    """200 captions that were not counted: nearly all of those that have another order."""
    lines = (root / "tests/fixtures/captions.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 200
    random, won, fair = Random(1), 0, 0
    for line in lines:
        words = line.split()
        shuffled = random.sample(words, len(words))
        if shuffled == words:
            continue
        fair += 1
        scores = [text_score(prior, vocabulary, text) for text in (line, " ".join(shuffled))]
        won += scores[0] > scores[1]
    assert fair > 190 and won / fair > 0.95


@pytest.fixture(scope="module")
def table(vocabulary: Vocabulary) -> Tensor:
    """Tokens of a small table, some of which no caption has. (A,)"""
    ids = [i for word in (*WORDS, "nietzsche", "green", "photo") for i in vocabulary.encode(word)]
    return torch.tensor(sorted(set(ids)))


LAYOUTS = {
    "slots alone": [START, -1, -1, -1, END],
    "words around": [START, 320, -1, 537, -1, -1, 267, END],
    "one slot": [START, -1, END],
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_the_changes_are_those_of_every_swap(
    prior: BigramPrior, table: Tensor, layout: list[int]
) -> None:
    """Scores and changes against the probability of whole texts, the fixed words included."""
    places = torch.tensor(layout).lt(0).nonzero().squeeze(1)
    fluency = Fluency(prior, torch.tensor(layout), table)
    rows = torch.randint(len(table), (3, len(places)), generator=torch.Generator().manual_seed(4))

    def whole(rows: Tensor) -> Tensor:
        ids = torch.tensor(layout).repeat(len(rows), 1)
        ids[:, places] = table[rows]
        return prior.log_probability(ids[:, 1:-1]) / (len(layout) - 1)

    before = whole(rows)
    assert torch.allclose(fluency.scores(rows), before, atol=1e-5)
    changes = fluency.changes(rows)
    assert changes.shape == (3, len(places), len(table))
    for place in range(len(places)):
        for token in range(len(table)):
            swapped = rows.clone()
            swapped[:, place] = token
            expected = whole(swapped) - before
            assert torch.allclose(changes[:, place, token], expected, atol=1e-5)
    assert torch.allclose(changes.gather(2, rows[..., None]), torch.zeros(1), atol=1e-5)
    assert changes.max() > 0.1


def test_a_prior_of_another_vocabulary_is_refused(vocabulary: Vocabulary, tmp_path: Path) -> None:
    """The same size is not enough: the tokens have to be the same."""
    tensors = load_file(BIGRAMS)
    for place in (2, 3):
        other = dict(tensors, vocabulary=tensors["vocabulary"].clone())
        other["vocabulary"][place] += 1
        save_file(other, tmp_path / "other.safetensors")
        with pytest.raises(WeightsError, match="another vocabulary"):
            read_prior(vocabulary, tmp_path / "other.safetensors")


def test_a_file_of_another_kind_is_refused(vocabulary: Vocabulary, tmp_path: Path) -> None:
    save_file({"tokens": torch.zeros(3)}, tmp_path / "x.safetensors")
    with pytest.raises(WeightsError, match="not a bigram prior, it has no vocabulary"):
        read_prior(vocabulary, tmp_path / "x.safetensors")
    with pytest.raises(WeightsError, match="no such file"):
        read_prior(vocabulary, tmp_path / "y.safetensors")
