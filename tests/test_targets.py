"""Targets and their weights, and the similarity that is reported for them."""

from __future__ import annotations

import math
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from pez_core import Targets, join_targets, make_targets
from pez_core.errors import TargetError
from pez_core.targets import weighted_similarity

WEIGHTS = st.lists(
    st.floats(-100, 100).filter(lambda w: w == 0 or abs(w) > 1e-6), min_size=1, max_size=6
).filter(any)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_hand(feature: Tensor, features: Tensor, weights: list[float]) -> float:
    cosines = [float(F.cosine_similarity(feature, target, dim=0)) for target in features]
    total = sum(w * c for w, c in zip(weights, cosines, strict=True))
    return total / sum(abs(w) for w in weights)


@given(WEIGHTS, st.integers(0, 2**31))
def test_similarity_is_the_weighted_mean_cosine(weights: list[float], seed: int) -> None:
    """Σ wᵢ·cos(f, tᵢ) / Σ |wᵢ|, worked out one by one; within -1 and 1."""
    features, prompts = random(len(weights), 8, seed=seed), random(4, 8, seed=seed + 1)
    targets = make_targets(features, weights)
    scores = weighted_similarity(F.normalize(prompts, dim=-1), targets)
    expected = [by_hand(prompt, features, weights) for prompt in prompts]
    assert scores.tolist() == pytest.approx(expected, abs=1e-9)
    assert scores.abs().max() <= 1 + 1e-12


def test_one_target_gives_the_plain_cosine_whatever_its_weight() -> None:
    """A negative weight turns its sign."""
    target, prompt = random(1, 8), F.normalize(random(1, 8, seed=1), dim=-1)
    cosine = float(F.cosine_similarity(prompt, target))
    for weight, expected in ((1.0, cosine), (7.5, cosine), (-0.1, -cosine)):
        score = weighted_similarity(prompt, make_targets(target, [weight]))
        assert score.item() == pytest.approx(expected, abs=1e-12)


def test_a_mini_batch_is_the_targets_it_names() -> None:
    """Its similarity is that of those targets alone; of targets without weight it is 0."""
    features, weights = random(4, 8), [1.0, -2.0, 0.0, 3.0]
    targets, prompts = make_targets(features, weights), F.normalize(random(3, 8, seed=1), dim=-1)
    part = weighted_similarity(prompts, targets, torch.tensor([3, 1]))
    alone = weighted_similarity(prompts, make_targets(features[[3, 1]], [3.0, -2.0]))
    torch.testing.assert_close(part, alone)
    assert weighted_similarity(prompts, targets, torch.tensor([2])).tolist() == [0, 0, 0]


def test_features_get_unit_length_and_are_copied() -> None:
    """The caller's tensor stays as it was, and later changes to it do not count."""
    features = random(2, 4) * 9
    before = features.clone()
    targets = make_targets(features, labels=["a", "b"])
    torch.testing.assert_close(targets.features.norm(dim=1), torch.ones(2).double())
    assert torch.equal(features, before)
    features.zero_()
    assert targets.features.abs().sum() > 1
    assert targets.labels == ("a", "b") and targets.weights.tolist() == [1, 1] and len(targets) == 2


@pytest.mark.parametrize(
    "weights",
    [[0.0, 0.0], [1.0, math.nan], [math.inf, 1.0], [1.0, -math.inf], [1e300, 1.0], [1e-300, 0.0]],
)
def test_weights_that_mean_nothing_are_refused(weights: list[float]) -> None:
    """All zero, not finite, or beyond the features' precision."""
    with pytest.raises(TargetError, match="weights must be finite.*not all zero"):
        make_targets(random(2, 4).float(), weights)


@pytest.mark.parametrize("bad", [math.nan, math.inf, 0.0])
def test_features_without_a_direction_are_refused_by_name(bad: float) -> None:
    """NaN, infinity and zeros; the message names the picture or text it came of."""
    features = random(3, 4)
    features[1] = bad
    with pytest.raises(TargetError, match=r"no usable feature came out of b\.png"):
        make_targets(features, labels=["a.png", "b.png", "c.png"])


@pytest.mark.parametrize("shape", [(4,), (0, 4), (1, 2, 4)])
def test_features_have_to_be_a_matrix(shape: tuple[int, ...]) -> None:
    """A vector, nothing, or a batch of matrices; the error states the shape."""
    with pytest.raises(TargetError, match=rf"matrix, got the shape {re.escape(str(shape))}"):
        make_targets(torch.ones(shape))


def test_counts_have_to_match() -> None:
    """Weights and labels are one for each target."""
    with pytest.raises(TargetError, match="2 targets, 3 weights and 2 labels do not match"):
        make_targets(random(2, 4), [1, 2, 3])
    with pytest.raises(TargetError, match="2 targets, 2 weights and 1 labels do not match"):
        make_targets(random(2, 4), labels=["a"])


def test_joined_targets_keep_order_and_weights() -> None:
    """Features, weights and labels stay side by side."""
    first = make_targets(random(2, 4), [1, 2], ["a", "b"])
    second = make_targets(random(1, 4, seed=1), [-3], ["c"])
    joined = join_targets([first, second])
    assert joined.labels == ("a", "b", "c") and joined.weights.tolist() == [1, 2, -3]
    assert torch.equal(joined.features, torch.cat([first.features, second.features]))


def test_targets_that_cannot_be_joined_are_refused() -> None:
    """None at all, or of different models."""
    with pytest.raises(TargetError, match="nothing to learn from.*at least one"):
        join_targets([])
    with pytest.raises(TargetError, match=r"dimensions \[4, 8\].*different models.*one model"):
        join_targets([make_targets(random(1, 8)), make_targets(random(1, 4))])


@pytest.mark.own_autograd
def test_targets_of_inference_mode_serve_autograd() -> None:
    """Made there, joined there, used outside."""
    with torch.inference_mode():
        made: Targets = make_targets(random(1, 4), [2.0])
        joined = join_targets([made, made])
    for targets in (made, joined.to("cpu", torch.float64)):
        prompt = random(1, 4).requires_grad_()
        weighted_similarity(prompt, targets).sum().backward()
        assert prompt.grad is not None
