"""The fast loop against the plain one: PEZ follows Algorithm 1 token for token, and both rest on
open_clip's own forward and on finite differences."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from pez_core import SearchConfig, make_targets
from pez_core.search.objective import Cosine
from pez_core.search.optimizers import Pez
from pez_core.search.projection import TokenTable, token_table
from pez_core.search.reference import Reference, encode_text
from tests.support.towers import (
    ACTIVATIONS,
    architecture,
    double,
    open_clip_model,
    small_tower,
    text_tower,
    unit_rows,
)

START, END = 598, 599  # of towers.small_tower
ALLOWED = torch.randperm(590, generator=torch.Generator().manual_seed(3))[:400]
PLAIN = torch.tensor([START, *[-1] * 5, END])
FIXED_WORDS = torch.tensor([START, 7, 21, -1, -1, -1, 350, 4, -1, -1, 592, END])
STEPS = 60


@dataclass(frozen=True)
class RecordingTable(TokenTable):
    """A token table that keeps what it has answered."""

    seen: list[Tensor] = field(default_factory=list)

    def nearest(self, embeddings: Tensor) -> Tensor:
        rows = super().nearest(embeddings)
        self.seen.append(rows)
        return rows


def recording_table(embedding: Tensor, allowed: Tensor) -> RecordingTable:
    return RecordingTable(**vars(token_table(embedding, allowed)))


CASES = [  # activation, targets, batch_size, layout
    ("gelu", 1, None, PLAIN),
    ("quick_gelu", 1, None, FIXED_WORDS),
    ("gelu", 3, None, FIXED_WORDS),
    ("quick_gelu", 3, None, PLAIN),
    ("gelu", 4, 1, PLAIN),
    ("quick_gelu", 4, 1, FIXED_WORDS),
    ("gelu", 4, 3, FIXED_WORDS),
    ("gelu", 2, 5, PLAIN),  # a batch larger than the targets is all of them
]


@pytest.mark.parametrize(("activation", "targets", "batch_size", "layout"), CASES)
def test_pez_follows_the_reference_token_for_token(
    activation: str, targets: int, batch_size: int | None, layout: Tensor
) -> None:
    """In every step the projected tokens, the best tokens and the best score are those of
    Algorithm 1."""
    tower = small_tower(activation)
    features = unit_rows(targets, 32, seed=5)
    config = SearchConfig(steps=STEPS, restarts=1, batch_size=batch_size)
    table = recording_table(tower.token_embedding, ALLOWED)
    objective = Cosine(tower, layout, [make_targets(features)])
    pez = Pez(objective, table, config, [torch.Generator().manual_seed(11)])
    plain = Reference(tower, ALLOWED, layout, features, config, torch.Generator().manual_seed(11))
    moved = set()
    for step in range(STEPS):
        pez.step()
        plain.step()
        assert table.seen[step].tolist() == plain.token_indices.tolist(), f"step {step + 1}"
        assert pez.best_token_indices.tolist() == plain.best_token_indices.tolist(), (
            f"step {step + 1}"
        )
        assert pez.best_scores.item() == pytest.approx(plain.best_score, abs=1e-12)
        moved.add(tuple(plain.token_indices[0].tolist()))
    assert len(moved) > 10  # the prompt did move, so there was something to follow


def test_each_restart_moves_as_if_it_were_alone() -> None:
    """A batch of restarts is as many runs of the reference, each with its share of the draws."""
    tower, restarts, slots = small_tower(), 3, 5
    features = unit_rows(2, 32, seed=5)
    config = SearchConfig(steps=STEPS, restarts=restarts)
    table = token_table(tower.token_embedding, ALLOWED)
    objective = Cosine(tower, PLAIN, [make_targets(features)])
    pez = Pez(objective, table, config, [torch.Generator().manual_seed(2)])
    for _ in range(STEPS):
        pez.step()
    for restart in range(restarts):
        generator = torch.Generator().manual_seed(2)
        torch.randint(len(ALLOWED), (restart, slots), generator=generator)
        plain = Reference(tower, ALLOWED, PLAIN, features, config, generator)
        for _ in range(STEPS):
            plain.step()
        assert pez.best_token_indices[restart].tolist() == plain.best_token_indices[0].tolist()
        assert pez.best_scores[restart].item() == pytest.approx(plain.best_score, abs=1e-12)


@pytest.mark.parametrize("batch_size", [None, 1])
def test_each_goal_moves_as_if_it_were_alone(batch_size: int | None) -> None:
    """Several searches in one population end with the very tokens that each finds by itself."""
    tower, table = small_tower(), token_table(small_tower().token_embedding, ALLOWED)
    config = SearchConfig(steps=STEPS, restarts=2, batch_size=batch_size)
    goals = [make_targets(unit_rows(count, 32, seed=count)) for count in (1, 3, 2)]

    def run(*chosen: int) -> Pez:
        generators = [torch.Generator().manual_seed(7 + i) for i in chosen]
        objective = Cosine(tower, PLAIN, [goals[i] for i in chosen])
        pez = Pez(objective, table, config, generators)
        for _ in range(STEPS):
            pez.step()
        return pez

    together = run(0, 1, 2)
    for goal in range(3):
        alone, rows = run(goal), slice(2 * goal, 2 * goal + 2)
        assert together.best_token_indices[rows].tolist() == alone.best_token_indices.tolist()
        torch.testing.assert_close(
            together.best_scores[rows], alone.best_scores, atol=1e-12, rtol=0
        )


@pytest.mark.own_autograd
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_are_those_of_finite_differences(activation: str) -> None:
    """Both forwards are differentiated rightly with respect to the embeddings, in float64."""
    tiny = {"width": 8, "heads": 2, "layers": 2, "mlp_width": 32, "embed_dim": 6}
    tower = small_tower(activation, vocab_size=20, **tiny)
    generator = torch.Generator().manual_seed(1)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)

    assert torch.autograd.gradcheck(tower.features, random(2, 5, 8))
    assert torch.autograd.gradcheck(lambda x: encode_text(tower, x, 4), random(1, 77, 8))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_reference_forward_is_open_clips(activation: str) -> None:
    """`encode_text` gives open_clip's own feature for the same weights, up to float64 rounding."""
    arch = architecture(activation, vocab_size=600, layers=3)
    tower, model = double(text_tower(arch)), open_clip_model(arch).double()
    ids = torch.zeros(3, 77, dtype=torch.long)
    ids[:, 0] = START
    ids[:, 1:9] = torch.randint(590, (3, 8), generator=torch.Generator().manual_seed(4))
    ids[:, 9] = END
    ours = encode_text(tower, tower.token_embedding[ids], 9)
    torch.testing.assert_close(ours, model.encode_text(ids), atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("length", [2, 3, 18, 77])
def test_the_cut_context_gives_the_feature_of_the_whole_one(length: int) -> None:
    """Nothing after the end token changes the feature."""
    tower = small_tower("quick_gelu")
    generator = torch.Generator().manual_seed(length)
    whole = torch.randn(2, 77, 64, generator=generator, dtype=torch.float64)
    cut = tower.features(whole[:, :length])
    full = F.normalize(encode_text(tower, whole, length - 1), dim=-1)
    torch.testing.assert_close(cut, full, atol=1e-12, rtol=1e-12)
