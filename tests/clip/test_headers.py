"""Headers of safetensors files: read once, bounded, and as strictly as by safetensors itself."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from pez_core.clip import weights_file
from pez_core.clip.weights import load_text_tower
from pez_core.clip.weights_file import MOST_HEADER, WeightsFile
from pez_core.errors import WeightsError
from tests.support.namings import open_clip
from tests.support.towers import architecture

A = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
B = {"dtype": "F16", "shape": [2, 1], "data_offsets": [8, 12]}


def write(path: Path, header: Any, data: bytes = bytes(12)) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of the headers that have been parsed."""
    lengths, real = list[int](), weights_file.parse_json

    def noting(data: str, what: str) -> Any:
        lengths.append(len(data))
        return real(data, what)

    monkeypatch.setattr(weights_file, "parse_json", noting)
    return lengths


def test_a_header_is_parsed_once(tmp_path: Path, parsed: list[int]) -> None:
    """For all tensors of a model; with metadata of some size, which is nothing to us."""
    arch, path = architecture(), tmp_path / "a.safetensors"
    state = {key: value.contiguous() for key, value in open_clip(arch).state.items()}
    save_file(state, path, metadata={"workflow": "x" * 3_000_000})
    load_text_tower(WeightsFile(path), arch, source="a test")
    assert len(parsed) == 1 and parsed[0] > 3_000_000


def test_a_header_beyond_every_use_is_not_parsed(tmp_path: Path, parsed: list[int]) -> None:
    """90 MB of metadata are valid to safetensors; parsing them takes a second and a gigabyte."""
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.ones(2)}, path, metadata={"pad": "x" * MOST_HEADER})
    with pytest.raises(WeightsError, match=r"a\.safetensors.*header has 25,\d+,\d+ bytes, and at"):
        WeightsFile(path)
    assert not parsed


BAD: dict[str, Any] = {
    "nested too deeply": b"[" * 200_000,
    "nested too deeply in an entry": b'{"a":' * 200_000,
    "a list": [],
    "a number": 1,
    "metadata that is not a table": {"__metadata__": [], "a": A, "b": B},
    "an entry that is not a table": {"a": 1, "b": B},
    "an entry of null": {"a": None, "b": B},
    "a name twice": b'{"a":' + json.dumps(A).encode() + b',"a":' + json.dumps(A).encode() + b"}",
    "no type": {"a": {"shape": [2], "data_offsets": [0, 8]}, "b": B},
    "a type that is a number": {"a": {**A, "dtype": 1}, "b": B},
    "a shape that is a text": {"a": {**A, "shape": "2"}, "b": B},
    "a shape of fractions": {"a": {**A, "shape": [2.0]}, "b": B},
    "a shape of booleans": {"a": {"dtype": "F32", "shape": [True, 2], "data_offsets": [0, 8]},
                            "b": B},
    "a negative shape": {"a": {**A, "shape": [-1, -2]}, "b": B},
    "a larger shape": {"a": {**A, "shape": [3]}, "b": B},
    "a huge shape": {"a": {**A, "shape": [2**62, 2**62]}, "b": B},
    "thousands of dimensions": {"a": {**A, "shape": [10**18] * 100_000}, "b": B},
    "three offsets": {"a": {**A, "data_offsets": [0, 4, 8]}, "b": B},
    "offsets backwards": {"a": {**A, "data_offsets": [8, 0]}, "b": B},
    "an overlap": {"a": A, "b": {**B, "data_offsets": [4, 8]}},
    "a gap": {"a": A, "b": {**B, "shape": [1], "data_offsets": [10, 12]}},
    "bytes after the last tensor": {"a": A},
    "bytes that are missing": {"a": A, "b": {**B, "shape": [4], "data_offsets": [8, 16]}},
    "no UTF-8": b'{"\xff": 1}',
    "a number of 5,000 digits": b'{"a": ' + b"9" * 5000 + b"}",
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_a_header_that_is_wrong_is_refused(kind: str, tmp_path: Path) -> None:
    """By our own error on one line, which names the file."""
    path = write(tmp_path / "a.safetensors", BAD[kind])
    with pytest.raises(
        WeightsError, match=r"a\.safetensors is truncated or not a safeten"
    ) as caught:
        WeightsFile(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 1000


numbers = st.one_of(st.integers(-2, 14), st.sampled_from([True, 2.0, "2", None, 2**63, []]))
entries = st.one_of(
    st.fixed_dictionaries({
        "dtype": st.sampled_from(["F32", "F16", "U8", "I64", "BOOL", "?", None]),
        "shape": st.one_of(st.lists(numbers, max_size=3), numbers),
        "data_offsets": st.one_of(
            st.tuples(st.sampled_from([0, 4, 8]), st.sampled_from([0, 4, 8, 12])),
            st.lists(numbers, max_size=3),
        ),
    }),
    st.sampled_from([A, B, {}, [], 7]),
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), entries, max_size=3), st.integers(0, 13))
def test_what_is_read_is_read_as_by_safetensors(
    tmp_path_factory: pytest.TempPathFactory, header: dict[str, Any], length: int
) -> None:
    """Every file that is accepted is one to safetensors, with the same values."""
    path = write(tmp_path_factory.mktemp("h") / "a.safetensors", header, bytes(range(length)))
    try:
        file = WeightsFile(path)
    except WeightsError:
        return
    try:
        with safe_open(path, framework="pt") as theirs:
            for key in theirs.keys():  # noqa: SIM118  (it is not a mapping)
                expected = theirs.get_tensor(key)
                ours = file[key]
                assert ours.dtype == expected.dtype and ours.shape == expected.shape
                assert ours.view(-1).view(torch.uint8).equal(expected.view(-1).view(torch.uint8))
            assert set(file) == set(theirs.keys())
    except SafetensorError:
        assert any(entry["dtype"] == "?" for entry in header.values())  # a type of the future


@given(st.lists(st.sampled_from([torch.float32, torch.float16, torch.int64, torch.bool]),
                max_size=4), st.integers(0, 3))  # fmt: skip
def test_every_true_file_is_read(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[torch.dtype], side: int
) -> None:
    """Scalars and empty tensors as well."""
    state = {str(i): torch.ones([side] * (i % 3), dtype=kind) for i, kind in enumerate(kinds)}
    path = tmp_path_factory.mktemp("h") / "a.safetensors"
    save_file(state, path)
    file = WeightsFile(path)
    assert set(file) == set(state)
    assert all(torch.equal(file[k], v) and file.shape(k) == v.shape for k, v in state.items())


def test_a_type_of_the_future_is_refused_where_it_is_used(tmp_path: Path) -> None:
    """Another part of a checkpoint may have it."""
    new = {"dtype": "F5_X", "shape": [7], "data_offsets": [0, 8]}
    file = WeightsFile(write(tmp_path / "a.safetensors", {"a": new, "b": B}))
    assert file["b"].dtype == torch.float16
    with pytest.raises(WeightsError, match="a is stored as 'F5_X', which is not read: give"):
        file["a"]


def test_a_file_that_becomes_shorter_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.safetensors", {"a": A, "b": B})
    file = WeightsFile(path)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(WeightsError, match="it has become shorter"):
        file["b"]
