"""`--optimizer`: the baselines from the command line."""

from __future__ import annotations

import json

import pytest

from pez_core.config import OPTIMIZERS
from tests.support.commands import Pez


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_can_be_asked_for(name: str, pez: Pez) -> None:
    code, out, _ = pez(
        "invert", "--text", "a red heart", "--optimizer", name, "--steps", "4", "--restarts", "2",
        "--tokens", "2", "--json",
    )  # fmt: skip
    assert code == 0
    assert json.loads(out)["settings"]["optimizer"] == name


def test_an_unknown_one_is_refused(pez: Pez) -> None:
    code, out, err = pez("invert", "--text", "a", "--optimizer", "adam")
    assert (code, out) == (2, "")
    assert "invalid choice: 'adam'" in err and "autoprompt_sgd" in err


@pytest.mark.usefixtures("clock")
def test_a_soft_prompt_that_is_stopped_early_has_no_words(pez: Pez) -> None:
    """It has tokens only after its last step, and the error says so."""
    code, out, err = pez(
        "invert", "--text", "a", "--optimizer", "soft", "--steps", "1000000", "--seconds", "0.01"
    )
    assert (code, out) == (2, "")
    assert "soft" in err and "last step" in err
