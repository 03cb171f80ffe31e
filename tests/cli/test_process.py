"""`pez` as a process: its streams, Ctrl-C, and other ways to start it."""

from __future__ import annotations

import json
import os
import select
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import pez_core.cli
from pez_core.cli.command import VERBS
from tests.support.commands import PEZ, environment, run
from tests.support.processes import SAFETY

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and terminals of POSIX")


def test_stdout_holds_the_json_and_nothing_else(tmp_path: Path) -> None:
    """A warning goes to stderr; no network and no cache is needed for the embedded model."""
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    cache = tmp_path / "cache"
    cache.mkdir()
    result = run(
        "invert", "moving.gif", "--preset", "paper", "--steps", "3", "--json",
        cache=cache, cwd=tmp_path,
    )  # fmt: skip
    assert result.returncode == 0
    assert json.loads(result.stdout)["settings"]["pictures"] == ["moving.gif"]
    assert result.stdout.count("\n") == 1 and result.stdout.endswith("}\n")
    assert result.stderr.startswith("pez: moving.gif") and result.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "moving.gif"]
    assert not [path for path in cache.rglob("*") if path.is_file()]


@posix
def test_ctrl_c_ends_a_search_with_its_best() -> None:
    """Exit code 130 and a whole, valid result. The search has begun once its live line is drawn."""
    import fcntl
    import pty
    import termios

    terminal, stderr = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    command = [*PEZ, "invert", "--text", "a red heart", "--preset", "paper", "--json"]
    process = subprocess.Popen(
        [*command, "--steps", "100000000"],
        stdout=subprocess.PIPE, stderr=stderr, env=environment(), text=True,
    )  # fmt: skip
    os.close(stderr)
    drawn = b""
    while b" pez " not in drawn:
        assert select.select([terminal], [], [], SAFETY)[0], "no live line was drawn"
        drawn += os.read(terminal, 4096)  # an error once the process has ended
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=SAFETY)
    os.close(terminal)
    result = json.loads(out)
    assert process.returncode == 130
    assert (result["stopped"], len(result["candidates"])) == ("user", 1)
    assert 0 < result["steps"] < 100_000_000
    assert result["prompt"] and -1 <= result["similarity"] <= 1


def test_the_package_is_the_command() -> None:
    """`python -m pez_core`, and `pez help` as other programs have it."""
    module = [sys.executable, "-m", "pez_core"]

    def printed(*command: str) -> str:
        return subprocess.run(
            command, env=environment(), capture_output=True, text=True, timeout=300, check=True
        ).stdout

    assert printed(*module, "--version") == printed(*PEZ, "--version")
    assert printed(*module, "help") == printed(*PEZ, "--help")
    assert printed(*PEZ, "help", "mix") == printed(*PEZ, "mix", "--help") != ""


COMPLETER = """
import sys
def autocomplete(parser):
    (verbs,) = (action for action in parser._actions if action.dest == "verb")
    print(*verbs.choices, "torch" in sys.modules)
    sys.exit(0)
"""


def test_the_tab_key_is_answered_without_torch(tmp_path: Path) -> None:
    """With argcomplete, if a shell asks for it; the library itself is replaced here."""
    (tmp_path / "argcomplete.py").write_text(COMPLETER)
    asked = {**environment(), "_ARGCOMPLETE": "1"}
    paths = f"{tmp_path}{os.pathsep}{asked['PYTHONPATH']}"
    found = subprocess.run(
        PEZ,
        env={**asked, "PYTHONPATH": paths}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (found.returncode, found.stdout) == (0, " ".join([*VERBS, "False"]) + "\n")
    marked = Path(pez_core.cli.__file__).read_text(encoding="utf-8")
    assert "PYTHON_ARGCOMPLETE_OK" in marked[:1024]  # argcomplete looks there
