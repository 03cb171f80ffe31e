"""Which files of a folder are its pictures."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import pytest

from pez_core.batch.inverter import LeftOut, list_pictures
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
    kinds = {"": 1, ".jsonl": 1, ".txt": 1}
    found = list_pictures(tmp_path)
    assert found == (["a/b/c.WebP", "a/z.JPG", "b.png", "c.tiff"], LeftOut(kinds, []))
    assert str(found[1]) == "3 other files left out: 1 without ending, 1 .jsonl, 1 .txt"
    assert list_pictures(str(tmp_path / "a")) == (
        ["b/c.WebP", "z.JPG"], LeftOut({".jsonl": 1}, []),
    )  # fmt: skip


def test_all_that_pillow_decodes_is_a_picture(tmp_path: Path) -> None:
    """And what it decodes with a package; not the formats that it only recognises."""
    named = "jfif jpe heic HEIF hif avif jxl jp2 tga ico psd dds qoi pgm fits sgi apng mpo"
    endings = named.split()
    touch(tmp_path, *(f"{number:02}.{kind}" for number, kind in enumerate(endings)))
    touch(tmp_path, "a.mpg", "b.pdf", "c.eps", "d.mp4", "e.MP4", "f.svg", "g.h5")
    names, left_out = list_pictures(tmp_path)
    assert [name.partition(".")[2] for name in names] == endings
    assert list(left_out.endings.items())[0] == (".mp4", 2)
    assert set(left_out.endings) == {".eps", ".h5", ".mp4", ".mpg", ".pdf", ".svg"}


def test_many_kinds_are_summed(tmp_path: Path) -> None:
    """The most frequent first, and no line without end."""
    touch(tmp_path, "a.png", *(f"{n}.x{n % 40}" for n in range(41)))
    told = str(list_pictures(tmp_path)[1])
    assert told.startswith("41 other files left out: 2 .x0, 1 .x1, ")
    assert told.endswith(", 28 of other kinds") and told.count(",") == 12


@posix
def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    os.mkfifo(tmp_path / "b.png")
    (tmp_path / "c.png").symlink_to("nowhere")
    assert list_pictures(tmp_path) == (["a.png", "c.png"], LeftOut({".png": 1}, []))


@posix
def test_links_lead_nowhere_twice(tmp_path: Path) -> None:
    """A link to a file is a picture, a link to a folder is not entered: no loop, nothing twice. The
    folder itself may be a link."""
    touch(tmp_path, "real/a.png")
    (tmp_path / "real" / "again").symlink_to(tmp_path / "real", target_is_directory=True)
    (tmp_path / "real" / "self").symlink_to("self")
    (tmp_path / "real" / "b.png").symlink_to("a.png")
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    names, left_out = list_pictures(tmp_path)
    assert names == ["real/a.png", "real/b.png"] and left_out.endings == {"": 1}
    assert left_out.links == ["link", "real/again"]
    assert str(left_out).endswith("; links to folders are not followed: link, real/again")
    assert list_pictures(tmp_path / "link")[0] == ["a.png", "b.png"]


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
    touch(tmp_path, "texts/a.txt", "texts/b.TXT")
    for name, message in (
        ("empty", "holds no picture: none of its files ends in .png"),
        ("texts", r"holds no picture.*2 other files left out: 2 \.txt"),
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
            assert list_pictures(tmp_path) == (["a.png"], LeftOut({}, []))
        assert "closed cannot be read (Permission denied): it is left out" in caplog.text
    finally:
        (tmp_path / "closed").chmod(0o700)
