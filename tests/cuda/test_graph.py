"""On a GPU: a search with and without a CUDA graph is the same search."""

from __future__ import annotations

import pytest
import torch

from pez_core import ClipModel, SearchConfig, learn_prompt, make_targets
from pez_core.compute.precision import best_dtype
from pez_core.search.cuda_graph import WARM_UP, CudaGraphStep
from pez_core.search.objective import Cosine
from pez_core.search.optimizers import OPTIMIZERS, Pez
from pez_core.search.projection import token_table

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
STEPS = WARM_UP + 20


def make_pez(model: ClipModel, dtype: torch.dtype, batch_size: int | None) -> Pez:
    table = token_table(model.tower.token_embedding, torch.arange(40_000), dtype=dtype)
    layout = torch.tensor([model.vocabulary.start, *[-1] * 8, model.vocabulary.end])
    targets = make_targets(model.encode_texts(["a red apple", "a dog", "an old car"]))
    config = SearchConfig(steps=STEPS, restarts=4, batch_size=batch_size)
    tower = model.tower.to("cuda", dtype)
    generator = torch.Generator().manual_seed(0)
    objective = Cosine(tower, layout, [targets])
    return Pez(objective, table, config, [generator])


@pytest.mark.parametrize("batch_size", [None, 1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_graph_does_what_the_step_does(
    demo: ClipModel, dtype: torch.dtype, batch_size: int | None
) -> None:
    """The same kernels on the same numbers: equal to the bit, and captured indeed."""
    model = demo.to("cuda")
    eager, graph = (make_pez(model, dtype, batch_size) for _ in range(2))
    step = CudaGraphStep(graph.step)
    for _ in range(STEPS):
        eager.step()
        step()
    assert torch.equal(eager.best_token_indices, graph.best_token_indices)
    assert torch.equal(eager.best_scores, graph.best_scores)
    assert torch.equal(eager.token_indices, graph.token_indices)
    assert step.captured


def test_comfyuis_mode_and_a_stream_of_its_own_change_nothing(demo: ClipModel) -> None:
    """`learn_prompt` under inference_mode, on another stream than the default one."""
    model = demo.to("cuda")
    targets = make_targets(model.encode_texts(["a smiling face"]))
    config = SearchConfig(steps=STEPS, restarts=3, rounds=2, swaps=3, patience=None)
    dtype = best_dtype("cuda")
    expected = learn_prompt(model, targets, config=config, dtype=dtype)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.inference_mode(), torch.cuda.stream(stream):
        inside = learn_prompt(model, targets, config=config, dtype=dtype)
    assert inside.candidates == expected.candidates


@pytest.mark.parametrize("name", [name for name, kind in OPTIMIZERS.items() if kind.captures])
def test_every_optimizer_moves_the_same_in_a_graph(demo: ClipModel, name: str) -> None:
    model = demo.to("cuda")
    config = SearchConfig(optimizer=name, steps=STEPS, restarts=3)
    table = token_table(model.tower.token_embedding, torch.arange(20_000))
    layout = torch.tensor([model.vocabulary.start, *[-1] * 5, model.vocabulary.end])
    targets = make_targets(model.encode_texts(["a red apple"]))
    eager, graph = (
        OPTIMIZERS[name](
            Cosine(model.tower, layout, [targets]), table, config,
            [torch.Generator().manual_seed(0)],
        )
        for _ in range(2)
    )  # fmt: skip
    step = CudaGraphStep(graph.step)
    for _ in range(STEPS):
        eager.step()
        step()
    assert step.captured
    assert torch.equal(eager.best_token_indices, graph.best_token_indices)
    assert torch.equal(eager.best_scores, graph.best_scores)
