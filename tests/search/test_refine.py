"""Refinement never makes a prompt worse, and stops where no single swap makes it better."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from pez_core import Targets, make_targets
from pez_core.clip.text_tower import TextTower
from pez_core.search.projection import TokenTable, token_table
from pez_core.search.refine import Refine
from pez_core.targets import mean_target, weighted_similarity
from tests.support.towers import ACTIVATIONS, small_tower, unit_rows

ALLOWED = torch.arange(100, 140)
LAYOUT = torch.tensor([598, 3, -1, -1, 17, -1, -1, 599])
ROUNDING = 1e-6  # what a gain has to exceed


@pytest.fixture(scope="module", params=ACTIVATIONS)
def tower(request: pytest.FixtureRequest) -> TextTower:
    return small_tower(request.param)


@pytest.fixture(scope="module")
def targets() -> Targets:
    return make_targets(unit_rows(3, 32, seed=8), [1.0, 0.5, -0.5])


def table_of(tower: TextTower) -> TokenTable:
    return token_table(tower.token_embedding, ALLOWED)


def scores(tower: TextTower, targets: Targets, rows: Tensor) -> Tensor:
    """The similarities of prompts by way of their ids, (N, 4) → (N,)."""
    ids = LAYOUT.repeat(len(rows), 1)
    ids[:, LAYOUT < 0] = ALLOWED[rows]
    return weighted_similarity(tower.encode_ids(ids.tolist()), targets)


def single_swaps(rows: Tensor) -> Tensor:
    """Every prompt that differs in one token, (4·40, 4)."""
    swapped = rows.repeat(4, 40, 1)
    for position in range(4):
        swapped[position, :, position] = torch.arange(40)
    return swapped.view(-1, 4)


def climb_from(tower: TextTower, targets: Targets, start: Tensor, **options: Any) -> Refine:
    """The refinement of one prompt."""
    return Refine(
        tower, table_of(tower), LAYOUT, mean_target(targets)[None], start[None], **options
    )


def refine(
    tower: TextTower,
    targets: Targets,
    seed: int,
    swaps: int,
    permits: Callable[[Tensor], Tensor] | None = None,
) -> Refine:
    start = torch.randint(40, (4,), generator=torch.Generator().manual_seed(seed))
    return climb_from(tower, targets, start, swaps=swaps, permits=permits)


@pytest.mark.parametrize("swaps", [1, 4, 40])
@pytest.mark.parametrize("seed", range(3))
def test_a_step_never_lowers_the_score(
    tower: TextTower, targets: Targets, seed: int, swaps: int
) -> None:
    """The score that it reports is that of its tokens, after each step."""
    climb = refine(tower, targets, seed, swaps)
    last = scores(tower, targets, climb.token_indices[0][None]).item()
    start = last
    while not climb.done[0]:
        climb.step()
        assert climb.scores[0] == pytest.approx(
            scores(tower, targets, climb.token_indices[0][None]).item(), abs=1e-9
        )
        assert climb.scores[0] >= last - 1e-12
        last = climb.scores[0]
    assert last > start


@pytest.mark.parametrize("seed", range(3))
def test_the_end_is_a_local_optimum(tower: TextTower, targets: Targets, seed: int) -> None:
    """With swaps for the whole vocabulary no single swap helps: brute force over all 160 agrees."""
    climb = refine(tower, targets, seed, swaps=40)
    while not climb.done[0]:
        climb.step()
    best = scores(tower, targets, single_swaps(climb.token_indices[0])).max().item()
    assert best <= climb.scores[0] + ROUNDING


def test_the_first_step_takes_the_best_of_all_swaps(tower: TextTower, targets: Targets) -> None:
    """With swaps for the whole vocabulary a step is the steepest there is."""
    climb = refine(tower, targets, seed=0, swaps=40)
    best = scores(tower, targets, single_swaps(climb.token_indices[0])).max().item()
    climb.step()
    assert climb.scores[0] == pytest.approx(best, abs=1e-9)


def test_what_is_not_permitted_is_never_taken(tower: TextTower, targets: Targets) -> None:
    """Rows that are refused appear in no prompt, though without the refusal they would."""
    free = refine(tower, targets, seed=1, swaps=40)
    while not free.done[0]:
        free.step()
    refused = int(free.token_indices[0][0])

    def permits(rows: Tensor) -> Tensor:
        return (rows != refused).all(dim=1)

    bound = refine(tower, targets, seed=1, swaps=40, permits=permits)
    while not bound.done[0]:
        bound.step()
        assert bool(permits(bound.token_indices[0][None]))
    allowed = single_swaps(bound.token_indices[0])
    best = scores(tower, targets, allowed[permits(allowed)]).max().item()
    assert best <= bound.scores[0] + ROUNDING
    assert bound.scores[0] < free.scores[0]


def test_a_start_that_is_not_permitted_is_left_at_any_price(
    tower: TextTower, targets: Targets
) -> None:
    """Even for a worse prompt."""
    best = refine(tower, targets, seed=2, swaps=40)
    while not best.done[0]:
        best.step()
    start = best.token_indices[0]

    def permits(rows: Tensor) -> Tensor:
        return (rows != start).any(dim=1)

    other = climb_from(tower, targets, start, swaps=40, permits=permits)
    while not other.done[0]:
        other.step()
    assert other.token_indices[0].tolist() != start.tolist()
    assert other.scores[0] < best.scores[0]


def test_the_start_is_not_changed_in_place(tower: TextTower, targets: Targets) -> None:
    """The caller's rows stay as they were."""
    start = torch.tensor([1, 2, 3, 4])
    climb = climb_from(tower, targets, start, swaps=40)
    climb.step()
    assert start.tolist() == [1, 2, 3, 4] and climb.token_indices[0].tolist() != [1, 2, 3, 4]


