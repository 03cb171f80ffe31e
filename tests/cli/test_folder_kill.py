"""`pez invert-folder` as a process that is killed and started again."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from pathlib import Path

import pytest

from tests.support.many_pictures import QUICK, by_name, lines, make_pictures
from tests.support.processes import SAFETY, Moment, ended, start, whole

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and forks of POSIX")
PICTURES = 8
OUT = "out.jsonl"


def test_a_kill_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    """Killed at every moment of a line: every whole line is still there, unmoved, and in the end
    each picture has one, as in a run that was let alone."""
    folder, out, calm = tmp_path / "pictures", tmp_path / OUT, tmp_path / "calm.jsonl"
    names = make_pictures(folder, PICTURES)
    arguments = ["invert-folder", str(folder), *QUICK, "--at-once", "3", "--out"]
    assert ended(start([*arguments, str(calm)])) == 0
    kept = b""
    for moment in (
        Moment(OUT, 1, "unwritten"),
        Moment(OUT, 1, "torn"),
        Moment(OUT, 1, "written"),
        Moment(OUT, 2, "torn"),
        Moment(OUT, 2, "kept"),
        Moment(OUT, 3, "unwritten"),
    ):
        assert ended(start([*arguments, str(out)], moment)) == -signal.SIGKILL, moment
        found = whole(out)
        assert found.startswith(kept)
        assert found.count(b"\n") == kept.count(b"\n") + moment.whole, moment
        assert (out.read_bytes() != found) == (moment.at == "torn")
        kept = found
    assert ended(start([*arguments, str(out)])) == 0
    assert out.read_bytes().startswith(kept) and out.read_bytes() == whole(out)
    assert sorted(by_name(lines(out))) == names
    assert by_name(lines(out)) == by_name(lines(calm))


def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    """Exit code 130; the same command ends what is left."""
    folder, out = tmp_path / "pictures", tmp_path / OUT
    names = make_pictures(folder, PICTURES)
    arguments = ["invert-folder", str(folder), *QUICK, "--out", str(out)]
    assert ended(start(arguments, Moment(OUT, 3, signal=signal.SIGINT))) == 130
    done = lines(out)
    assert len(done) == 3
    assert ended(start(arguments)) == 0
    assert sorted(by_name(lines(out))) == names and lines(out)[:3] == done


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    """While the first writes; it goes on undisturbed, and its lock ends with it, even by a kill."""
    folder, out = tmp_path / "pictures", tmp_path / OUT
    make_pictures(folder, 4)
    arguments = ["invert-folder", str(folder), *QUICK, "--out", str(out)]
    here, there = multiprocessing.Pipe()
    first = start(arguments, Moment(OUT), there)
    try:
        assert here.poll(SAFETY) and here.recv() == "here"  # it waits, with its first line written
        assert ended(start(arguments)) == 2 and first.is_alive()
    finally:
        first.kill()
    assert ended(first) == -signal.SIGKILL and len(lines(out)) == 1
    assert ended(start(arguments)) == 0
    assert len(lines(out)) == 4
