"""A result is never lost, and messages do no harm: streams that are closed, full, or of a reader
that has gone, and consoles that are not UTF-8."""

from __future__ import annotations

import ast
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import pez_core.cli
from pez_core.errors import TargetError, printable
from tests.support.commands import PEZ, environment, run

posix = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
TOKENS = ("tokens", "a 🍉", "--json")
CHECK = ("check", "a cat", "--avoid", "a cat")
INVERT = ("invert", "--text", "a", "--template", "🍉 {1}", "--steps", "1", "--restarts", "1")


def shell(redirections: str, *arguments: str, **changes: str) -> Any:
    """`pez ARGUMENTS` as a shell starts it. changes: of the environment."""
    return subprocess.run(
        ["bash", "-c", f'"$@" {redirections}', "bash", *PEZ, *arguments],
        env={**environment(), **changes}, capture_output=True, timeout=300, check=False,
    )  # fmt: skip


@posix
@pytest.mark.parametrize("redirection", [">&-", ">/dev/full", "<&- >&-"])
@pytest.mark.parametrize("arguments", [TOKENS, ("--version",), ("invert", "--help")])
def test_a_result_that_stdout_does_not_take_is_on_stderr(
    arguments: tuple[str, ...], redirection: str
) -> None:
    whole = shell("", *arguments).stdout
    result = shell(redirection, *arguments)
    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr.startswith(whole)
    (line,) = result.stderr.removeprefix(whole).splitlines()
    assert line.startswith(b"pez: error: standard output cannot be written (")


@posix
@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "<&- 2>&-"])
def test_without_stderr_all_else_is_as_ever(redirection: str, tmp_path: Path) -> None:
    result = shell(redirection, *TOKENS)
    assert (result.returncode, result.stderr) == (0, b"")
    assert json.loads(result.stdout)["text"] == "a 🍉"
    assert shell(redirection, "invert").returncode == 2
    assert shell(redirection, "invert", "--colour").returncode == 2
    # Both are gone: nothing can be written, and the exit code says so.
    assert shell(f"{redirection} >&-", *TOKENS).returncode == 2


@posix
def test_a_folder_is_searched_without_any_stream(tmp_path: Path) -> None:
    """No file of the run takes the number of a closed stream, into which libraries write."""
    (tmp_path / "in").mkdir()
    Image.new("RGB", (32, 32), "red").save(tmp_path / "in" / "a.png")
    out = tmp_path / "out.jsonl"
    done = shell(
        "0<&- 1>&- 2>&-", "invert-folder", str(tmp_path / "in"), "--out", str(out), "--steps", "1",
        "--tokens", "1",
    )  # fmt: skip
    assert done.returncode == 0
    assert [json.loads(line)["picture"] for line in out.read_text().splitlines()] == ["a.png"]
    code = (
        "import os; from pez_core.cli.output import open_streams; open_streams(); "
        "os._exit(os.open(os.devnull, os.O_RDONLY))"
    )
    started = ["bash", "-c", '"$@" 0<&- 1>&- 2>&-', "bash", sys.executable, "-c", code]
    number = subprocess.run(started, env=environment(), check=False).returncode
    assert number >= 3


@posix
def test_a_gone_reader_leaves_the_exit_code() -> None:
    """As `pez check … | head -0`, and as an error whose reader has gone."""
    read, write = os.pipe()
    os.close(read)
    for arguments, code in ((CHECK, 1), (TOKENS, 0), (("--help",), 0), (("invert",), 2)):
        result = run(*arguments, capture_output=False, stdout=write, stderr=subprocess.PIPE)
        assert (result.returncode, result.stderr.count("\n")) == (code, code == 2), arguments
        both = run(*arguments, capture_output=False, stdout=write, stderr=write)
        assert both.returncode == code, arguments
    os.close(write)


