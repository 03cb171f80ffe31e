"""Which files of a folder are its pictures."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import pytest

from pez_core.batch.inverter import list_pictures
from pez_core.errors import PictureError

posix = pytest.mark.skipif(sys.platform == "win32", reason="names and links of POSIX")


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_folders_below_are_searched_and_names_sorted(tmp_path: Path) -> None:
    """Relative to the folder, with `/`, by suffixes of any case; hidden ones do not count at all,
    other files are counted."""
    touch(
        tmp_path, "b.png", "a/z.JPG", "a/b/c.WebP", "c.tiff", "notes.txt", "a/results.jsonl", "png",
        ".hidden.png", ".git/d.png", "a/.thumbs/e.png", "a/._z.JPG",
    )  # fmt: skip
    (tmp_path / "folder.png").mkdir()
    assert list_pictures(tmp_path) == (["a/b/c.WebP", "a/z.JPG", "b.png", "c.tiff"], 3)
    assert list_pictures(str(tmp_path / "a")) == (["b/c.WebP", "z.JPG"], 1)


@posix
def test_links_lead_nowhere_twice(tmp_path: Path) -> None:
    """A link to a file is a picture, a link to a folder is not entered: no loop, nothing twice. The
    folder itself may be a link."""
    touch(tmp_path, "real/a.png")
    (tmp_path / "real" / "again").symlink_to(tmp_path / "real", target_is_directory=True)
    (tmp_path / "real" / "self").symlink_to("self")
    (tmp_path / "real" / "b.png").symlink_to("a.png")
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    assert list_pictures(tmp_path) == (["real/a.png", "real/b.png"], 1)
    assert list_pictures(tmp_path / "link") == (["a.png", "b.png"], 1)


@posix
@pytest.mark.skipif(sys.platform == "darwin", reason="its file names have to be text")
def test_names_of_any_bytes_are_kept(tmp_path: Path) -> None:
    """Also those that are not text, and those of two lines."""
    for name in (b"bad\xff.png", b"two\nlines.png"):
        Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).touch()
    assert list_pictures(tmp_path)[0] == ["bad\udcff.png", "two\nlines.png"]


def test_a_folder_without_pictures_is_an_error(tmp_path: Path) -> None:
    """So are a missing folder and a file given as a folder; each error says which."""
    touch(tmp_path, "notes.txt", ".hidden.png", "full/a.png")
    (tmp_path / "empty").mkdir()
    for name, message in (
        ("empty", "holds no picture: none of its files ends in .png"),
        ("none", "no such folder"),
        ("notes.txt", "a file, not a folder"),
    ):
        with pytest.raises(PictureError, match=message):
            list_pictures(tmp_path / name)


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And left out."""
    touch(tmp_path, "a.png", "closed/b.png")
    (tmp_path / "closed").chmod(0)
    try:
        with caplog.at_level(logging.WARNING):
            assert list_pictures(tmp_path) == (["a.png"], 0)
        assert "closed cannot be read (Permission denied): it is left out" in caplog.text
    finally:
        (tmp_path / "closed").chmod(0o700)
