"""`pez evaluate` as a process that is killed and started again."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.cli.test_folder_kill import command as process_command
from tests.support.commands import Pez
from tests.support.evaluation_support import Command, contents

pytest_plugins = ("tests.support.evaluation_fixtures",)
SLOW = (
    "diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion",
    "transformers.models.clip.modeling_clip",
)
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and forks of POSIX")


def start(arguments: list[str]) -> multiprocessing.process.BaseProcess:
    """A process forked from a server that has imported the slow parts, diffusers too."""
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["pez_core.cli.evaluate", *SLOW])
    process = forks.Process(target=process_command, args=(arguments,))
    process.start()
    return process


def wait_for(process: multiprocessing.process.BaseProcess, path: Path, count: int) -> None:
    """Until a file has so many lines, or the process has ended."""
    while process.is_alive() and (not path.is_file() or path.read_bytes().count(b"\n") < count):
        time.sleep(0.001)


def test_a_kill_in_each_phase_loses_nothing(pez: Pez, evaluate: Command, tmp_path: Path) -> None:
    """Killed three times and interrupted once, each time as soon as a phase has left a line: all is
    in the end as in a run that was let alone, and the lines that were there have not been moved."""
    calm, out = tmp_path / "calm", tmp_path / "killed"
    assert pez(*evaluate("calm"))[0] == 0
    kept: dict[str, bytes] = {}
    ended = 0
    for name, ending in (
        ("prompts/pez.jsonl", signal.SIGKILL),
        ("regenerated.jsonl", signal.SIGKILL),
        ("regenerated.jsonl", signal.SIGINT),
        ("results.jsonl", signal.SIGKILL),
    ):
        process = start(evaluate("killed"))
        wait_for(process, out / name, kept.get(name, b"").count(b"\n") + 1)
        if process.is_alive():
            os.kill(process.pid or 0, ending)
        process.join()
        stopped = 130 if ending == signal.SIGINT else -ending
        assert process.exitcode in (stopped, 0)  # on a busy machine the signal may come too late
        ended += process.exitcode == stopped
        for path, before in kept.items():
            assert (out / path).read_bytes().startswith(before)
        kept = {path.relative_to(out).as_posix(): whole(path) for path in out.rglob("*.jsonl")}
    assert ended >= 2
    last = start(evaluate("killed"))
    last.join()
    assert last.exitcode == 0
    assert contents(out) == contents(calm)


def whole(path: Path) -> bytes:
    """The whole lines of a file."""
    content = path.read_bytes()
    return content[: content.rfind(b"\n") + 1]
