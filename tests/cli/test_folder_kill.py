"""`pez invert-folder` as a process that is killed and started again."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest

from pez_core.cli import main
from tests.support.many_pictures import QUICK, by_name, lines, make_pictures

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and forks of POSIX")
PICTURES = 16


def command(arguments: list[str]) -> None:
    """A process of its own: it runs a command line and ends with its exit code."""
    import torch

    # A shell starts what runs in its background with the signal ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    torch.set_num_threads(1)
    sys.exit(main(arguments))


def start(arguments: list[str]) -> multiprocessing.process.BaseProcess:
    """Forked from a server that has imported everything, so that a start takes no seconds."""
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(
        ["pez_core.cli.invert_folder", "open_clip", "tests.support.many_pictures"]
    )
    process = forks.Process(target=command, args=(arguments,))
    process.start()
    return process


def size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def wait_for_more(path: Path, process: multiprocessing.process.BaseProcess) -> None:
    """Until the file has grown, or the process has ended."""
    before = size(path)
    while size(path) == before and process.is_alive():
        time.sleep(0.001)


def whole(path: Path) -> bytes:
    """The whole lines of a file."""
    content = path.read_bytes() if path.is_file() else b""
    return content[: content.rfind(b"\n") + 1]


def test_a_kill_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    """Killed again and again, each time at a random moment after a line: every whole line is still
    there, unmoved, and in the end each picture has one, as in a run that was let alone."""
    folder, chance = tmp_path / "pictures", random.Random(0)
    names = make_pictures(folder, PICTURES)
    out, calm = tmp_path / "killed.jsonl", tmp_path / "calm.jsonl"
    arguments = ["invert-folder", str(folder), *QUICK, "--at-once", "3", "--out"]
    quiet = start([*arguments, str(calm)])
    quiet.join()
    assert quiet.exitcode == 0
    kills, kept = 0, b""
    while True:
        process = start([*arguments, str(out)])
        wait_for_more(out, process)
        time.sleep(chance.uniform(0, 0.1))
        process.kill()
        process.join()
        assert whole(out).startswith(kept)
        kept = whole(out)
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        kills += 1
    assert kills >= 3  # a run does about two pictures before it is killed
    assert out.read_bytes() == kept  # nothing torn was left in it
    assert sorted(by_name(lines(out))) == names
    assert by_name(lines(out)) == by_name(lines(calm))


def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    """Exit code 130; the same command ends what is left."""
    folder, out = tmp_path / "pictures", tmp_path / "r.jsonl"
    names = make_pictures(folder, PICTURES)
    arguments = ["invert-folder", str(folder), *QUICK, "--out", str(out)]
    process = start(arguments)
    wait_for_more(out, process)
    os.kill(process.pid or 0, signal.SIGINT)
    process.join()
    assert process.exitcode == 130
    done = lines(out)
    assert 0 < len(done) < PICTURES
    process = start(arguments)
    process.join()
    assert process.exitcode == 0
    assert sorted(by_name(lines(out))) == names and lines(out)[: len(done)] == done


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    """While the first writes; it goes on undisturbed, and its lock ends with it, even by a kill."""
    folder, out = tmp_path / "pictures", tmp_path / "r.jsonl"
    make_pictures(folder, 4)
    slow = ["invert-folder", str(folder), "--tokens", "2", "--steps", "1000000", "--out", str(out)]
    first = start(slow)
    while not out.is_file():
        time.sleep(0.001)
        assert first.is_alive()
    time.sleep(0.2)  # from the making of the file to the lock is no time
    second = start(slow)
    second.join()
    assert second.exitcode == 2 and first.is_alive()
    first.kill()
    first.join()
    third = start(["invert-folder", str(folder), *QUICK, "--out", str(out)])
    third.join()
    assert third.exitcode == 0
