"""A step of PEZ never waits for the device: on the meta device no value can be read at all."""

import pytest
import torch

from pez_core import SearchConfig, load_model, make_mask, make_targets
from pez_core.search.objective import Cosine
from pez_core.search.optimizers import Pez
from pez_core.search.projection import TokenTable, token_table


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("batch_size", [None, 1])
def test_step_reads_no_value(batch_size: int | None, dtype: torch.dtype) -> None:
    model = load_model("demo")
    ids = torch.tensor(make_mask(model.vocabulary).ids)
    table = token_table(model.tower.token_embedding, ids, dtype=dtype)
    table = TokenTable(*(t.to("meta") for t in (table.ids, table.embeddings, table.directions)))
    targets = make_targets(torch.randn(3, model.tower.text_projection.shape[1])).to("meta")
    layout = torch.tensor([model.vocabulary.start, *[-1] * 8, model.vocabulary.end])
    config = SearchConfig(steps=3, batch_size=batch_size)
    objective = Cosine(model.tower.to("meta", dtype), layout, [targets])
    pez = Pez(objective, table, config, [torch.Generator()])
    for _ in range(config.steps):
        pez.step()
    assert pez.best_token_indices.shape == (config.restarts, 8)
    with pytest.raises(NotImplementedError):  # the guard itself: here a look at a value does fail
        pez.best_scores.tolist()
