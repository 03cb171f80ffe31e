"""A search keeps away from the concepts of its guard however it moves, and says where it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from pez_core import (
    ClipModel,
    Guard,
    Targets,
    learn_prompt,
    load_model,
    make_guard,
    make_mask,
    make_targets,
    open_picture,
)
from pez_core.config import DEFAULT, OPTIMIZERS
from pez_core.errors import GuardError
from pez_core.guard.neutral import calibrate, neutral_prompts
from tests.support.oracle import DemoOracle
from training.reserved_set import load_reserved


@pytest.fixture(scope="module")
def pizza(demo: ClipModel, root: Path) -> Targets:
    reserved = load_reserved(root / "benchmarks" / "data" / "fxemoji.npz")
    picture = Image.fromarray(reserved.images[reserved.names.index("pizza")])
    return make_targets(demo.encode_pictures([picture]))


@pytest.fixture(scope="module")
def guard(demo: ClipModel) -> Guard:
    return make_guard(demo, ["pizza"])


def test_a_guarded_search_ends_clear_where_the_plain_one_and_a_ban_may_not(
    demo: ClipModel, pizza: Targets, guard: Guard, oracle: DemoOracle
) -> None:
    """The result has the text's similarity to the picture, and `check` says of the text the same as
    the search."""
    plain = learn_prompt(demo, pizza)
    guarded = learn_prompt(demo, pizza, guard=guard)
    (before,) = guard.check(demo, [plain.best.text])
    assert before["pizza"].near and not plain.best.guard
    assert len(guarded.candidates) > 1
    for candidate in guarded.candidates:
        (after,) = guard.check(demo, [candidate.text])
        assert not after["pizza"].near and not candidate.near
        assert candidate.guard["pizza"].similarity == pytest.approx(
            after["pizza"].similarity, abs=1e-5
        )
        true = oracle.similarity(candidate.text, pizza)
        assert candidate.similarity == pytest.approx(true, abs=1e-5)
    similarities = [candidate.similarity for candidate in guarded.candidates]
    assert similarities == sorted(similarities, reverse=True)
    assert 0.1 < guarded.best.similarity < plain.best.similarity


def test_a_ban_leaves_the_meaning_within_reach(demo: ClipModel) -> None:
    """What the paper says of lists of words: no word of it, and still too near."""
    targets = make_targets(demo.encode_texts(["a red tomato"]))
    guard = make_guard(demo, ["tomato"])
    mask = make_mask(demo.vocabulary, ban=["tomato*"], words=demo.source.words)
    banned = learn_prompt(demo, targets, mask=mask).best.text
    assert "tomato" not in banned and guard.check(demo, [banned])[0]["tomato"].near
    guarded = learn_prompt(demo, targets, guard=guard)
    assert not guarded.best.near


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_obeys(name: str, demo: ClipModel, pizza: Targets, guard: Guard) -> None:
    config = DEFAULT.replace(optimizer=name, refine=0, restarts=4)
    assert not learn_prompt(demo, pizza, config=config, guard=guard).best.near


def test_it_goes_with_word_pieces_fluency_and_half_precision(
    demo: ClipModel, pizza: Targets, guard: Guard
) -> None:
    mask = make_mask(demo.vocabulary, "all")
    config = DEFAULT.replace(fluency=0.02)
    result = learn_prompt(demo, pizza, config=config, mask=mask, guard=guard, dtype=torch.bfloat16)
    assert not any(candidate.near for candidate in result.candidates)


def test_where_nothing_is_clear_the_result_says_so(
    demo: ClipModel, guard: Guard, pizza: Targets
) -> None:
    """Of the one word that may be learned no prompt keeps away. What a template says is the
    user's."""
    mask = make_mask(demo.vocabulary, allow=["slice"])
    result = learn_prompt(demo, pizza, "a pizza {1}", mask=mask, guard=guard)
    assert result.best.near == ("pizza",) and result.best.text == "a pizza slice"
    said = result.to_json()
    assert said["guard"] == said["candidates"][0]["guard"]
    assert said["guard"]["pizza"] == {
        "similarity": result.best.guard["pizza"].similarity,
        "threshold": guard.thresholds.item(),
        "near": True,
        "says": ["pizza"],
        "known": True,
    }


def test_without_a_guard_the_json_has_no_such_field(demo: ClipModel, pizza: Targets) -> None:
    said = learn_prompt(demo, pizza, config=DEFAULT.replace(steps=1, refine=0)).to_json()
    assert "guard" not in said and all("guard" not in c for c in said["candidates"])


def test_a_guard_of_an_ensemble(demo: ClipModel, root: Path) -> None:
    """Two encoders as one: their joint features have a space of their own."""
    joint = load_model(f"demo@0.6+{root / 'benchmarks' / 'judge'}@0.4")
    guard = make_guard(joint, ["pizza"], calibration=calibrate(joint, neutral_prompts()[:600]))
    picture = open_picture(root / "examples" / "pizza.png")
    targets = make_targets(joint.encode_pictures([picture]))
    plain = learn_prompt(joint, targets)
    assert guard.check(joint, [plain.best.text])[0]["pizza"].near
    assert not learn_prompt(joint, targets, guard=guard).best.near
    with pytest.raises(GuardError, match="make it with the same model"):
        learn_prompt(demo, make_targets(demo.encode_texts(["x"])), guard=guard)
