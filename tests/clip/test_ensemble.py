"""Several text towers as one: what it gives is the weighted mean of what each of them gives."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from pez_core.clip.ensemble import EncoderEnsemble, join_features, join_towers
from pez_core.clip.text_tower import TextTower
from pez_core.errors import ModelError
from pez_core.search.projection import token_table
from tests.support.towers import sequences, small_tower, unit_rows

WEIGHTS = [(0.5, 0.5), (0.8, 0.2), (0.01, 0.99)]
IDS = [[598, 5, 599], [598, 17, 3, 200, 8, 599], [598, 9, 599], [598, 599]]


@pytest.fixture(scope="module")
def towers() -> list[TextTower]:
    """Two that differ in every size, in their activation and in how long their embeddings are."""
    first = small_tower("quick_gelu", seed=1)
    second = small_tower(seed=2, width=48, heads=3, layers=2, mlp_width=96, embed_dim=20)
    return [first, replace(second, token_embedding=7 * second.token_embedding)]


@pytest.fixture(scope="module")
def ensemble(towers: list[TextTower]) -> EncoderEnsemble:
    return join_towers(towers, [0.8, 0.2])


def embeddings(tower: EncoderEnsemble | TextTower, ids: list[int]) -> Tensor:
    return tower.token_embedding[torch.tensor([ids])].clone()


@pytest.mark.parametrize("weights", WEIGHTS)
def test_a_dot_product_is_the_weighted_mean_of_the_cosines(
    towers: list[TextTower], weights: tuple[float, float]
) -> None:
    """Of unit vectors; for texts of any length, against any targets."""
    joint = join_towers(towers, weights)
    goals = [unit_rows(6, tower.embed_dim, seed=3) for tower in towers]
    features, goal = joint.encode_ids(IDS), join_features(goals, weights)
    for unit in (features, goal):
        torch.testing.assert_close(unit.norm(dim=1), torch.ones(len(unit), dtype=unit.dtype))
    cosines = [t.encode_ids(IDS) @ g.T for t, g in zip(towers, goals, strict=True)]
    expected = weights[0] * cosines[0] + weights[1] * cosines[1]
    torch.testing.assert_close(features @ goal.T, expected, atol=1e-12, rtol=0)
    assert joint.embed_dim == features.shape[1] == 32 + 20
    assert joint.widths == (64, 48)


def test_each_encoders_features_come_out_again(
    towers: list[TextTower], ensemble: EncoderEnsemble
) -> None:
    for tower, part in zip(towers, ensemble.split(ensemble.encode_ids(IDS)), strict=True):
        torch.testing.assert_close(part, tower.encode_ids(IDS), atol=1e-12, rtol=0)


def test_an_ensemble_of_one_is_that_tower(towers: list[TextTower]) -> None:
    """To the last bit, in float32 too."""
    for tower in (*towers, towers[1].to("cpu", torch.float32)):
        one = join_towers([tower], [1.0])
        assert torch.equal(one.token_embedding, tower.token_embedding)
        assert torch.equal(one.encode_ids(IDS), tower.encode_ids(IDS))


def test_a_tower_with_itself_has_its_similarities(towers: list[TextTower]) -> None:
    tower, goal = towers[1], unit_rows(5, 20, seed=4)
    twice = join_towers([tower, tower], [0.3, 0.7])
    both = twice.encode_ids(IDS) @ join_features([goal, goal], twice.weights).T
    torch.testing.assert_close(both, tower.encode_ids(IDS) @ goal.T, atol=1e-12, rtol=0)


@pytest.mark.own_autograd
def test_the_gradient_is_that_of_finite_differences(ensemble: EncoderEnsemble) -> None:
    """In both parts of the embedding."""
    at = embeddings(ensemble, IDS[1]).requires_grad_()
    goal = unit_rows(1, ensemble.embed_dim, seed=5)[0]
    (gradient,) = torch.autograd.grad((ensemble.features(at) @ goal).sum(), at)
    for part in torch.split(gradient, list(ensemble.widths), dim=-1):
        assert part.norm() > 1e-3
    generator = torch.Generator().manual_seed(6)
    for _ in range(5):
        step = 1e-5 * torch.randn(at.shape, generator=generator, dtype=at.dtype)
        with torch.no_grad():
            rise = ((ensemble.features(at + step) - ensemble.features(at - step)) @ goal).item()
        assert rise == pytest.approx(2 * (gradient * step).sum().item(), rel=1e-5)


@pytest.mark.own_autograd
def test_the_gradient_is_the_weighted_sum_of_each_towers(
    towers: list[TextTower], ensemble: EncoderEnsemble
) -> None:
    """In the units of the joined table, where a part is shorter or longer than its tower's own."""
    goals = [unit_rows(1, tower.embed_dim, seed=7) for tower in towers]
    at = embeddings(ensemble, IDS[1]).requires_grad_()
    score = ensemble.features(at) @ join_features(goals, ensemble.weights).T
    (gradient,) = torch.autograd.grad(score.sum(), at)
    for place, part in enumerate(torch.split(gradient, list(ensemble.widths), dim=-1)):
        own = embeddings(towers[place], IDS[1]).requires_grad_()
        (expected,) = torch.autograd.grad((towers[place].features(own) @ goals[place].T).sum(), own)
        factor = ensemble.weights[place] * ensemble.scales[place]
        torch.testing.assert_close(part, factor * expected, atol=1e-12, rtol=1e-9)


