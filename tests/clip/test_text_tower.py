"""The one text forward: equal to open_clip's, whatever the length, batch or precision."""

from __future__ import annotations

from dataclasses import fields

import pytest
import torch
from torch import Tensor

from pez_core.clip.text_tower import TextTower
from pez_core.clip.weights import load_text_tower
from tests.support.towers import (
    ACTIVATIONS,
    TEXTS,
    architecture,
    open_clip_features,
    open_clip_model,
    sequences,
    text_tower,
)


def tensors(tower: TextTower) -> list[Tensor]:
    """Every tensor of a tower."""
    parts = [tower, *tower.blocks]
    values = [getattr(part, f.name) for part in parts for f in fields(part)]
    return [value for value in values if isinstance(value, Tensor)]


@pytest.fixture(scope="module")
def tower() -> TextTower:
    return text_tower(architecture("quick_gelu"))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_texts_of_any_length_have_open_clips_features(activation: str) -> None:
    """From the empty text to one that is cut at 75 tokens, in one call."""
    arch = architecture(activation, layers=3)
    ours = text_tower(arch).encode_ids(sequences())
    theirs = open_clip_features(open_clip_model(arch))
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_the_activation_makes_a_difference() -> None:
    """The two activations give different features, so the comparisons above can tell them apart."""
    gelu, quick = (
        text_tower(architecture(activation)).encode_ids(sequences()) for activation in ACTIVATIONS
    )
    assert (gelu - quick).abs().max() > 1e-3


def test_features_of_embeddings_are_those_of_their_ids(tower: TextTower) -> None:
    """`features` of looked-up rows is what `encode_ids` gives."""
    rows = sequences([TEXTS[2], "a photo of a blue boat, sunk"])
    direct = tower.features(tower.token_embedding[torch.tensor(rows)])
    torch.testing.assert_close(direct, tower.encode_ids(rows), atol=1e-6, rtol=0)


def test_a_row_of_a_batch_is_the_batch_of_one(tower: TextTower) -> None:
    """Rows of a batch, of equal and of different lengths, do not touch each other."""
    rows = sequences([*TEXTS, "cat", "a photo of a red boat, parked", *TEXTS[:2]])
    together = tower.encode_ids(rows)
    alone = torch.cat([tower.encode_ids([row]) for row in rows])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)


def test_features_have_unit_length(tower: TextTower) -> None:
    """Every feature is a unit vector."""
    norms = tower.encode_ids(sequences()).norm(dim=1)
    torch.testing.assert_close(norms, torch.ones(len(TEXTS)), atol=1e-6, rtol=0)


def test_a_tower_is_frozen() -> None:
    """The weights of a module that trains become tensors without gradients, apart from the
    module's."""
    arch = architecture()
    module = open_clip_model(arch).requires_grad_(True)
    tower = load_text_tower(dict(module.named_parameters()), arch, source="a test")
    assert not any(tensor.requires_grad for tensor in tensors(tower))
    before = tower.encode_ids(sequences())
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    assert torch.equal(tower.encode_ids(sequences()), before)


@pytest.mark.parametrize(("dtype", "least"), [(torch.bfloat16, 0.999), (torch.float16, 0.9999)])
def test_a_lower_precision_is_that_of_the_blocks_alone(
    tower: TextTower, dtype: torch.dtype, least: float
) -> None:
    """`to(dtype)` narrows blocks and projection; embeddings and features stay float32 and near."""
    narrow = tower.to("cpu", dtype)
    blocks = [tensor for block in narrow.blocks for tensor in vars(block).values()]
    dtypes = {tensor.dtype for tensor in [*blocks, narrow.text_projection] if tensor is not None}
    assert dtypes == {dtype}
    assert narrow.token_embedding.dtype == narrow.positional_embedding.dtype == torch.float32
    features = narrow.encode_ids(sequences())
    assert features.dtype == torch.float32
    cosines = (features * tower.encode_ids(sequences())).sum(dim=1)
    assert cosines.min() > least


def test_moving_a_tower_without_a_dtype_changes_nothing(tower: TextTower) -> None:
    """`to(device)` keeps precision and values."""
    moved = tower.to("cpu")
    assert [t.dtype for t in tensors(moved)] == [t.dtype for t in tensors(tower)]
    assert torch.equal(moved.encode_ids(sequences()), tower.encode_ids(sequences()))


@pytest.mark.own_autograd
def test_a_tower_made_in_inference_mode_can_be_differentiated_through() -> None:
    """ComfyUI runs nodes in inference mode; weights loaded and moved there serve autograd."""
    arch = architecture()
    with torch.inference_mode():
        state = {name: value + 0 for name, value in open_clip_model(arch).state_dict().items()}
        tower = load_text_tower(state, arch, source="a test").to("cpu", torch.float64).to("cpu")
    embeddings = torch.randn(1, 4, 32, requires_grad=True)
    tower.features(embeddings)[0, 0].backward()
    assert embeddings.grad is not None and embeddings.grad.abs().sum() > 0


@pytest.mark.own_autograd
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_tower_prepared_for_a_search_is_the_same_tower(activation: str) -> None:
    """Features and gradients to the last rounding, from second layouts that are really there; what
    is made of it by `to` and `map` has none."""
    plain = text_tower(architecture(activation, layers=3))
    prepared = plain.for_search()
    for block in prepared.blocks:
        assert block.fc_back is not None and block.fc_back.is_contiguous()
        assert torch.equal(block.fc_back, block.fc_weight.T)
    generator = torch.Generator().manual_seed(1)
    start = torch.randn(3, 7, 32, generator=generator)
    results = []
    for tower in (plain, prepared):
        embeddings = start.clone().requires_grad_()
        features = tower.features(embeddings)
        (gradient,) = torch.autograd.grad(features[:, 0].sum(), embeddings)
        results.append((features.detach(), gradient))
    torch.testing.assert_close(results[0], results[1], atol=1e-6, rtol=1e-5)
    assert prepared.map(lambda tensor: tensor).blocks[0].fc_back is None
    half = plain.to("cpu", torch.bfloat16)
    assert half.for_search() is half
