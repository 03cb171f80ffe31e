"""`benchmarks/speed/gpu_checks.sh`, which is for a GPU, as far as it runs without one."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
SECTIONS = ["tests", "steps", "searches", "folder", "memory", "precision"]
MOST = 8 * 60  # seconds on a GPU, as the script promises


@pytest.fixture
def limits(tmp_path: Path) -> Path:
    """A `timeout` that writes down every limit and sets none: how long a section takes here says
    nothing about a GPU."""
    path = tmp_path / "bin" / "timeout"
    path.parent.mkdir()
    noted = tmp_path / "limits"
    path.write_text(f'#!/bin/sh\nshift\necho "$1" >> "{noted}"\nshift\nexec "$@"\n')
    path.chmod(0o755)
    return noted


def checks(root: Path, limits: Path, *arguments: str, python: str | Path = sys.executable) -> Any:
    folder = limits.parent / "bin"
    environment = {
        **os.environ, "PYTHON": str(python), "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1",
    }  # fmt: skip
    return subprocess.run(
        ["bash", str(root / "benchmarks" / "speed" / "gpu_checks.sh"), *arguments],
        capture_output=True, text=True, cwd=limits.parent, env=environment, timeout=1200,
        check=False,
    )  # fmt: skip


def numbers(value: Any) -> Iterator[float]:
    """All numbers in a JSON value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from numbers(item)
    elif isinstance(value, int | float):
        yield value


def test_a_dry_run_writes_every_section(root: Path, limits: Path, tmp_path: Path) -> None:
    """Its log, and but for the tests its JSON, of numbers that are finite."""
    out = tmp_path / "out"
    done = checks(root, limits, "--dry", "--out", str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    heads = [line for line in done.stdout.splitlines() if line.startswith("== ")]
    assert [head.split()[1] for head in heads[::2]] == SECTIONS
    assert done.stdout.splitlines()[-1].startswith("all sections ended in ")
    for name in SECTIONS:
        assert (out / f"{name}.log").read_text(encoding="utf-8") in done.stdout
    for name in SECTIONS[1:]:
        found = json.loads((out / f"gpu_{name}.json").read_text(encoding="utf-8"))
        assert found["rows"], name
        seen = list(numbers(found["rows"]))
        assert seen and all(map(math.isfinite, seen)), name
    assert len(list(out.iterdir())) == 2 * len(SECTIONS) - 1
    given = [int(line) for line in limits.read_text().split()]
    assert len(given) == len(SECTIONS) and sum(given) <= MOST


@pytest.mark.parametrize("bad", SECTIONS)
def test_a_section_that_fails_does_not_end_the_others(
    root: Path, limits: Path, tmp_path: Path, bad: str
) -> None:
    """It is named in the end, and the exit code is 1."""
    python, out = tmp_path / "python", tmp_path / "out"
    name = "pytest" if bad == "tests" else f"benchmarks.speed.gpu {bad}"
    python.write_text(
        f'#!/bin/sh\necho "ran $*"\ncase "$*" in *"-m {name} "*) echo broken >&2; exit 3;; esac\n'
    )
    python.chmod(0o755)
    done = checks(root, limits, "--dry", "--out", str(out), python=python)
    assert done.returncode == 1
    assert done.stderr == f"failed or out of time: {bad}\n"
    for section in SECTIONS:
        log = (out / f"{section}.log").read_text(encoding="utf-8")
        assert log.startswith("ran -m ") and ("broken" in log) == (section == bad)


@pytest.mark.parametrize(
    "arguments", [["--quick"], ["now"], ["--out"], ["--dry", "--wheels"], ["--only"], ["--help"]]
)
def test_wrong_use_gets_the_usage(root: Path, limits: Path, arguments: list[str]) -> None:
    """And exit code 2, before anything has run or been written."""
    done = checks(root, limits, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "benchmarks/speed/gpu_checks.sh [--wheels FOLDER] [--out FOLDER] [--" in done.stderr
    assert "PYTHON names the interpreter" in done.stderr
    assert not limits.exists()


def test_wheels_that_are_not_there_end_the_run(root: Path, limits: Path, tmp_path: Path) -> None:
    """Before any section: without them every one of them would fail."""
    (tmp_path / "empty").mkdir()
    out = tmp_path / "out"
    done = checks(root, limits, "--dry", "--out", str(out), "--wheels", str(tmp_path / "empty"))
    assert done.returncode != 0 and "== tests" not in done.stdout
    assert not limits.exists()