def test_all_have_an_equal_say_in_which_token_is_nearest(
    towers: list[TextTower], ensemble: EncoderEnsemble
) -> None:
    """The parts of the table have the same mean length, between those of the towers' own."""
    parts = torch.split(ensemble.token_embedding, list(ensemble.widths), dim=1)
    lengths = [part.norm(dim=1).mean().item() for part in parts]
    assert lengths[0] == pytest.approx(lengths[1], rel=1e-9)
    own = sorted(tower.token_embedding.norm(dim=1).mean().item() for tower in towers)
    assert own[0] < lengths[0] < own[1]


def test_a_token_that_one_of_them_never_trained_is_never_learned(towers: list[TextTower]) -> None:
    """But a text that holds it is read as each tower reads it. Zeros do not count for the mean
    length either."""
    holed = [replace(t, token_embedding=t.token_embedding.clone()) for t in towers]
    holed[0].token_embedding[[17, 300]] = 0
    holed[1].token_embedding[[8, 300]] = 0
    joint = join_towers(holed, [0.5, 0.5])
    allowed = torch.tensor([3, 8, 9, 17, 300])
    assert token_table(joint.token_embedding, allowed, joint.widths).ids.tolist() == [3, 9]
    for tower, part in zip(holed, joint.split(joint.encode_ids(IDS)), strict=True):
        torch.testing.assert_close(part, tower.encode_ids(IDS), atol=1e-12, rtol=0)
    lengths = [p.norm(dim=1) for p in torch.split(joint.token_embedding, list(joint.widths), dim=1)]
    means = [length[length > 0].mean().item() for length in lengths]
    assert means[0] == pytest.approx(means[1], rel=1e-9)


def test_other_vocabularies_are_refused(towers: list[TextTower]) -> None:
    """Their ids mean other words."""
    message = "vocabularies of 600 and 700 tokens.*CLIP's own vocabulary"
    with pytest.raises(ModelError, match=message):
        join_towers([towers[0], small_tower(vocab_size=700)], [0.5, 0.5])


def test_the_tables_are_held_once(towers: list[TextTower], ensemble: EncoderEnsemble) -> None:
    """An ensemble has as many numbers as its towers together."""

    def size(tower: TextTower | EncoderEnsemble) -> int:
        count = 0

        def add(tensor: Tensor) -> Tensor:
            nonlocal count
            count += tensor.untyped_storage().size() // tensor.element_size()
            return tensor

        tower.map(add)
        return count

    assert size(ensemble) == sum(size(tower) for tower in towers)


def test_moving_changes_the_precision_of_the_blocks_alone(ensemble: EncoderEnsemble) -> None:
    """The table stays; a half-precision ensemble gives nearly the same features."""
    half = ensemble.to("cpu", torch.bfloat16)
    assert half.token_embedding.dtype == torch.float64
    assert {t.text_projection.dtype for t in half.towers} == {torch.bfloat16}
    cosines = (half.encode_ids(IDS) * ensemble.encode_ids(IDS)).sum(dim=1)
    assert cosines.min() > 0.999 and cosines.max() < 1 + 1e-9
    assert not torch.equal(half.encode_ids(IDS), ensemble.encode_ids(IDS))
    assert torch.equal(ensemble.to("cpu").encode_ids(IDS), ensemble.encode_ids(IDS))


@pytest.mark.own_autograd
def test_one_made_in_inference_mode_has_gradients(towers: list[TextTower]) -> None:
    """As in ComfyUI, which makes and moves models there."""
    with torch.inference_mode():
        made = join_towers(towers, [0.5, 0.5]).map(lambda tensor: tensor * 1.0)
    at = embeddings(made, IDS[0]).requires_grad_()
    (gradient,) = torch.autograd.grad(made.features(at).sum(), at)
    assert gradient.norm() > 0


def test_the_whole_context_is_read(towers: list[TextTower], ensemble: EncoderEnsemble) -> None:
    longest = [[598, *range(75), 599]]
    assert len(longest[0]) == len(max(sequences(), key=len))
    for tower, part in zip(towers, ensemble.split(ensemble.encode_ids(longest)), strict=True):
        torch.testing.assert_close(part, tower.encode_ids(longest), atol=1e-12, rtol=0)
