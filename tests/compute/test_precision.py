"""Which precision is chosen where, with hardware that is faked; and weights held as stored."""

from __future__ import annotations

from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from pez_core.clip.weights import load_text_tower
from pez_core.clip.weights_file import WeightsFile
from pez_core.compute import precision
from pez_core.compute.precision import arithmetic_of, best_dtype
from tests.support.towers import architecture, open_clip_model, sequences

HALVES = [torch.float16, torch.bfloat16]


def read_text(path: Path, flags: str, *rest: Any, **more: Any) -> str:
    """`Path.read_text` where the first processor has these flags."""
    if path == Path("/proc/cpuinfo"):
        return f"processor\t: 0\nflags\t\t: {flags}\n\nprocessor\t: 1\nflags\t\t: fpu\n"
    with path.open(*rest, **more) as file:
        return file.read()


@pytest.fixture
def cpu(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes the processor one that has some of torch's capabilities and some flags."""

    def fake(*capabilities: str, flags: str = "fpu avx2", onednn: bool = True) -> None:
        for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
            monkeypatch.setattr(torch.cpu, name, lambda n=name: n in capabilities, raising=False)
        monkeypatch.setattr(Path, "read_text", partialmethod(read_text, flags))
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: onednn)
        precision.cpu_has_bfloat16.cache_clear()

    yield fake
    precision.cpu_has_bfloat16.cache_clear()


def test_a_cpu_is_fast_in_what_it_has_hardware_for(
    cpu: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Torch or the system reports it; bfloat16 needs oneDNN as well."""
    cpu()
    assert best_dtype("cpu") == torch.float32
    cpu("_is_amx_tile_supported")
    assert best_dtype("cpu") == torch.bfloat16
    cpu("_is_avx512_bf16_supported")
    assert best_dtype("cpu") == torch.bfloat16
    cpu(flags="fpu avx512_bf16")
    assert best_dtype("cpu") == torch.bfloat16
    cpu("_is_amx_tile_supported", onednn=False)
    assert best_dtype("cpu") == torch.float32
    cpu(flags="fpu amx_bf16")
    for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):  # as in torch 2.4
        monkeypatch.delattr(torch.cpu, name)
    precision.cpu_has_bfloat16.cache_clear()
    assert best_dtype("cpu") == torch.bfloat16


@pytest.mark.parametrize(("major", "dtype"), [(9, torch.bfloat16), (8, torch.bfloat16)])
def test_a_gpu_has_its_half_precision(
    major: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (major, 0))
    assert best_dtype("cuda:0") == dtype
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    assert best_dtype("cuda:0") == torch.float16
    assert best_dtype("mps") == torch.float32


def test_half_precision_without_hardware_is_for_storing(cpu: Any) -> None:
    """Then it is computed in float32."""
    cpu()
    assert [arithmetic_of("cpu", dtype) for dtype in HALVES] == [torch.float32] * 2
    assert [arithmetic_of("cuda", dtype) for dtype in HALVES] == HALVES
    assert arithmetic_of("cpu", torch.float64) == torch.float64
    cpu("_is_amx_tile_supported")
    assert [arithmetic_of("cpu", dtype) for dtype in HALVES] == [torch.float32, torch.bfloat16]


@pytest.mark.parametrize("dtype", HALVES)
def test_weights_held_as_stored_give_the_same_features(
    dtype: torch.dtype, tmp_path: Path, cpu: Any
) -> None:
    """To the bit, in half the memory; a search in that precision shares their memory."""
    cpu()
    arch = architecture("quick_gelu")
    state = open_clip_model(arch).to(dtype).state_dict()
    path = tmp_path / "model.safetensors"
    save_file({k: v.contiguous().clone() for k, v in state.items()}, path)
    file = WeightsFile(path)
    wide = load_text_tower(file, arch, source="a test")
    stored = load_text_tower(file, arch, source="a test", as_stored=True)
    assert torch.equal(stored.encode_ids(sequences()), wide.encode_ids(sequences()))
    assert stored.blocks[0].qkv_weight.dtype == stored.text_projection.dtype == dtype
    assert stored.token_embedding.dtype == stored.blocks[0].qkv_bias.dtype == torch.float32
    moved = stored.to("cpu", dtype)
    assert moved.blocks[1].fc_weight is stored.blocks[1].fc_weight
    assert stored.to("cpu").arithmetic == torch.float32


def test_a_float32_file_stays_float32(tmp_path: Path) -> None:
    """Its weights are never rounded by being held as stored."""
    arch = architecture()
    state = open_clip_model(arch).state_dict()
    tower = load_text_tower(state, arch, source="a test", as_stored=True)
    assert tower.blocks[0].fc_weight.dtype == tower.text_projection.dtype == torch.float32
