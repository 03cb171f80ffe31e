"""The baselines of the paper: each does what its own paper says, under the protocol of all."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from pez_core import PRESETS, ClipModel, SearchConfig, learn_prompt, make_targets
from pez_core.config import OPTIMIZERS as NAMES
from pez_core.errors import ConfigError
from pez_core.search.cuda_graph import CudaGraphStep
from pez_core.search.fluency import Fluency, read_prior
from pez_core.search.objective import Cosine
from pez_core.search.optimizers import OPTIMIZERS, Optimizer
from pez_core.search.optimizers.fluentprompt import noise_sizes
from pez_core.search.projection import TokenTable, token_table
from pez_core.search.slots import Slots
from pez_core.targets import Targets, weighted_similarity
from tests.support.graph_recorder import record, run
from tests.support.towers import small_tower, unit_rows

ALLOWED = torch.arange(590)
LAYOUT = torch.tensor([598, -1, -1, 7, -1, 599])
STEPS = 12
TOWER = small_tower()


def make(
    name: str,
    goals: Sequence[Targets] | None = None,
    table: TokenTable | None = None,
    seeds: Sequence[int] = (3,),
    fluency: Fluency | None = None,
    **changes: object,
) -> Optimizer:
    config = SearchConfig(optimizer=name, **{"steps": STEPS, "restarts": 3, **changes})  # type: ignore[arg-type]
    return OPTIMIZERS[name](
        Cosine(TOWER, LAYOUT, goals or [make_targets(unit_rows(4, 32, 5))]),
        table or token_table(TOWER.token_embedding, ALLOWED),
        config,
        [torch.Generator().manual_seed(seed) for seed in seeds],
        fluency=fluency,
    )


def run_all(optimizer: Optimizer, steps: int = STEPS) -> Optimizer:
    for _ in range(steps):
        optimizer.step()
    return optimizer


def similarity(rows: Tensor, targets: Targets) -> Tensor:
    """Scored anew, prompt by prompt."""
    ids = LAYOUT.repeat(len(rows), 1)
    ids[:, LAYOUT < 0] = ALLOWED[rows]
    return weighted_similarity(TOWER.encode_ids(ids.tolist()), targets)


def test_every_name_has_its_file_and_its_class() -> None:
    assert tuple(OPTIMIZERS) == NAMES
    assert len(set(OPTIMIZERS.values())) == len(NAMES)
    for name, kind in OPTIMIZERS.items():
        assert kind.__module__.endswith(f"optimizers.{name}")


def test_an_unknown_optimizer_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown optimizer 'adam': choose one of pez,"):
        SearchConfig(optimizer="adam")


@pytest.mark.parametrize("batch_size", [None, 1])
@pytest.mark.parametrize("name", NAMES)
def test_the_best_score_is_that_of_the_best_tokens(name: str, batch_size: int | None) -> None:
    """Of all targets, whatever the step's mini-batch; and the same seed gives the same again."""
    targets = make_targets(unit_rows(4, 32, 5))
    first = run_all(make(name, [targets], batch_size=batch_size))
    again = run_all(make(name, [targets], batch_size=batch_size))
    torch.testing.assert_close(first.best_scores, similarity(first.best_token_indices, targets))
    assert torch.equal(first.best_token_indices, again.best_token_indices)
    other = run_all(make(name, [targets], batch_size=batch_size, seeds=(4,)))
    assert not torch.equal(first.best_token_indices, other.best_token_indices)


@pytest.mark.parametrize("batch_size", [None, 1])
@pytest.mark.parametrize("name", NAMES)
def test_each_goal_moves_as_if_it_were_alone(name: str, batch_size: int | None) -> None:
    goals = [make_targets(unit_rows(count, 32, seed=count)) for count in (1, 3, 2)]
    together = run_all(make(name, goals, seeds=(7, 8, 9), batch_size=batch_size))
    for goal in range(3):
        alone = run_all(make(name, [goals[goal]], seeds=(7 + goal,), batch_size=batch_size))
        rows = slice(3 * goal, 3 * goal + 3)
        assert together.best_token_indices[rows].tolist() == alone.best_token_indices.tolist()


