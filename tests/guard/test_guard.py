"""Keeping away from meanings: what a guard calls near, how often it errs, and its penalty."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from pez_core import (
    ClipModel,
    Guard,
    make_guard,
    open_picture,
)
from pez_core.cli.avoid import read_concepts
from pez_core.errors import GuardError, TargetError, TextError
from pez_core.guard.guard import MARGIN, SLOPE, STEP
from pez_core.guard.neutral import Calibration, calibrate, neutral_prompts, neutral_space
from tests.support.oracle import DemoOracle
from tests.support.towers import unit_rows
from training.neutral import sample_captions
from training.reserved_set import load_reserved

FRESH = 400  # neutral prompts that took no part in a guard
CONCEPTS = ("pizza", "umbrella", "text watermark", "red heart", "dog", "castle")


@pytest.fixture(scope="module")
def fresh(demo: ClipModel) -> list[str]:
    """Neutral prompts of another seed, without those that the guards have seen."""
    seen = set(neutral_prompts())
    return [text for text in sample_captions(demo.vocabulary, FRESH, seed=1) if text not in seen]


def test_neutral_prompts_are_spread_alike_in_their_space() -> None:
    """Without shrinkage: their mean is nothing, and their covariance the same in all directions."""
    features = F.normalize(unit_rows(400, 12, seed=1) + 2 * unit_rows(1, 12, seed=2), dim=1)
    space = neutral_space(features, shrinkage=0.0)
    spread = (features - space.centre) @ space.scale
    covariance = spread.T @ spread / len(spread)
    torch.testing.assert_close(spread.mean(dim=0), torch.zeros_like(space.centre))
    torch.testing.assert_close(covariance / covariance[0, 0], torch.eye(12).to(covariance))


def test_a_threshold_is_the_cosine_of_its_rank(demo: ClipModel, oracle: DemoOracle) -> None:
    """Counted by hand, with open_clip's features: of 200 cosines, two are at it or above."""
    prompts = neutral_prompts()[:400]
    guard = make_guard(demo, ["a pizza"], calibration=calibrate(demo, prompts))
    space = neutral_space(oracle.texts(prompts[::2]))
    concept = space.unit(oracle.texts(["a pizza"]))[0]
    cosines = (space.unit(oracle.texts(prompts[1::2])) @ concept).sort(descending=True).values
    assert guard.thresholds.tolist() == pytest.approx([cosines[1].item()], abs=1e-4)
    (found,) = guard.check(demo, ["a slice of pizza"])
    cosine = (space.unit(oracle.texts(["a slice of pizza"]))[0] @ concept).item()
    assert found["a pizza"].similarity == pytest.approx(cosine, abs=1e-4)
    assert found["a pizza"].near


@pytest.mark.parametrize("rate", [0.01, 0.1])
def test_false_alarms_are_as_often_as_was_asked(
    demo: ClipModel, fresh: list[str], rate: float
) -> None:
    """On prompts that took no part: within 4 standard errors, those of the thresholds included.
    The alarms of one concept are compared, so that each prompt counts once."""
    guard = make_guard(demo, CONCEPTS, false_alarms=rate)
    found = guard.check(demo, fresh)
    spread = (rate * (1 - rate) * (1 / len(fresh) + 1 / 1000)) ** 0.5
    for concept in CONCEPTS:
        alarms = sum(one[concept].near for one in found) / len(fresh)
        assert abs(alarms - rate) < 4 * spread, concept


def test_meant_texts_are_near_and_others_are_clear(demo: ClipModel) -> None:
    """In forms of all kinds, where the plain cosine goes by the form alone."""
    guard = make_guard(demo, ["umbrella"])
    meant = [
        "an umbrella", "a photo of an umbrella", "a small umbrella beside a tree",
        "an emoji of an umbrella on a red background",
    ]  # fmt: skip
    others = ["a dog", "a photo of a car", "an emoji of a heart on a red background"]
    near = [one["umbrella"].near for one in guard.check(demo, [*meant, *others])]
    assert near == [True] * len(meant) + [False] * len(others)
    plain = demo.encode_texts([meant[-1], others[0]]) @ demo.encode_texts(["umbrella"]).T
    assert plain[0] < plain[1]  # "a dog" has the higher cosine


def test_a_picture_is_a_concept_too(demo: ClipModel, root: Path) -> None:
    picture = open_picture(root / "examples" / "watermelon.png")
    guard = make_guard(demo, ["dog"], {"this picture": picture})
    found, other = guard.check(demo, ["a slice of watermelon", "a dog"])
    assert (found["this picture"].near, found["dog"].near) == (True, False)
    assert (other["this picture"].near, other["dog"].near) == (False, True)


def synthetic(concepts: int = 2, dimensions: int = 12) -> Guard:
    """A guard in double precision whose features are any unit vectors."""
    space = neutral_space(unit_rows(200, dimensions, seed=1).double())
    directions = space.unit(unit_rows(concepts, dimensions, seed=2).double())
    thresholds = torch.full((concepts,), 0.3, dtype=torch.float64)
    return Guard(tuple("ab"[:concepts]), directions, thresholds, space, 0.01)


def test_the_penalty_is_nothing_below_the_threshold_and_rises_above_it() -> None:
    guard, features = synthetic(), unit_rows(500, 12, seed=3).double()
    cosines, penalty = guard.cosines(features), guard.penalty(features)
    near = (cosines > 0.3 - MARGIN).any(dim=1)
    assert bool(near.any()) and not bool(near.all())
    assert bool((penalty[~near] == 0).all()) and bool((penalty[near] > STEP).all())
    excess = (cosines - 0.3 + MARGIN).clamp_min(0).sum(dim=1)
    torch.testing.assert_close(penalty[near], STEP + SLOPE * excess[near])
    assert bool(((guard.penalty(features, margin=0.0) > 0) == (cosines > 0.3).any(dim=1)).all())
    shaped = guard.penalty(features.view(5, 100, 12))
    torch.testing.assert_close(shaped.flatten(), penalty)


