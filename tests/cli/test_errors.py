"""What `pez` says when it cannot do what it was asked: one line, and exit code 2."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import pez_core
from pez_core.cli import main
from tests.support.commands import Pez

ERRORS: dict[str, tuple[list[str], str]] = {
    "nothing to learn from": (["invert"], "nothing to learn from: give a picture, --text"),
    "only a missing picture": (["invert", "none.png"], "none.png: no such picture"),
    "a missing negative": (["invert", "--negative", "no.png"], "no.png: no such picture"),
    "an unknown model": (["invert", "--text", "a", "--model", "sd99"], "unknown model 'sd99'"),
    "no slot": (["invert", "--text", "a", "--template", "a"], "has no slot"),
    "an empty template": (["invert", "--text", "a", "--template", ""], "has no slot"),
    "no tokens": (["invert", "--text", "a", "--tokens", "0"], "between 1 and 75, got 0"),
    "too many tokens": (["invert", "--text", "a", "--tokens", "76"], "between 1 and 75, got 76"),
    "tokens and a template": (["invert", "--tokens", "8", "--template", "a {4}"], "not allowed"),
    "an empty text": (["invert", "--text", " "], "an empty text cannot be a target"),
    "a missing negative with spaces": (["invert", "--negative", "a b.png"], "a b.png: no such"),
    "an empty name of a list": (["invert", "--text", "a", "--allow", ""], "cannot read the list"),
    "tokens of letters": (["invert", "--tokens", "x"], "invalid int value: 'x'"),
    "no steps": (["invert", "--text", "a", "--steps", "0"], "steps must be a whole number"),
    "no restarts": (["invert", "--text", "a", "--restarts", "0"], "restarts must be a whole"),
    "no candidates": (["invert", "--text", "a", "--candidates", "0"], "candidates must be"),
    "no learning rate": (["invert", "--text", "a", "--lr", "nan"], "lr must be a positive number"),
    "negative time": (["invert", "--text", "a", "--seconds", "-1"], "seconds must be"),
    "endless time": (["invert", "--text", "a", "--seconds", "inf"], "seconds must be"),
    "a negative seed": (["invert", "--text", "a", "--seed", "-1"], "seed must be .*got -1"),
    "an immense seed": (["invert", "--text", "a", "--seed", str(2**64)], "seed must be"),
    "a ban of a phrase": (["invert", "--text", "a", "--ban", "two words"], "cannot ban 'two words"),
    "a missing word list": (["invert", "--text", "a", "--allow", "no.txt"], "the list no.txt"),
    "an unknown vocabulary": (["invert", "--vocabulary", "latin"], "invalid choice: 'latin'"),
    "template and tokens": (
        ["invert", "--tokens", "3", "--template", "{3}"], "not allowed with argument",
    ),
    "an unknown option": (["invert", "--colour", "red"], "unrecognized arguments: --colour"),
    "an abbreviation": (["invert", "--temp", "{3}"], "unrecognized arguments: --temp"),
    "an unknown verb": (["sculpt"], "invalid choice: 'sculpt'"),
    "no verb": ([], "give a VERB, such as invert in `pez invert PICTURE`"),
    "a verb mistyped": (["invertfolder", "x"], "'invertfolder', did you mean invert-folder"),
    "an option mistyped": (
        ["invert", "x", "--token", "3"], "--token 3, did you mean --tokens.*see pez invert --help",
    ),
    "a choice mistyped": (["invert", "x", "--preset", "fst"], "'fst', did you mean fast"),
    "an option before the verb": (["--debug", "invert", "x"], "--debug; options come after VERB"),
    "a negative decay": (
        ["invert", "--text", "a", "--weight-decay", "-1"], "--weight-decay must be at least 0",
    ),
    "tokens of no text": (["tokens"], "the following arguments are required: TEXT"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_is_one_line(kind: str, pez: Pez) -> None:
    """Exit code 2, nothing on stdout, one line on stderr that says what was wrong."""
    arguments, message = ERRORS[kind]
    code, out, err = pez(*arguments)
    assert (code, out) == (2, "")
    assert re.fullmatch(rf"pez( \w+)?: error: .*({message}).*\n", err), err


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device")
def test_a_device_that_is_not_there_is_refused(pez: Pez) -> None:
    """Instead of torch's own traceback."""
    code, _, err = pez("invert", "--text", "a", "--device", "cuda")
    assert code == 2 and "cannot use the device cuda: choose" in err


def test_debug_shows_where_an_error_came_from(tmp_path: Path) -> None:
    """--debug lets the exception through."""
    path = tmp_path / "text.png"
    path.write_text("no picture")
    with pytest.raises(pez_core.PezError, match="not a picture"):
        main(["invert", str(path), "--debug"])


@pytest.mark.parametrize(
    "command", [["{}"], ["--{}"], ["help", "{}"], ["invert", "--seed", "{}"], ["models", "{}"]]
)
def test_a_message_has_a_bounded_length(pez: Pez, command: list[str]) -> None:
    """It begins with what is wrong and ends with what to do, whatever was given."""
    code, _, err = pez(*(word.format("long " * 20_000) for word in command))
    assert code == 2 and len(err) < 2100 and err.count("\n") == 1
    assert err.startswith("pez") and err.endswith("--help)\n")


@pytest.mark.parametrize("out", ["a\0b", "\ud800", "x/\0/y"])
@pytest.mark.parametrize("options", [[], ["--txt"]])
def test_what_no_file_can_be_called_is_refused(
    pez: Pez, root: Path, options: list[str], out: str
) -> None:
    code, _, err = pez("invert-folder", str(root / "examples"), *options, "--out", out)
    assert code == 2 and "cannot be the name of a" in err and err.count("\n") == 1
