"""Files that cannot serve are refused, naming the file, the tensor and the way out."""

from __future__ import annotations

import json
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save, save_file

from pez_core.clip.weights import load_text_tower
from pez_core.clip.weights_file import WeightsFile
from pez_core.errors import WeightsError
from tests.support.namings import NAMINGS, State, comfyui, open_clip, sdxl_checkpoint_g, text_only
from tests.support.towers import architecture

ARCH = architecture()


@pytest.fixture(scope="module")
def good() -> State:
    """A small text encoder in open_clip's naming."""
    return text_only(open_clip(ARCH).state)


def refused(state: State, match: str, tower: str | None = None) -> str:
    """The message with which a state dict is refused; it names the file."""
    with pytest.raises(WeightsError, match=match) as caught:
        load_text_tower(state, ARCH, source="folder/a.safetensors", tower=tower)
    assert "folder/a.safetensors" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("naming", NAMINGS)
def test_every_missing_tensor_is_named(naming: str) -> None:
    """Whichever tensor of the text tower is taken away, the message says which one it was."""
    named = NAMINGS[naming](ARCH)
    taken: list[str] = []

    class Watched(dict[str, torch.Tensor]):
        def __getitem__(self, key: str) -> torch.Tensor:
            taken.append(key)
            return super().__getitem__(key)

    load_text_tower(Watched(named.state), ARCH, source="a test", tower=named.tower)
    assert len(taken) >= 5 + 12 * ARCH.layers
    for key in [k for k in taken if "token_embedding" not in k and "resblocks.0.ln_1.w" not in k]:
        rest = {k: v for k, v in named.state.items() if k != key}
        name = key.removesuffix(".weight") if "text_projection" in key else key
        refused(rest, f"has no {re.escape(name)}.*give", named.tower)


def test_a_file_without_projection_says_where_to_find_one() -> None:
    """SD 1.5 checkpoints and many CLIP-L files lack the projection; it is never made up."""
    state = comfyui(ARCH).state
    del state["clip_l.transformer.text_projection.weight"]
    refused(state, "no clip_l.transformer.text_projection: .*without the projection.*give the CLIP")


def test_a_wrong_shape_is_reported_with_both_shapes(good: State) -> None:
    """A file of another size than its configuration says."""
    state = {**good, "ln_final.weight": torch.ones(40)}
    refused(state, r"ln_final\.weight has the shape \(40,\).*\(32,\).*give the configuration")
    state = {**good, "text_projection": good["text_projection"].T.contiguous()}
    refused(state, r"text_projection has the shape \(24, 32\).*\(32, 24\)")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_weight_that_is_not_a_number_is_refused(good: State, value: float) -> None:
    """One bad value among a million is found, and its tensor named."""
    table = good["token_embedding.weight"].clone()
    table[-1, -1] = value
    refused({**good, "token_embedding.weight": table}, "token_embedding.weight holds .*damaged")


def test_a_file_without_text_encoder_says_so() -> None:
    """An image model alone, and an empty state dict."""
    message = "no CLIP text encoder.*give a CLIP file"
    refused({"model.diffusion_model.out.2.bias": torch.zeros(4)}, message)
    refused({}, message)


def test_several_towers_have_to_be_told_apart() -> None:
    """The message lists them, also for a name that fits none or both."""
    state = sdxl_checkpoint_g(ARCH).state
    both = r"conditioner\.embedders\.0\.transformer, conditioner\.embedders\.1\.model"
    refused(state, f"{both}: name one of them")
    refused(state, f"{both}.*'clip_g' matches 0", tower="clip_g")
    refused(state, f"{both}.*'embedders' matches 2", tower="embedders")
    refused(state, r"no conditioner\.embedders\.0\.transformer\.text_projection", "embedders.0")


def _zip(path: Path) -> None:
    torch.save({"a": torch.ones(2)}, path)


def _legacy_pickle(path: Path) -> None:
    torch.save({"a": torch.ones(2)}, path, _use_new_zipfile_serialization=False)


def _plain_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps({"a": 1}))


def _any_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "text")


@pytest.mark.parametrize("write", [_zip, _legacy_pickle, _plain_pickle, _any_zip])
@pytest.mark.parametrize("suffix", [".pt", ".ckpt", ".bin", ".safetensors"])
def test_a_pickle_is_refused_under_any_name(
    write: Callable[[Path], None], suffix: str, tmp_path: Path
) -> None:
    """By its name or by its first bytes, and without being loaded."""
    path = tmp_path / f"model{suffix}"
    write(path)
    with pytest.raises(WeightsError, match=f"{re.escape(str(path))}.*pickle.*safetensors file"):
        WeightsFile(path)


def test_a_pickle_is_not_run(tmp_path: Path) -> None:
    """What a pickle would do when loaded is not done."""
    path, trace = tmp_path / "evil.safetensors", tmp_path / "trace"

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str, ...]]:
            return (eval, (f"open({str(trace)!r}, 'w')",))

    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(WeightsError, match="pickle"):
        WeightsFile(path)
    assert not trace.exists()


def _damaged(good: bytes) -> dict[str, bytes]:
    length = int.from_bytes(good[:8], "little")
    header = json.dumps({"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 8]}}).encode()
    return {
        "empty": b"",
        "of three bytes": good[:3],
        "cut in the header": good[: 8 + length // 2],
        "cut in the tensors": good[:-5],
        "with a header of no JSON": good[:8] + b"?" * length + good[8 + length :],
        "with a header beyond its end": (2**40).to_bytes(8, "little") + good[8:],
        "with a tensor of a wrong size": len(header).to_bytes(8, "little") + header + bytes(8),
        "of text": b"this is not a model\n" * 100,
        "of a web page": b"<!DOCTYPE html><html><body>404 not found</body></html>",
    }


DAMAGED = _damaged(save({"a": torch.ones(100), "b": torch.ones(3)}))


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_is_refused(damage: str, tmp_path: Path) -> None:
    """The error for a cut, empty or overwritten file says so and names the file."""
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(DAMAGED[damage])
    with pytest.raises(WeightsError, match=rf"{re.escape(str(path))}.*(copy|download).*again"):
        WeightsFile(path)


def test_a_missing_file_and_a_folder_are_not_a_file(tmp_path: Path) -> None:
    """Neither is an OSError with a traceback."""
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(WeightsError, match=f"{re.escape(str(path))}.*no such file"):
            WeightsFile(path)


def test_a_tensor_read_from_a_file_is_checked_like_any_other(tmp_path: Path, good: State) -> None:
    """The way through a file keeps the message about the tensor."""
    path = tmp_path / "short.safetensors"
    save_file({k: v.contiguous() for k, v in good.items() if k != "positional_embedding"}, path)
    with pytest.raises(WeightsError, match=f"{re.escape(str(path))} has no positional_embedding"):
        load_text_tower(WeightsFile(path), ARCH, source=str(path))
