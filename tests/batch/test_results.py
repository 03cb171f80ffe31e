"""The results file: whole lines whatever happens, and nothing of anybody else's."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from pez_core.batch.results import ResultsFile, decisive
from pez_core.errors import ResultsError

posix = pytest.mark.skipif(sys.platform == "win32", reason="limits and pipes of POSIX")
ODD = ["line\nbreak.png", 'quote".png', "ünï/图.png", "bad\udcff.png", " .png", "tab\t.png"]


def result(name: str, **settings: Any) -> dict[str, Any]:
    """A record as small as it may be."""
    return {"picture": name, "prompt": "a", "model": "demo", "seed": 0, "settings": settings}


def saved(path: Path, *records: dict[str, Any]) -> bytes:
    """A file of these records; its content."""
    with ResultsFile(path) as results:
        for record in records:
            results.append(record)
    return path.read_bytes()


def test_a_file_cut_anywhere_keeps_its_whole_lines(tmp_path: Path) -> None:
    """Whatever byte a kill leaves last: every whole object is kept, the torn one goes, and the next
    line is whole again."""
    path = tmp_path / "r.jsonl"
    content = saved(path, result("a.png", steps=3), {"picture": "b.png", "error": "x"}, result("c"))
    ends = [i + 1 for i, byte in enumerate(content) if byte == ord("\n")]
    for cut in range(len(content) + 1):
        path.write_bytes(content[:cut])
        # The object is whole when nothing but its newline is missing.
        whole = sum(cut >= end - 1 for end in ends)
        with ResultsFile(path) as results:
            assert list(results.failed) == ["a.png", "b.png", "c"][:whole], cut
            results.append(result("next"))
        kept = content[: ends[whole - 1]] if whole else b""
        assert path.read_bytes() == kept + json.dumps(result("next")).encode() + b"\n", cut


def test_a_torn_line_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Once, with its length; zeros, as a power cut may leave them, are such a line."""
    path = tmp_path / "r.jsonl"
    content = saved(path, result("a.png"))
    for tail in (b'{"picture": "b', b"{", b"\0" * 40, b'{"picture": "b\0\0\0'):
        path.write_bytes(content + tail)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            ResultsFile(path).close()
            ResultsFile(path).close()
        assert [record.getMessage() for record in caplog.records] == [
            f"{path}: its last line was torn by a sudden end and is cut off ({len(tail)} bytes)"
        ]
        assert path.read_bytes() == content


@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\nabc", b"notes", b"\n", b"[1]\n", b'{"picture": 3}\n', b'{"prompt": 1}\n',
        b'{"picture": "a", "error": "x"}\nnotes', b'{"picture": "a", "error": "x"}\nnotes\n',
        b'{"picture": ["a"], "error": ""}\n', b'{"picture": "a", "prompt": "b"}\n{"pic', b"{}",
    ],
)  # fmt: skip
def test_a_file_of_anything_else_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """Not a byte of it is changed, whatever it ends with."""
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(ResultsError, match="something other than results|is not a result"):
        ResultsFile(path)
    assert path.read_bytes() == content


def test_a_second_writer_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    """By a lock; refused, it has changed nothing."""
    path = tmp_path / "r.jsonl"
    with ResultsFile(path) as results:
        results.append(result("a.png"))
        before = path.read_bytes()
        with pytest.raises(ResultsError, match=r"r\.jsonl is being written by another process"):
            ResultsFile(path)
        assert path.read_bytes() == before
    ResultsFile(path).close()


def test_other_settings_are_named(tmp_path: Path) -> None:
    """Model, seed and settings decide; the picture and the device do not."""
    path = tmp_path / "r.jsonl"
    saved(path, result("a.png", steps=3, dtype="float32", pictures=["a.png"], device="cpu"))
    same = result("b.png", steps=3, dtype="float32", pictures=["b.png"], device="cuda")
    with ResultsFile(path) as results:
        results.require(decisive(same))
        other = decisive({**same, "seed": 7, "settings": {"steps": 4, "dtype": "float32"}})
        with pytest.raises(ResultsError, match=r"\(seed 0, now 7; steps 3, now 4\).*--force"):
            results.require(other)
        with pytest.raises(ResultsError, match='dtype "float32", now null'):
            results.require(decisive(result("c.png", steps=3)))
        results.append(result("odd.png", steps=9))
    with ResultsFile(path) as results, pytest.raises(ResultsError, match="steps 9, now 3"):
        results.require(decisive(same))  # any line counts, not the first or the last


