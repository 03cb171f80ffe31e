"""A captured step does what the step does: with a recorder that has a CUDA graph's rules, on a
CPU."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest
import torch

from pez_core import SearchConfig
from pez_core.search import cuda_graph as module
from pez_core.search.cuda_graph import WARM_UP, CudaGraphStep
from pez_core.search.objective import Cosine
from pez_core.search.optimizers import Pez
from pez_core.search.projection import token_table
from pez_core.targets import make_targets
from tests.support.graph_recorder import record, run
from tests.support.towers import small_tower, unit_rows

STEPS = 12


def make_pez(batch_size: int | None, dtype: torch.dtype = torch.float32) -> Pez:
    tower = small_tower().to("cpu", dtype)
    table = token_table(tower.token_embedding, torch.arange(598), dtype=dtype)
    config = SearchConfig(steps=STEPS, restarts=3, batch_size=batch_size)
    layout = torch.tensor([598, -1, -1, 7, -1, 599])
    generator = torch.Generator().manual_seed(3)
    objective = Cosine(tower, layout, [make_targets(unit_rows(4, 32, 5))])
    return Pez(objective, table, config, [generator])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("batch_size", [None, 1, 2])
def test_a_recorded_step_of_pez_goes_on_as_the_step_would(
    batch_size: int | None, dtype: torch.dtype
) -> None:
    """Steps, mini-batches and the best prompts depend on nothing that Python keeps."""
    eager, captured = make_pez(batch_size, dtype), make_pez(batch_size, dtype)
    step = CudaGraphStep(captured.step, warm_up=run, record=record)
    for _ in range(STEPS):
        eager.step()
        with torch.inference_mode(False):
            step()
        assert torch.equal(eager.best_scores, captured.best_scores)
        assert torch.equal(eager.best_token_indices, captured.best_token_indices)
        assert torch.equal(eager._embeddings, captured._embeddings)
    assert captured._at.item() == STEPS
    assert len(set(eager.best_token_indices.flatten().tolist())) > 3


def test_a_recording_finds_out_a_state_that_python_keeps() -> None:
    """The test's own guard: such a step goes wrong when it is replayed."""
    values, place = torch.zeros(STEPS), [0]

    def step() -> None:
        values[place[0]] += 1
        place[0] += 1

    captured = CudaGraphStep(step, warm_up=run, record=record)
    for _ in range(STEPS):
        captured()
    assert values.tolist() == [1] * WARM_UP + [STEPS - WARM_UP] + [0] * (STEPS - WARM_UP - 1)


def test_the_step_is_warmed_up_then_recorded_once_then_replayed() -> None:
    did: list[str] = []

    def fake(step: Callable[[], None]) -> Callable[[], None]:
        did.append("record")
        return lambda: did.append("replay")

    captured = CudaGraphStep(lambda: did.append("step"), warm_up=run, record=fake)
    for _ in range(WARM_UP + 3):
        captured()
    assert did == ["step"] * WARM_UP + ["record"] + ["replay"] * 3


def test_a_step_that_cannot_be_recorded_goes_on_eagerly(caplog: pytest.LogCaptureFixture) -> None:
    """No step is lost or done twice, and one line says why."""

    def refuse(step: Callable[[], None]) -> Callable[[], None]:
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nmore")

    count = [0]

    def step() -> None:
        count[0] += 1

    captured = CudaGraphStep(step, warm_up=run, record=refuse)
    with caplog.at_level("INFO", logger="pez_core"):
        for _ in range(STEPS):
            captured()
    assert count == [STEPS]
    assert [r.getMessage() for r in caplog.records] == [
        "the step runs without a CUDA graph: CUDA error: operation not permitted when stream is "
        "capturing"
    ]


def test_a_captured_step_is_freed_with_its_last_user() -> None:
    """A graph holds memory of the GPU: nothing may wait for the garbage collector."""
    pez = make_pez(None)
    step = CudaGraphStep(pez.step, warm_up=run, record=record)
    for _ in range(WARM_UP + 1):
        with torch.inference_mode(False):
            step()
    watched = [weakref.ref(step), weakref.ref(pez)]
    gc.disable()
    try:
        del step, pez
        assert [ref() for ref in watched] == [None, None]
    finally:
        gc.enable()


def test_on_a_cpu_nothing_is_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("captured")

    monkeypatch.setattr(module, "CudaGraphStep", fail)
    module.graphed(make_pez(None))()