@pytest.mark.parametrize("name", [name for name in NAMES if OPTIMIZERS[name].captures])
def test_a_recorded_step_goes_on_as_the_step_would(name: str) -> None:
    """What says that it can be a CUDA graph keeps nothing in Python that a step changes."""
    eager, recorded = make(name, batch_size=2), make(name, batch_size=2)
    step = CudaGraphStep(recorded.step, warm_up=run, record=record)
    for _ in range(STEPS - 1):
        eager.step()
        with torch.inference_mode(False):
            step()
        assert torch.equal(eager.best_scores, recorded.best_scores)
        assert torch.equal(eager.best_token_indices, recorded.best_token_indices)


@pytest.mark.own_autograd
def test_autoprompt_sgd_is_adamw_with_a_projection_after_every_update() -> None:
    """Written out with torch's own AdamW, for one prompt."""
    targets = make_targets(unit_rows(1, 32, 5))
    table = token_table(TOWER.token_embedding, ALLOWED)
    ours = make("autoprompt_sgd", [targets], table, restarts=1, lr=2.0)
    value = torch.nn.Parameter(table.embeddings[ours.best_token_indices].clone())
    adamw = torch.optim.AdamW([value], lr=2.0, weight_decay=0.1)
    slots, best, seen = Slots(TOWER, LAYOUT), -1.0, set()
    for _ in range(STEPS):
        score = (slots.features(value) * targets.features).sum()
        best = max(best, score.item())
        adamw.zero_grad()
        (1 - score).backward()
        adamw.step()
        with torch.no_grad():
            rows = table.nearest(value)
            value.copy_(table.embeddings[rows])
        seen.add(tuple(rows[0].tolist()))
        ours.step()
        assert ours.best_scores.item() == pytest.approx(best, abs=1e-9)
    assert len(seen) > 3  # it did move


def test_a_small_learning_rate_holds_autoprompt_sgd_but_not_pez() -> None:
    """What the paper has against projecting in every step (§2, Figure 5a)."""
    moved = {}
    for name in ("pez", "autoprompt_sgd"):
        optimizer = make(name, lr=0.003, weight_decay=0.0, steps=80)
        start = optimizer.best_token_indices.clone()
        run_all(optimizer, 80)
        moved[name] = bool((optimizer.best_token_indices != start).any())
    assert moved == {"pez": True, "autoprompt_sgd": False}


def test_fluentprompt_without_noise_is_autoprompt_sgd(monkeypatch: pytest.MonkeyPatch) -> None:
    fluent, plain = make("fluentprompt", lr=2.0), make("autoprompt_sgd", lr=2.0)
    monkeypatch.setattr(fluent, "_draw", lambda draw: torch.zeros_like(draw(torch.Generator())))
    run_all(fluent), run_all(plain)
    assert torch.equal(fluent.best_token_indices, plain.best_token_indices)


def test_the_noise_of_fluentprompt_falls_to_a_hundredth() -> None:
    """√(2·lr·β) with β from 1 to 1e-4, by the same factor in every step."""
    sizes = noise_sizes(50, lr=0.5)
    assert len(sizes) == 50 and noise_sizes(1, 0.5) == [1.0]
    assert sizes[0] == pytest.approx(1.0) and sizes[-1] == pytest.approx(0.01)
    factors = {round(after / before, 9) for before, after in zip(sizes, sizes[1:], strict=False)}
    assert len(factors) == 1


def test_fluency_draws_fluentprompt_to_captions(demo: ClipModel) -> None:
    """With the embedded model and its prior: the projection prefers what is often said."""
    targets = make_targets(demo.encode_texts(["a red apple on a blue background"]))
    prior, found = read_prior(demo.vocabulary), {}
    for weight in (0.0, 0.03):
        config = SearchConfig(
            optimizer="fluentprompt", steps=60, refine=0, lr=0.3, fluency=weight, restarts=4
        )
        best = learn_prompt(demo, targets, "{6}", config=config).best
        found[weight] = prior.log_probability(torch.tensor([best.ids])).item()
    assert found[0.03] > found[0.0] + 3  # nats


