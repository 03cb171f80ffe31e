"""The commands of a page, as a shell makes them of its code blocks: loops, braces, quotes, comments
and redirections included."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

RECORDED = ("pez", "pip", "python", "python3", "git", "jq")  # no page uses another program
IN_VENV = ("pez", "pip", "python")
# Writes its own name and then its arguments, and does nothing.
RECORDER = """#!/bin/sh
printf '%s\\0' "${0##*/}" "$@" >> "$RECORD"
printf '\\n\\0' >> "$RECORD"
"""

Command = list[str]  # a program and its arguments


def blocks(page: str) -> list[tuple[str, str]]:
    """The language and the text of each code block; the language may be empty."""
    found = re.findall(r"^ *```(\w*)\n(.*?)^ *```", page, re.M | re.S)
    return [(language, text) for language, text in found]


def script(language: str, text: str) -> str:
    """The part of a block that is typed: all of a block of `bash`, and of another one what follows
    `$ `."""
    if language == "bash":
        return text
    lines = text.replace("\\\n", " ").splitlines() if not language else []
    return "\n".join(line[2:] for line in lines if line.startswith("$ "))


def page_commands(page: str, folder: Path) -> list[Command]:
    """Every command of a page, from a shell in an empty folder that runs all its blocks with
    programs that only record how they are called. A program that is not one of RECORDED fails."""
    shell = shutil.which("bash")
    if shell is None:
        pytest.skip("bash is not installed")
    record, programs = folder / "record", folder / "programs"
    venv = folder / ".venv" / "bin"
    for place, names in ((programs, RECORDED), (venv, IN_VENV)):
        place.mkdir(parents=True)
        for name in names:
            (place / name).write_text(RECORDER)
            (place / name).chmod(0o755)
    for needed in ("ComfyUI/custom_nodes", "result/prompts"):
        (folder / needed).mkdir(parents=True)
    record.touch()
    for language, text in blocks(page):
        done = subprocess.run(
            [shell, "-e", "-u", "-o", "pipefail", "-c", script(language, text)],
            cwd=folder,
            env={"PATH": f"{programs}:/usr/bin:/bin", "RECORD": str(record)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), f"{text}\n{done.stderr}"
    content = record.read_text(encoding="utf-8").removesuffix("\n\0")
    calls = content.split("\n\0") if content else []
    return [call.removesuffix("\0").split("\0") for call in calls]
