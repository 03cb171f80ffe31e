"""Long prompts made short: the parts of a text, its targets, and the curve of lengths."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pez_core import ClipModel, SearchConfig, StepInfo, load_model
from pez_core.applications.distillation import (
    curve_lengths,
    distill,
    distillation_curve,
    text_targets,
)
from pez_core.errors import ConfigError, TargetError
from pez_core.text.text_parts import text_length, text_parts
from tests.support.oracle import DemoOracle

QUICK = SearchConfig(steps=3, restarts=2, refine=0)
TEXT = "a blurry photo of a red watermelon slice on a striped green background"
LONG = " ".join(
    f"{TEXT}, {word} number {n}" for n, word in enumerate(["cat", "dog", "tree", "sun"] * 4)
)
DEMO = load_model("demo")


def tokens(text: str) -> int:
    return len(DEMO.vocabulary.encode(text))


@given(st.lists(st.text("abcxyz,.'!-0ü ", min_size=1, max_size=12)), st.integers(4, 75))
def test_parts_hold_every_word_once_in_order(words: list[str], most: int) -> None:
    """None is longer than asked; a word is torn only where it has too many tokens alone; a part
    ends only where the next word would not fit."""
    text = " ".join(words)
    parts = text_parts(text, DEMO.vocabulary, most)
    assert all(tokens(part) <= most for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())
    if all(tokens(word) <= most for word in text.split()):
        assert " ".join(parts).split() == text.split()
        for part, after in zip(parts, parts[1:], strict=False):
            assert tokens(f"{part} {after.split()[0]}") > most


def test_a_word_longer_than_clip_reads_is_torn() -> None:
    word = "watermelonish" * 40
    parts = text_parts(f"red {word} end", DEMO.vocabulary)
    assert tokens(word) > 75 and len(parts) > 1
    assert all(tokens(part) <= 75 for part in parts)
    assert "".join(parts).replace(" ", "") == f"red{word}end"


@pytest.mark.parametrize("text", ["", "  ", "\n\t"])
def test_a_text_of_nothing_has_no_parts_and_is_refused(text: str) -> None:
    assert text_parts(text, DEMO.vocabulary) == []
    assert text_length(text, DEMO.vocabulary) == 0
    with pytest.raises(TargetError, match="nothing to distill"):
        text_targets(DEMO, text)


def test_a_short_text_is_one_target(oracle: DemoOracle) -> None:
    targets = text_targets(DEMO, TEXT)
    assert targets.weights.tolist() == [1.0] and targets.labels == (TEXT,)
    torch.testing.assert_close(targets.features, oracle.texts([TEXT]), atol=1e-5, rtol=0)


def test_a_long_text_is_read_to_its_end(oracle: DemoOracle) -> None:
    """Each part as CLIP reads it alone, weighted by its share of the tokens."""
    targets = text_targets(DEMO, LONG)
    assert tokens(LONG) > 225 and len(targets) == 4
    shares = [tokens(part) / tokens(LONG) for part in targets.labels]
    assert targets.weights.tolist() == pytest.approx(shares) and sum(shares) == pytest.approx(1)
    expected = oracle.texts(list(targets.labels))
    torch.testing.assert_close(targets.features, expected, atol=1e-5, rtol=0)
    other = text_targets(DEMO, LONG.replace("sun number 15", "penguin"))
    assert not torch.allclose(other.features[-1], targets.features[-1], atol=1e-3)


@pytest.mark.parametrize("text", [TEXT, LONG])
def test_the_similarity_is_that_of_the_returned_text(text: str, oracle: DemoOracle) -> None:
    result = distill(DEMO, text, "{3}", config=QUICK)
    targets = text_targets(DEMO, text)
    for candidate in result.candidates:
        assert tokens(candidate.text) == 3
        expected = oracle.similarity(candidate.text, targets)
        assert candidate.similarity == pytest.approx(expected, abs=1e-5)


def test_what_is_asked_for_is_shorter_than_the_text() -> None:
    with pytest.raises(ConfigError, match="8 tokens are no shorter than the text, which has 3"):
        distill(DEMO, "a red cat", config=QUICK)
    with pytest.raises(ConfigError, match="3 tokens are no shorter than the text, which has 3"):
        distill(DEMO, "a red cat", "a {2}", config=QUICK)
    with pytest.raises(ConfigError, match="which has 1: .* or give a longer text"):
        distill(DEMO, "cat", "{1}", config=QUICK)
    assert tokens(distill(DEMO, "a red cat", "{2}", config=QUICK).best.text) == 2


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (1, []),
        (2, [1]),
        (3, [1, 2]),
        (8, [1, 2, 4]),
        (9, [1, 2, 4, 8]),
        (200, [1, 2, 4, 8, 16, 32, 64]),
    ],
)
def test_the_lengths_of_a_curve_double_below_the_texts_own(
    length: int, expected: list[int]
) -> None:
    assert curve_lengths(length) == expected


def test_a_point_is_a_prompt_and_the_cut_text(oracle: DemoOracle) -> None:
    targets, own = text_targets(DEMO, TEXT), tokens(TEXT)
    points = list(distillation_curve(DEMO, TEXT, config=QUICK, seed=5))
    assert [point.tokens for point in points] == curve_lengths(own)
    for point in points:
        assert point.ratio == pytest.approx(point.tokens / own)
        assert tokens(point.prompt) == tokens(point.cut) == point.tokens
        assert TEXT.startswith(point.cut) and point.stopped == "steps"
        assert point.similarity == pytest.approx(oracle.similarity(point.prompt, targets), abs=1e-5)
        cut = oracle.similarity(point.cut, targets)
        assert point.cut_similarity == pytest.approx(cut, abs=1e-5)
        alone = distill(DEMO, TEXT, f"{{{point.tokens}}}", config=QUICK, seed=5).best
        assert (alone.text, alone.similarity) == (point.prompt, point.similarity)
    assert points[-1].similarity > points[0].similarity


def test_a_curve_ends_on_request() -> None:
    """With the point it was at, which says so."""
    asked: list[StepInfo] = []

    def callback(info: StepInfo) -> bool:
        asked.append(info)
        return len(asked) < QUICK.steps + 2

    points = list(distillation_curve(DEMO, TEXT, config=QUICK, callback=callback))
    assert [point.stopped for point in points] == ["steps", "user"]


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
def test_comfyuis_modes_change_nothing(mode: type, demo: ClipModel) -> None:
    expected = distill(demo, LONG, "{2}", config=QUICK)
    with mode():
        assert distill(demo, LONG, "{2}", config=QUICK).candidates == expected.candidates
