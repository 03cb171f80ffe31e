"""Command lines in processes of their own, which are ended at a chosen moment.

A moment is an event, never a time: the n-th line that a process adds to one of its results files.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

SAFETY = 300.0  # seconds; only what hangs for ever comes to their end, and that is a failure


@dataclass(frozen=True)
class Moment:
    """When a process is interrupted, and by which signal.

    file: the name of a results file. line: which of the lines that this process adds to it. at:
    before its write, in the middle of it, after it, or when it has been forced to the disk.
    """

    file: str
    line: int = 1
    at: Literal["unwritten", "torn", "written", "kept"] = "kept"
    signal: int = signal.SIGKILL

    @property
    def whole(self) -> int:
        """How many whole lines the process adds before it."""
        return self.line if self.at in ("written", "kept") else self.line - 1


class Interrupter:
    """The writing functions of `os` that note the lines of a file, and act at a moment of them."""

    def __init__(self, moment: Moment, gate: Connection | None) -> None:
        """gate: the process says so through it and waits for an answer, in place of a signal."""
        self.moment, self.gate = moment, gate
        self.files: set[int] = set()
        self.lines = 0
        self.open, self.write, self.fsync = os.open, os.write, os.fsync

    def install(self) -> None:
        for name in ("open", "write", "fsync"):
            setattr(os, name, getattr(self, f"{name}_noting"))

    def open_noting(self, path: Any, *rest: Any, **more: Any) -> int:
        file = self.open(path, *rest, **more)
        self.files.discard(file)
        if os.path.basename(os.fspath(path)) == self.moment.file:
            self.files.add(file)
        return file

    def write_noting(self, file: int, content: Any) -> int:
        if file not in self.files:
            return self.write(file, content)
        self.lines += 1
        self.act("unwritten")
        if self.is_now("torn"):
            self.write(file, content[: len(content) // 2])
            self.act("torn")
        written = self.write(file, content)
        self.act("written")
        return written

    def fsync_noting(self, file: int) -> None:
        self.fsync(file)
        if file in self.files:
            self.act("kept")

    def is_now(self, at: str) -> bool:
        return (self.lines, at) == (self.moment.line, self.moment.at)

    def act(self, at: str) -> None:
        if not self.is_now(at):
            return
        if self.gate is not None:
            self.gate.send("here")
            self.gate.recv()
        else:
            os.kill(os.getpid(), self.moment.signal)


def command(
    arguments: list[str], moment: Moment | None = None, gate: Connection | None = None
) -> None:
    """A process of its own: it runs a command line and ends with its exit code."""
    import torch

    from pez_core.cli import main

    # A shell starts what runs in its background with the signal ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    torch.set_num_threads(1)
    if moment is not None:
        Interrupter(moment, gate).install()
    sys.exit(main(arguments))


def start(
    arguments: list[str],
    moment: Moment | None = None,
    gate: Connection | None = None,
    preload: Sequence[str] = (),
) -> BaseProcess:
    """`pez ARGUMENTS`, forked from a server that has imported what takes long.

    preload: more modules for that server; those of the first call of a process count.
    """
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(
        ["pez_core.cli.command", "pez_core.batch.inverter", "open_clip", *preload]
    )
    process = forks.Process(target=command, args=(arguments, moment, gate))
    process.start()
    return process


def ended(process: BaseProcess) -> int:
    """The exit code of a process, waited for; one that never ends is ended, and is a failure."""
    process.join(SAFETY)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise AssertionError(f"a process still ran after {SAFETY:.0f} s")
    return process.exitcode


def whole(path: Path) -> bytes:
    """The whole lines of a file."""
    content = path.read_bytes() if path.is_file() else b""
    return content[: content.rfind(b"\n") + 1]
