"""Any arguments whatever: an exit code of ours, and one line that says why."""

from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pez_core.cli import main
from tests.fuzz.hostile import texts

VERBS = ("tokens", "check", "mix", "invert", "distill", "explain", "nonsense")
OPTIONS = (
    "--text", "--avoid", "--negative", "--tokens", "--template", "--vocabulary", "--ban", "--allow",
    "--seed", "--steps", "--restarts", "--seconds", "--lr", "--weight-decay", "--model", "--dtype",
    "--tower", "--preset", "--json", "--candidates", "--avoid-file", "--false-alarms", "--picture",
)  # fmt: skip
PLAIN = (
    "1",
    "0",
    "-1",
    "nan",
    "1e9",
    "demo",
    "examples/pizza.png",
    "missing.png",
    "a cat@0.5",
    ".",
)
QUICK = ["--steps", "1", "--restarts", "1"]

words = st.one_of(st.sampled_from(PLAIN), st.sampled_from(OPTIONS), texts)
lines = st.tuples(st.sampled_from(VERBS), st.lists(words, max_size=5))


@settings(max_examples=40)
@given(lines)
def test_any_command(line: tuple[str, list[str]]) -> None:
    verb, rest = line
    # Last, so that it counts: no search of this test is longer.
    quick = QUICK if verb in ("invert", "distill") else []
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([verb, *rest, *quick])
        except SystemExit as stop:  # argparse's own way to end
            code = int(stop.code or 0)
    assert code in (0, 1, 2)
    assert "--debug shows where" not in err.getvalue(), err.getvalue()
    assert "Traceback" not in err.getvalue()
    if code == 2:
        assert err.getvalue().strip()


@pytest.mark.parametrize("verb", VERBS[:-1])
def test_help_is_there(verb: str) -> None:
    with pytest.raises(SystemExit) as stop, contextlib.redirect_stdout(io.StringIO()):
        main([verb, "--help"])
    assert not stop.value.code
