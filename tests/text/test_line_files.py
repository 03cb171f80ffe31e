"""Lists in text files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pez_core.errors import VocabularyError
from pez_core.text import line_files
from pez_core.text.line_files import read_lines


def test_a_list_of_any_size_takes_bounded_memory(tmp_path: Path) -> None:
    """Nothing beyond the bound is read: this file has 64 GB of nothing."""
    path = tmp_path / "words.txt"
    path.touch()
    os.truncate(path, 2**36)
    with pytest.raises(VocabularyError, match=f"{path}: it has more than 32,000,000 bytes"):
        read_lines(path, VocabularyError)


def test_a_list_of_the_bound_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(b"\xef\xbb\xbfcat\r\ndog\n")
    monkeypatch.setattr(line_files, "MOST_BYTES", path.stat().st_size)
    assert read_lines(path, VocabularyError) == ["cat", "dog"]
