"""The projection to the nearest token, against cosines worked out one by one."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from pez_core.errors import VocabularyError
from pez_core.search.projection import token_table


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@given(
    seed=st.integers(0, 2**31),
    width=st.integers(2, 24),
    count=st.integers(2, 60),
    scale=st.sampled_from([1e-4, 1.0, 1e4]),
)
def test_nearest_is_the_greatest_cosine(seed: int, width: int, count: int, scale: float) -> None:
    """Whatever the lengths of embeddings and rows, which a cosine does not see."""
    embedding = random(80, width, seed=seed) * random(80, 1, seed=seed + 1).exp()
    allowed = torch.randperm(80, generator=torch.Generator().manual_seed(seed))[:count]
    queries = random(3, 5, width, seed=seed + 2) * scale
    table = token_table(embedding, allowed)
    nearest = table.nearest(queries)
    assert nearest.shape == (3, 5)
    for query, row in zip(queries.view(-1, width), nearest.view(-1), strict=True):
        cosines = [float(F.cosine_similarity(query, embedding[i], dim=0)) for i in allowed]
        assert cosines[int(row)] == pytest.approx(max(cosines), abs=1e-12)


def test_a_token_is_nearest_to_itself_at_any_length() -> None:
    """Each row, stretched or shrunk, is projected back to itself; its opposite is not."""
    embedding = random(50, 16)
    table = token_table(embedding, torch.arange(50))
    factors = random(50, 1, seed=1).abs() + 0.01
    assert table.nearest(embedding * factors).tolist() == list(range(50))
    assert not bool((table.nearest(-embedding) == torch.arange(50)).any())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_finds_the_same_tokens(dtype: torch.dtype) -> None:
    """Also of pairs of rows that are one and the same in that precision."""
    embedding = random(4000, 32).float()
    embedding[2000:] = embedding[:2000] + 1e-5 * random(2000, 32, seed=1).float()
    queries = random(500, 32, seed=2).float()
    exact = token_table(embedding, torch.arange(4000))
    half = token_table(embedding, torch.arange(4000), dtype=dtype)
    assert bool((half.directions[:2000] == half.directions[2000:]).all(dim=1).any())
    wanted = F.cosine_similarity(queries, exact.embeddings[exact.nearest(queries)])
    found = F.cosine_similarity(queries, half.embeddings[half.nearest(queries)])
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=0)  # float32's own rounding


def test_half_precision_compares_no_more_tokens_than_there_are() -> None:
    """A vocabulary of two words."""
    table = token_table(random(2, 8).float(), torch.arange(2), dtype=torch.bfloat16)
    assert table.nearest(table.embeddings).tolist() == [0, 1]


def test_the_table_holds_the_allowed_tokens_in_their_order() -> None:
    """ids, rows and unit directions belong together."""
    embedding, allowed = random(20, 4), torch.tensor([17, 3, 8])
    table = token_table(embedding, allowed)
    assert table.ids.tolist() == [17, 3, 8]
    assert torch.equal(table.embeddings, embedding[allowed])
    torch.testing.assert_close(table.directions, F.normalize(embedding[allowed], dim=-1))


def test_tokens_the_model_never_trained_are_left_out() -> None:
    """A row of zeros has no direction, so it is never the answer."""
    embedding = random(20, 4)
    embedding[[2, 5]] = 0
    table = token_table(embedding, torch.tensor([1, 2, 3, 5]))
    assert table.ids.tolist() == [1, 3]
    assert len(table.embeddings) == len(table.directions) == 2
    assert set(table.nearest(torch.cat([-embedding, torch.zeros(1, 4)])).tolist()) <= {0, 1}


def test_a_table_without_any_trained_token_is_an_error() -> None:
    """The message counts them."""
    with pytest.raises(VocabularyError, match="none of the 3 allowed tokens is known.*allow more"):
        token_table(torch.zeros(5, 4), torch.tensor([0, 2, 4]))
