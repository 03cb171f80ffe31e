"""What each token does and which tokens could replace it, against open_clip's own reading of the
changed texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from pez_core import ClipModel, Targets, make_mask, make_targets
from pez_core.applications.attribution import alternatives, contributions, estimated_contributions
from pez_core.text.edits import Edits, edited_text, split_words
from pez_core.text.vocabulary import TokenMask
from tests.support.nodes_support import example
from tests.support.oracle import DemoOracle

CLOSE = 2e-5
TEXTS = (
    "a",
    "green striped watermelon",
    "Two cats, a dog (and it's owner) on a skateboard!",
    "watermelonish skaterish thing",
)


def blend(model: ClipModel) -> Targets:
    """Something to come near to and something to keep away from."""
    return make_targets(model.encode_texts(["a slice of fruit", "a grey cat"]), [1.0, -0.5])


@pytest.fixture(scope="session")
def words_mask(demo: ClipModel) -> TokenMask:
    return make_mask(demo.vocabulary, "words", words=demo.source.words)


@torch.no_grad()
def similarities(oracle: DemoOracle, sequences: list[list[int]], targets: Targets) -> list[float]:
    """By open_clip's forward on ids without start and end, padded as its tokeniser pads."""
    ids = torch.zeros(len(sequences), 77, dtype=torch.long)
    for row, sequence in zip(ids, sequences, strict=True):
        full = [49406, *sequence, 49407]
        row[: len(full)] = torch.tensor(full)
    features = oracle.model.encode_text(ids, normalize=True)
    scores = features @ targets.features.T @ targets.weights / targets.weights.abs().sum()
    found: list[float] = scores.tolist()
    return found


@pytest.mark.parametrize("text", TEXTS)
def test_a_contribution_is_what_leaving_out_costs(
    demo: ClipModel, oracle: DemoOracle, text: str
) -> None:
    """Token by token, pieces of words too."""
    targets, ids = blend(demo), demo.vocabulary.encode(text)
    without = [ids[:i] + ids[i + 1 :] for i in range(len(ids))]
    whole, *rest = similarities(oracle, [ids, *without], targets)
    found = contributions(demo, ids, targets)
    assert found == pytest.approx([whole - score for score in rest], abs=CLOSE)
    assert len(ids) == 1 or max(found) > 0.01


def test_of_nothing_nothing_is_measured(demo: ClipModel, words_mask: TokenMask) -> None:
    assert contributions(demo, [], blend(demo)) == []
    assert alternatives(demo, [], blend(demo), words_mask) == []


def test_beyond_the_context_nothing_is_measured(
    demo: ClipModel, oracle: DemoOracle, words_mask: TokenMask
) -> None:
    """CLIP reads 75 tokens: contributions are of the prompt that is cut there."""
    ids = demo.vocabulary.encode("a red cat " * 30)
    targets, cut = blend(demo), ids[:75]
    found = contributions(demo, ids, targets)
    whole, first, last = similarities(oracle, [cut, cut[1:], cut[:-1]], targets)
    assert len(found) == 75
    assert (found[0], found[-1]) == pytest.approx((whole - first, whole - last), abs=CLOSE)
    words = split_words("red " * 73 + "skateboarder watermelonish end", demo.vocabulary)
    others = alternatives(demo, words, targets, words_mask, count=1)
    read = [sum(len(w.ids) for w in words[: i + 1]) <= 75 for i in range(len(words))]
    assert read.count(False) > 1 and [bool(found) for found in others] == read


@pytest.mark.parametrize("text", TEXTS)
def test_an_alternatives_similarity_is_that_of_the_new_text(
    demo: ClipModel, oracle: DemoOracle, words_mask: TokenMask, text: str
) -> None:
    """Encoded anew as the edited text would be; the best first, and none is the word itself."""
    targets, words = blend(demo), split_words(text, demo.vocabulary)
    others = alternatives(demo, words, targets, words_mask, count=4)
    assert len(others) == len(words)
    for index, found in enumerate(others):
        assert len(found) == 4 and len({other.text for other in found}) == 4
        scores = [other.similarity for other in found]
        assert scores == sorted(scores, reverse=True)
        for other in found:
            assert other.ids != words[index].ids and set(other.ids) <= set(words_mask.ids)
            assert demo.vocabulary.decode(other.ids) == other.text
            changed = edited_text(words, Edits(replaced={index: other.text}))
            assert other.similarity == pytest.approx(oracle.similarity(changed, targets), abs=CLOSE)


@pytest.mark.parametrize(
    ("text", "index"), [("photo of a strawberry", 3), ("green penguin photo", 1)]
)
def test_the_word_that_fits_is_found(
    demo: ClipModel, oracle: DemoOracle, words_mask: TokenMask, text: str, index: int
) -> None:
    """In the place of a word that does not, the best of all allowed. But: only a few are tried, so
    it is not always the very best."""
    targets = make_targets(oracle.pictures([example()]))
    words = split_words(text, demo.vocabulary)
    best = alternatives(demo, words, targets, words_mask)[index][0]
    texts = [
        edited_text(words, Edits(replaced={index: demo.vocabulary.decode([i])}))
        for i in words_mask.ids
    ]
    scores = (demo.encode_texts(texts) @ targets.features.T).squeeze(1)
    assert best.text == "watermelon"
    assert best.similarity == pytest.approx(scores.max().item(), abs=CLOSE)