def test_a_search_is_not_lost_to_its_console() -> None:
    """One that lacks a sign of the prompt, and one that takes nothing."""
    result = shell("", *INVERT, PYTHONIOENCODING="cp1252")
    assert result.returncode == 0 and result.stderr.count(b"\n") == 1
    assert all(b"  \\U0001f349 " in line for line in result.stdout.splitlines())
    full = shell("> /dev/full", *INVERT)
    assert full.returncode == 2 and "  🍉 ".encode() in full.stderr


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"PYTHONIOENCODING": "cp1252"}, "\\U0001f349"),
        ({"PYTHONIOENCODING": "ascii:strict"}, "\\U0001f349"),
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "\\udcf0\\udc9f"),
        ({"PYTHONIOENCODING": "utf-8"}, "🍉"),
        ({"LC_ALL": "C"}, "🍉"),
    ],
)
def test_a_console_without_a_sign_shows_its_escape(changes: dict[str, str], shown: str) -> None:
    """In results, in messages, and with bytes that are not text."""
    result = shell("", "tokens", "🍉", **changes)
    assert result.returncode == 0 and result.stdout.startswith(b"  #")
    missing = shell("", "invert", "🍉\udcff.png", **changes)
    assert missing.returncode == 2 and b"\\udcff.png: no such picture" in missing.stderr
    assert missing.stderr.startswith(f"pez: error: {shown}".encode())


def test_a_message_does_nothing_to_a_terminal() -> None:
    """Whatever a file is called; letters and emoji of every script stay."""
    name = "red\x1b[31m\nnew\x9b\u202egnp.\u2066\udcff"
    assert printable(name) == r"red\x1b[31m\nnew\x9b\u202egnp.\u2066\udcff"
    assert printable("ünï 西瓜 🍉 👩‍🔬") == "ünï 西瓜 🍉 👩‍🔬"
    result = run("invert", "no\x1b.png")
    assert result.stderr == "pez: error: no\\x1b.png: no such picture\n"


def test_no_other_file_of_the_command_prints() -> None:
    """But what writes the documentation."""
    for path in Path(pez_core.cli.__file__).parent.glob("*.py"):
        if path.stem in ("output", "option_table"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert not {"print"} & names and not {"stdout"} & attributes, path


@posix
@pytest.mark.parametrize(
    ("redirection", "message"),
    [
        ("<&-", b"nothing to distill: give a text"),
        ("0>/dev/null", b"cannot read standard input ("),
        ("< <(printf '\\xff')", b"standard input is not text"),
        ("< <(yes)", b"standard input has more than 1,000,000 bytes"),
    ],
)
def test_standard_input_that_is_no_text_is_reported(redirection: str, message: bytes) -> None:
    """Closed, not for reading, of another encoding, without an end."""
    result = shell(redirection, "distill", "-")
    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr.startswith(b"pez: error: " + message) and result.stderr.count(b"\n") == 1


def test_no_more_is_read_than_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    from pez_core.cli import distill

    class Endless(io.RawIOBase):
        read_so_far = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            self.read_so_far += len(buffer)
            buffer[:] = b"a" * len(buffer)
            return len(buffer)

    endless = Endless()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(endless)))
    with pytest.raises(TargetError, match="has more than 1,000,000 bytes"):
        distill._read()
    assert endless.read_so_far < 2 * distill.MOST_BYTES
    content = io.BytesIO("\ufeffa cat\n".encode())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(content, encoding="cp1252"))
    assert distill._read() == "a cat\n"


INTERRUPT = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
from pez_core.cli import main
sys.exit(main(["invert", "--text", "a", "--steps", "1"]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("name", ["argparse", "pez_core.cli.invert", "torch", "torch.nn"])
def test_ctrl_c_during_the_imports_ends_in_one_line(name: str) -> None:
    """Before a search has begun: nothing to print, and no traceback."""
    result = subprocess.run(
        [sys.executable, "-c", INTERRUPT.format(name=name)],
        env=environment(), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "pez: interrupted\n")