def test_autoprompt_takes_the_best_of_all_tokens_where_all_are_proposed() -> None:
    """Against every token tried by hand in the place that was drawn."""
    targets = make_targets(unit_rows(1, 32, 5))
    optimizer = make("autoprompt", [targets], restarts=1, swaps=len(ALLOWED))
    rows = optimizer.best_token_indices.clone()
    for _ in range(4):
        optimizer.step()
        tried = []
        for place in range(3):
            trials = rows.repeat(len(ALLOWED), 1)
            trials[:, place] = torch.arange(len(ALLOWED))
            best, index = similarity(trials, targets).max(dim=0)
            tried.append((best.item(), trials[index].tolist()))
        assert (optimizer.best_scores.item(), optimizer.best_token_indices[0].tolist()) in [
            (pytest.approx(score, abs=1e-9), found) for score, found in tried
        ]
        rows = optimizer.best_token_indices.clone()


def test_autoprompt_never_loses_and_changes_one_place_a_step() -> None:
    optimizer = make("autoprompt", restarts=5)
    before, scores = optimizer.best_token_indices.clone(), optimizer.best_scores.clone()
    for _ in range(STEPS):
        optimizer.step()
        assert bool((optimizer.best_scores >= scores).all())
        assert int((optimizer.best_token_indices != before).sum(dim=1).max()) <= 1
        before, scores = optimizer.best_token_indices.clone(), optimizer.best_scores.clone()


def test_stochastic_rounding_follows_the_distances() -> None:
    """An embedding between two tokens, whose distances are as 1 to 3, becomes the nearer one in
    three of four draws."""
    table = token_table(TOWER.token_embedding, ALLOWED)
    optimizer = make("stochastic_rounding", table=table, restarts=800)
    near, far = (F.normalize(table.embeddings[i], dim=0) for i in (0, 1))
    shares = torch.linspace(0, 1, 2001, dtype=near.dtype)[:, None]
    path = F.normalize((1 - shares) * near + shares * far, dim=1)
    ratio = (1 - path @ near) / (1 - path @ far).clamp_min(1e-12)
    between = path[(ratio - 1 / 3).abs().argmin()]
    optimizer._embeddings.copy_(between.expand_as(optimizer._embeddings))  # type: ignore[attr-defined]
    rows = optimizer._rounded()  # type: ignore[attr-defined]
    assert set(rows.flatten().tolist()) == {0, 1}
    assert (rows == 0).double().mean().item() == pytest.approx(0.75, abs=0.03)


def test_a_soft_prompt_has_no_tokens_before_its_end() -> None:
    """And then they are those nearest to where it has come."""
    optimizer = make("soft")
    run_all(optimizer, STEPS - 1)
    assert optimizer.best_scores.tolist() == [-float("inf")] * 3
    optimizer.step()
    embeddings = optimizer._embeddings  # type: ignore[attr-defined]
    table = token_table(TOWER.token_embedding, ALLOWED)
    assert torch.equal(optimizer.best_token_indices, table.nearest(embeddings))


def test_projecting_a_soft_prompt_loses_most_of_it() -> None:
    """Why the paper takes its gradient at the tokens (§2)."""
    targets = make_targets(unit_rows(1, 32, 5))
    optimizer = make("soft", [targets], steps=100, weight_decay=0.0)
    slots = Slots(TOWER, LAYOUT)
    run_all(optimizer, 100)
    embeddings = optimizer._embeddings  # type: ignore[attr-defined]
    soft = slots.features(embeddings) @ targets.features[0]
    assert bool((soft > optimizer.best_scores + 0.1).all())


@pytest.mark.parametrize("name", NAMES)
def test_a_search_runs_with_every_optimizer(name: str, demo: ClipModel) -> None:
    """Also with refinement. The result has the text's own similarity, and it keeps the setting."""
    targets = make_targets(demo.encode_texts(["a red heart"]))
    config = PRESETS["default"].replace(optimizer=name, steps=5, restarts=2)
    result = learn_prompt(demo, targets, "{3}", config=config)
    again = demo.encode_texts([result.best.text]) @ targets.features[0]
    assert result.best.similarity == pytest.approx(again.item(), abs=1e-5)
    assert result.settings["optimizer"] == name