@posix
def test_a_full_disk_leaves_whole_lines(tmp_path: Path) -> None:
    """A line of which a part fits is taken back, and written once there is room again."""
    import resource

    path = tmp_path / "r.jsonl"
    before = saved(path, result("a.png"))
    _, hard = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with ResultsFile(path) as results:
        for room in (0, 1, 20):
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + room, hard))
            try:
                with pytest.raises(
                    ResultsError, match=r"cannot write .*: File too large; the line"
                ):
                    results.append(result("b.png"))
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            assert path.read_bytes() == before and "b.png" not in results.failed
        results.append(result("b.png"))
    assert path.read_bytes() == before + json.dumps(result("b.png")).encode() + b"\n"


def test_odd_names_come_back_as_they_were(tmp_path: Path) -> None:
    """Newlines, quotes, and bytes that are not text: one line each, in ASCII."""
    path = tmp_path / "r.jsonl"
    content = saved(path, *(result(name) for name in ODD))
    assert content.isascii() and content.count(b"\n") == len(ODD)
    assert [json.loads(line)["picture"] for line in content.splitlines()] == ODD
    with ResultsFile(path) as results:
        assert list(results.failed) == ODD


def test_the_last_line_of_a_picture_counts(tmp_path: Path) -> None:
    """An error and then a prompt, as --retry-errors leaves them."""
    path = tmp_path / "r.jsonl"
    saved(path, {"picture": "a", "error": "x"}, result("b"), result("a"))
    with ResultsFile(path) as results:
        assert results.failed == {"a": False, "b": False}


def test_lines_may_be_told_apart_by_more_than_the_picture(tmp_path: Path) -> None:
    """By picture and method: what is to do, and the last line of each, also of an earlier run."""
    path, keys = tmp_path / "r.jsonl", ("picture", "method")
    first, second = {**result("a"), "method": "x"}, {"picture": "a", "method": "y", "error": "?"}
    mended = {**result("a"), "method": "y"}
    with ResultsFile(path, keys) as results:
        results.append(first)
        results.append(second)
        names = [("a", "x"), ("a", "y"), ("b", "x")]
        assert results.todo(names) == [("b", "x")]
        assert results.todo(names, again=True) == [("a", "y"), ("b", "x")]
        assert results.last() == {("a", "x"): first, ("a", "y"): second}
    with ResultsFile(path, keys) as results:
        results.append(mended)
        assert results.last() == {("a", "x"): first, ("a", "y"): mended}
        assert results.failed == {("a", "x"): False, ("a", "y"): False}
    saved(tmp_path / "one.jsonl", result("a"))
    with pytest.raises(ResultsError, match="line 1, is not a result"):
        ResultsFile(tmp_path / "one.jsonl", keys)


def test_a_line_without_what_is_needed_is_no_result(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    saved(path, {**result("a"), "images": []}, {"picture": "b", "error": "?"})
    with ResultsFile(path, needs=("prompt", "images")):
        pass
    with pytest.raises(ResultsError, match="line 1, is not a result"):
        ResultsFile(path, needs=("prompt", "seeds"))


@posix
def test_what_cannot_be_opened_is_reported(tmp_path: Path) -> None:
    """A folder, a pipe (which would wait for a reader), a folder that is missing or a file."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    for path, message in (
        (tmp_path, "is not a file"),
        (tmp_path / "pipe", "is not a file"),
        (tmp_path / "none" / "r.jsonl", "cannot open .*: No such file.*; create the folder first"),
        (tmp_path / "file" / "r.jsonl", "cannot open .*; choose another folder, or repair"),
    ):
        with pytest.raises(ResultsError, match=message):
            ResultsFile(path)
