"""The verbs and options in the sentences of README.md and docs are those of `pez`, and the table of
options is the one of the code."""

from __future__ import annotations

import argparse
import re
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


def verbs() -> dict[str, argparse.ArgumentParser]:
    (action,) = (a for a in PARSER._actions if isinstance(a, argparse._SubParsersAction))
    return dict(action.choices)


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