def test_a_vocabulary_of_one_token_ends_at_once(tower: TextTower, targets: Targets) -> None:
    """There is nothing to swap for."""
    table = token_table(tower.token_embedding, torch.tensor([100]))
    climb = Refine(
        tower,
        table,
        LAYOUT,
        mean_target(targets)[None],
        torch.zeros(1, 4, dtype=torch.long),
        swaps=16,
    )
    steps = 0
    while not climb.done[0]:
        climb.step()
        steps += 1
        assert steps < 10
    assert climb.token_indices[0].tolist() == [0, 0, 0, 0]
    assert climb.scores[0] == pytest.approx(
        scores(tower, targets, climb.token_indices[0][None]).item(), abs=1e-9
    )


@pytest.mark.parametrize("swaps", [2, 40])
def test_prompts_that_share_their_passes_end_as_alone(tower: TextTower, swaps: int) -> None:
    """Each with a target of its own, some long done while others go on."""
    generator = torch.Generator().manual_seed(3)
    starts = torch.randint(40, (5, 4), generator=generator)
    goals = [make_targets(unit_rows(1, 32, seed=20 + i)) for i in range(5)]
    aims = torch.stack([mean_target(goal) for goal in goals])
    together = Refine(tower, table_of(tower), LAYOUT, aims, starts, swaps=swaps)
    while not all(together.done):
        together.step()
    for place, (goal, start) in enumerate(zip(goals, starts, strict=True)):
        alone = climb_from(tower, goal, start, swaps=swaps)
        while not alone.done[0]:
            alone.step()
        assert together.token_indices[place].tolist() == alone.token_indices[0].tolist()
        assert together.scores[place] == pytest.approx(alone.scores[0], abs=1e-12)


class RoundsByBatch(TextTower):
    """A tower whose features come out differently in another batch, as those of half precision."""

    def features(self, embeddings: Tensor) -> Tensor:
        exact = super().features(embeddings)
        rounded = (exact * 16 + len(embeddings) % 7 / 7).round() / 16
        return exact + (rounded - exact).detach()


@pytest.mark.parametrize("seed", range(5))
def test_rounding_that_changes_with_the_batch_does_not_go_on_for_ever(
    targets: Targets, seed: int
) -> None:
    """Prompts that take turns at being the better one: on random weights of ViT-L-14 in bfloat16
    a refinement ended only with its time."""
    tower = RoundsByBatch(**vars(small_tower()))
    climb = refine(tower, targets, seed, swaps=16)
    last, steps = -float("inf"), 0
    while not climb.done[0]:
        climb.step()
        steps += 1
        assert climb.scores[0] >= last and steps < 200
        last = climb.scores[0]