@pytest.mark.own_autograd
def test_the_gradient_leads_away_from_what_is_too_near_and_from_nothing_else() -> None:
    """Against finite differences; and a step against it lowers the cosine."""
    guard = synthetic(concepts=1)
    features = unit_rows(300, 12, seed=4).double().requires_grad_()
    (gradient,) = torch.autograd.grad(guard.penalty(features).sum(), features)
    near = guard.cosines(features)[:, 0] > 0.3 - MARGIN
    assert bool((gradient[~near] == 0).all()) and bool((gradient[near].norm(dim=1) > 0).all())
    one = features[near].detach()[:1]
    assert torch.autograd.gradcheck(guard.penalty, (one.requires_grad_(),))
    moved = guard.cosines(features.detach() - 1e-4 * gradient)
    assert bool((moved[near] < guard.cosines(features)[near]).all())


def test_what_the_model_does_not_know_is_reported(
    demo: ClipModel, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The names of pictures that it never saw mean something to it, all but one; of words that it
    was never taught hardly any does."""
    names = load_reserved(root / "benchmarks" / "data" / "fxemoji.npz").names
    assert make_guard(demo, names).unknown == {"man"}
    words = [demo.vocabulary.symbol(i).removesuffix("</w>") for i in demo.vocabulary.standing_alone]
    assert demo.source.words is not None
    strange = [w for w in words if w.isalpha() and len(w) > 3 and w not in demo.source.words][::100]
    guard = make_guard(demo, strange)
    assert len(strange) > 150 and len(guard.unknown) > 0.9 * len(strange)
    first = next(word for word in strange if word in guard.unknown)
    assert f"demo does not know {first!r}, " in caplog.text and " more: an empty" in caplog.text
    (found,) = make_guard(demo, ["nude", "dog"]).check(demo, ["a castle"])
    assert found["dog"].known and not found["nude"].known
    assert found["nude"].to_json()["known"] is False
    (itself,) = make_guard(demo, ["nude"]).check(demo, ["nude"])
    assert not itself["nude"].near and itself["nude"].says == ("nude",)


def test_every_part_of_a_long_text_counts(demo: ClipModel) -> None:
    """CLIP reads 75 tokens, but a generator also paints the words after them."""
    guard = make_guard(demo, ["pizza", "dog"])
    filler = "castle " * 75
    (alone,) = guard.check(demo, ["a hot slice of pizza"])
    behind, without = guard.check(demo, [f"{filler}a hot slice of pizza", filler])
    assert behind["pizza"].near and not without["pizza"].near
    assert behind["pizza"].similarity == pytest.approx(alone["pizza"].similarity, abs=1e-5)
    assert guard.check(demo, []) == [] and not behind["dog"].near
    assert guard.check(demo, [""])[0]["dog"].near is False


def test_what_is_not_a_guard_is_refused(demo: ClipModel, tmp_path: Path) -> None:
    with pytest.raises(GuardError, match="at least one concept"):
        make_guard(demo)
    with pytest.raises(GuardError, match="10,001 concepts are more than one guard can hold"):
        make_guard(demo, [f"dog {i}" for i in range(10_001)])
    with pytest.raises(TextError, match="5,000,000 characters"):
        make_guard(demo, ["x" * 5_000_000])
    with pytest.raises(GuardError, match="an empty text is not a concept"):
        make_guard(demo, ["dog", "  "])
    with pytest.raises(GuardError, match="'dog' is the name of a text and of a picture"):
        make_guard(demo, ["dog "], {"dog": Image.new("RGB", (64, 64))})
    with pytest.raises(GuardError, match=r"at most 0.5, got nan"):
        make_guard(demo, ["dog"], false_alarms=float("nan"))
    with pytest.raises(GuardError, match=r"1000 neutral prompts .* at least 0.001"):
        make_guard(demo, ["dog"], false_alarms=0.0005)
    with pytest.raises(GuardError, match="4 neutral prompts"):
        calibrate(demo, ["a", "b"] * 4)
    with pytest.raises(GuardError, match="different, finite features"):
        calibrate(demo, ["a"] * 60)
    space = neutral_space(unit_rows(200, 24, seed=1))
    with pytest.raises(GuardError, match="calibration has 24 dimensions and the text tower 192"):
        make_guard(demo, ["dog"], calibration=Calibration(space, torch.zeros(100, 24)))
    broken = replace(demo.tower, text_projection=demo.tower.text_projection * float("nan"))  # type: ignore[type-var,attr-defined]
    with pytest.raises(TargetError, match="no usable feature came out of dog"):
        make_guard(replace(demo, tower=broken), ["dog"])


def test_a_list_of_concepts(tmp_path: Path) -> None:
    path = tmp_path / "avoid.txt"
    path.write_text("# signs\ntext watermark\n\n  a dog \n", encoding="utf-8")
    assert read_concepts(path) == ["text watermark", "a dog"]
    path.write_bytes(b"\xff\xfe\x00")
    for bad in (path, tmp_path, tmp_path / "none.txt"):
        with pytest.raises(GuardError, match="cannot read"):
            read_concepts(bad)
    path.write_text("# nothing\n", encoding="utf-8")
    with pytest.raises(GuardError, match="names no concept"):
        read_concepts(path)
