"""`linear.product` and `linear.linear` against PyTorch's own linear layer, on both ways through."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from pez_core.compute import linear

SIZES = st.integers(min_value=1, max_value=40)


@pytest.fixture(params=["oneDNN", "fallback"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each test runs with oneDNN's layer, where this build has it, and without it."""
    if request.param == "fallback":
        monkeypatch.setattr(linear, "_ONEDNN", False)
    elif not linear._ONEDNN:
        pytest.skip("this build of PyTorch has no oneDNN linear layer")
    return request.param


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


VIEWS = {
    "plain": lambda n, k, m: (random(n, k), random(m, k, seed=1)),
    "weight transposed": lambda n, k, m: (random(n, k), random(k, m, seed=1).T),
    "weight a slice of rows": lambda n, k, m: (random(n, k), random(3 * m, k, seed=1)[m : 2 * m]),
    "input transposed": lambda n, k, m: (random(k, n).T, random(m, k, seed=1)),
    "input a strided column": lambda n, k, m: (random(n, 3, k)[:, 1], random(m, k, seed=1)),
    "input one row repeated": lambda n, k, m: (random(1, k).expand(n, k), random(m, k, seed=1)),
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 64, 5), (7, 1, 3), (34, 48, 130)])
def test_product_equals_the_linear_layer_for_every_kind_of_view(
    way: str, view: str, bias: bool, shape: tuple[int, int, int]
) -> None:
    """x·Wᵀ + b is F.linear's, whatever the strides of its operands."""
    x, weight = VIEWS[view](*shape)
    b = random(shape[2], seed=2) if bias else None
    expected = F.linear(x.double(), weight.double(), None if b is None else b.double())
    torch.testing.assert_close(
        linear.product(x, weight, b).double(), expected, atol=1e-5, rtol=1e-5
    )


@given(n=SIZES, k=SIZES, m=SIZES)
def test_product_equals_the_linear_layer_for_any_size(n: int, k: int, m: int) -> None:
    """No size falls out of line, vectors included."""
    x, weight = random(n, k), random(m, k, seed=1)
    torch.testing.assert_close(linear.product(x, weight), x @ weight.T, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions_are_left_to_pytorch(way: str, dtype: torch.dtype) -> None:
    """float64 is not lowered to float32 on the way, nor bfloat16 raised."""
    x, weight, bias = random(5, 9).to(dtype), random(3, 9).to(dtype), random(3).to(dtype)
    result = linear.product(x, weight, bias)
    assert result.dtype == dtype
    assert torch.equal(result, F.linear(x, weight, bias))


@pytest.mark.own_autograd
def test_the_gradient_is_autograds(way: str) -> None:
    """The gradient for the input equals the one of PyTorch's own layer."""
    x, weight, bias, upstream = random(6, 20), random(11, 20), random(11), random(6, 11, seed=3)
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    linear.linear(ours, weight, bias).backward(upstream)
    F.linear(theirs, weight, bias).backward(upstream)
    torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-5, rtol=1e-5)


@pytest.mark.own_autograd
def test_no_gradient_is_made_for_the_weights(way: str) -> None:
    """Even a weight that asks for a gradient gets none: the towers are frozen."""
    x = random(2, 4).requires_grad_()
    weight, bias = random(3, 4).requires_grad_(), random(3).requires_grad_()
    linear.linear(x, weight, bias).sum().backward()
    assert x.grad is not None
    assert weight.grad is None and bias.grad is None
