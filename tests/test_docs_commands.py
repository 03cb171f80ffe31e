"""The commands of docs/paper_tables.md are commands: the parser takes each as it stands there."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from pez_core.cli import _parser, _verbs


def commands(page: str) -> list[str]:
    """What stands behind `pez` in the shell blocks, without comments, one string a command."""
    blocks = re.findall(r"^```bash\n(.*?)^```", page, re.M | re.S)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip().startswith("pez ") and "…" not in line]


def expanded(command: str) -> list[str]:
    """The words that the shell makes of a command, braces and variables included."""
    shell = shutil.which("bash")
    if shell is None:
        pytest.skip("bash is not installed")
    asked = f"data=coco; printf '%s\\0' {command.partition('  #')[0]}"
    done = subprocess.run([shell, "-c", asked], capture_output=True, text=True, check=True)
    return done.stdout.split("\0")[:-1]


def test_every_command_of_the_papers_tables_is_one(root: Path) -> None:
    found = commands((root / "docs" / "paper_tables.md").read_text(encoding="utf-8"))
    parser = _parser(_verbs())
    verbs = {parser.parse_args(expanded(command)[1:]).verb for command in found}
    assert {"evaluate", "compare-text", "style", "mix", "invert"} <= verbs and len(found) >= 8


def test_a_figure_over_rates_is_twenty_methods(root: Path) -> None:
    page = (root / "docs" / "paper_tables.md").read_text(encoding="utf-8")
    (figure,) = [c for c in commands(page) if "figure5a" in c]
    methods = _parser(_verbs()).parse_args(expanded(figure)[1:]).optimizers
    assert len(set(methods)) == 20 and "autoprompt_sgd,lr=0.001" in methods
    assert shlex.split(figure)[:2] == ["pez", "evaluate"]