def test_few_tokens_are_allowed(demo: ClipModel) -> None:
    """Fewer than are asked for: all of them but the word itself."""
    mask = make_mask(demo.vocabulary, allow=["cat dog red"])
    words = split_words("a cat", demo.vocabulary)
    first, second = alternatives(demo, words, blend(demo), mask)
    assert {other.text for other in first} == {"cat", "dog", "red"}
    assert {other.text for other in second} == {"dog", "red"}


def test_it_is_asked_whether_to_go_on(demo: ClipModel, words_mask: TokenMask) -> None:
    """Before every batch; what the caller raises passes."""
    words = split_words("a red cat on a long road " * 3, demo.vocabulary)
    asked = []
    alternatives(demo, words, blend(demo), words_mask, check_interrupt=lambda: asked.append(1))
    assert len(asked) >= 2

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        alternatives(demo, words, blend(demo), words_mask, check_interrupt=stop)


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
def test_comfyuis_modes_change_nothing(mode: type, demo: ClipModel, words_mask: TokenMask) -> None:
    words = split_words("Two cats, a dog", demo.vocabulary)
    ids = [i for word in words for i in word.ids]
    targets = blend(demo)
    expected = (
        contributions(demo, ids, targets),
        alternatives(demo, words, targets, words_mask),
    )
    with mode():
        inside = blend(demo)
        assert contributions(demo, ids, inside) == expected[0]
        assert alternatives(demo, words, inside, words_mask) == expected[1]


@pytest.mark.parametrize("text", [*TEXTS, "a red cat on a long blue road, " * 9])
def test_estimates_sum_to_what_the_prompt_gains_over_commas(
    demo: ClipModel, oracle: DemoOracle, text: str
) -> None:
    """Completeness, the closer the more points; by open_clip's own scores of both ends."""
    targets, ids = blend(demo), demo.vocabulary.encode(text)[:75]
    ends = [ids, demo.vocabulary.encode(",") * len(ids)]
    prompt, commas = similarities(oracle, ends, targets)
    exact = estimated_contributions(demo, ids, targets, points=100)
    assert len(exact) == len(ids)
    assert sum(exact) == pytest.approx(prompt - commas, abs=2e-3)
    rough = estimated_contributions(demo, ids, targets)
    assert sum(rough) == pytest.approx(prompt - commas, abs=0.1)


def test_estimates_rank_tokens_roughly_as_leaving_out_does(demo: ClipModel, root: Path) -> None:
    """Of captions about themselves and others; the mean rank correlation over twenty of them."""
    lines = (root / "tests/fixtures/captions.txt").read_text(encoding="utf-8").splitlines()
    found = []
    for line, other in zip(lines[:20], lines[20:40], strict=True):
        targets = make_targets(demo.encode_texts([line, other]), [1.0, 0.5])
        ids = demo.vocabulary.encode(line)
        pair = [measure(demo, ids, targets) for measure in (contributions, estimated_contributions)]
        ranks = torch.tensor(pair).argsort(dim=1).argsort(dim=1).double()
        if len(ids) > 4:
            found.append(torch.corrcoef(ranks)[0, 1])
    assert len(found) > 15 and torch.stack(found).mean() > 0.4


def best_of_all(demo: ClipModel, ids: list[int], place: int, allowed: Tensor, aim: Targets) -> int:
    """The allowed token that scores highest in a place, but for the one that stands there."""
    texts = torch.tensor(ids).repeat(len(allowed), 1)
    texts[:, place] = allowed
    features = demo.encode_texts([demo.vocabulary.decode(t) for t in texts.tolist()])
    scores = features @ aim.features[0]
    scores[allowed == ids[place]] = -1
    return int(allowed[scores.argmax()])


def test_the_best_of_all_is_mostly_among_those_tried(demo: ClipModel) -> None:
    """Against every token of a vocabulary of 60 in every place. But: not always; those tried are a
    fifth of them, and chance would find the best in 6 of 30 places."""
    words = sorted(demo.source.words or ())[::40]
    mask = make_mask(demo.vocabulary, "words", allow=words, words=demo.source.words)
    allowed = torch.tensor(mask.ids)
    targets = make_targets(demo.encode_texts(["a watermelon on a green background"]))
    hits = []
    for first in range(5):
        ids = allowed[first::10][:6].tolist()
        parts = split_words(demo.vocabulary.decode(ids), demo.vocabulary)
        for place, found in enumerate(alternatives(demo, parts, targets, mask, count=1)):
            hits.append(found[0].ids[0] == best_of_all(demo, ids, place, allowed, targets))
    assert len(mask.ids) > 50 and len(hits) == 30
    assert sum(hits) > 15


def test_alternatives_of_a_long_text_are_those_of_its_start(
    demo: ClipModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CLIP reads 75 tokens: what comes after those is not written out for every trial."""
    written: list[int] = []
    score = ClipModel.score

    def counting(self: ClipModel, texts: list[str], *args: Any) -> Tensor:
        written.extend(map(len, texts))
        return score(self, texts, *args)

    monkeypatch.setattr(ClipModel, "score", counting)
    targets = make_targets(demo.encode_texts(["a red cat"]))
    mask = make_mask(demo.vocabulary, "words", words=demo.source.words)
    start = "supercalifragilistic dog " * 15
    found, longest = [], []
    for more in (100, 1000):
        written.clear()
        words = split_words(start + "green hat " * more, demo.vocabulary)
        found.append([each for each in alternatives(demo, words, targets, mask) if each])
        longest.append(max(written))
    assert found[0] == found[1] and found[0] and longest[0] == longest[1]
