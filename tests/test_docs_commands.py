"""The commands and options in README.md and docs are those of `pez`: its parser takes each command
as it is written there, and the table of options is the one of the code."""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from pez_core.cli.command import load_verbs
from pez_core.cli.option_table import BEGIN, END, written
from pez_core.cli.parser import make_parser

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    path.relative_to(ROOT).as_posix() for path in (ROOT / "README.md", *ROOT.glob("docs/*.md"))
]
PARSER = make_parser(load_verbs())


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def commands(page: str) -> list[str]:
    """The commands of `pez` in the code blocks of a page, one string each, without `pez`, comments
    and redirections."""
    blocks = re.findall(r"^ *```(?:bash|)\n(.*?)^ *```", page, re.M | re.S)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    found = (re.search(r"^ *(?:\$ |.*&& )?(?:\S*/)?pez (.*)", line) for line in lines)
    return [re.split(r"  #|> ", match[1])[0].strip() for match in found if match]


def expanded(command: str) -> list[str]:
    """The words that the shell makes of a command, braces and variables included."""
    shell = shutil.which("bash")
    if shell is None:
        pytest.skip("bash is not installed")
    asked = f"data=coco; printf '%s\\0' {command}"
    done = subprocess.run([shell, "-c", asked], capture_output=True, text=True, check=True)
    return done.stdout.split("\0")[:-1]


def verbs() -> dict[str, argparse.ArgumentParser]:
    (action,) = (a for a in PARSER._actions if isinstance(a, argparse._SubParsersAction))
    return dict(action.choices)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_is_one(page: str) -> None:
    for command in commands(read(page)):
        if " … " not in command:  # some of it is left out
            PARSER.parse_args(expanded(command))  # exits for a command that is wrong


def test_the_commands_are_found() -> None:
    """So that the test above is not empty."""
    counts = {page: len(commands(read(page))) for page in PAGES}
    assert counts["README.md"] >= 9 and counts["docs/options.md"] >= 13
    assert counts["docs/paper_tables.md"] >= 8 and sum(map(bool, counts.values())) >= 6
    readme = commands(read("README.md"))
    assert "invert examples/watermelon.png" in readme  # after `&&`, in a folder
    assert "invert examples/watermelon.png --dtype float32" in readme  # after `$`


@pytest.mark.parametrize("page", PAGES)
def test_every_verb_and_option_in_a_sentence_is_one(page: str) -> None:
    """In `code`: such as `pez distill --curve`, a part of a command."""
    sentences = re.sub(r"^ *```.*?^ *```", "", read(page), flags=re.M | re.S)
    for verb, rest in re.findall(r"`pez ([^` ]+)([^`]*)`", sentences):
        if verb != "COMMAND":
            options = set(re.findall(r"--[a-z-]+", rest))
            assert options <= set(verbs()[verb]._option_string_actions), (verb, rest)


def test_the_table_of_options_is_the_one_of_the_code() -> None:
    page = read("docs/options.md")
    assert written(page) == page, (
        "docs/options.md is stale: python -m pez_core.cli.option_table --write docs/options.md"
    )


def test_the_table_has_every_option_of_invert_and_no_other() -> None:
    shown = read("docs/options.md").partition(BEGIN)[2].partition(END)[0]
    rows = re.findall(r"^\| `(--[a-z-]+)` \|", shown, re.M)
    assert sorted([*rows, "--help", "-h"]) == sorted(verbs()["invert"]._option_string_actions)


@pytest.mark.parametrize("verb", verbs())
def test_every_option_has_a_description(verb: str) -> None:
    """And none is a mere default."""
    for action in verbs()[verb]._actions:
        assert action.help and not action.help.startswith("("), action.dest


def test_a_figure_over_rates_is_twenty_methods() -> None:
    (figure,) = [c for c in commands(read("docs/paper_tables.md")) if "figure5a" in c]
    methods = PARSER.parse_args(expanded(figure)).optimizers
    assert len(set(methods)) == 20 and "autoprompt_sgd,lr=0.001" in methods
    assert shlex.split(figure)[0] == "evaluate"
