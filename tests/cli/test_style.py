"""`pez style`: the style's prompts, and subjects in it, each with its own similarity."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pez_core import make_targets, open_picture
from tests.support.commands import Pez
from tests.support.oracle import DemoOracle

QUICK = ["--steps", "3", "--restarts", "2", "--preset", "fast", "--dtype", "float32"]
SUBJECTS = ["--subject", "a fox", "--subject", "two castles"]


@pytest.fixture
def pictures(root: Path) -> list[str]:
    return [str(root / "examples" / name) for name in ("penguin.png", "elephant.png")]


def test_every_similarity_is_that_of_its_text(
    pez: Pez, pictures: list[str], oracle: DemoOracle
) -> None:
    """By open_clip: of the learned style, and of the subjects' prompts."""
    code, out, err = pez("style", *pictures, *SUBJECTS, "--tokens", "3", *QUICK, "--json")
    assert (code, err) == (0, "")
    result = json.loads(out)
    targets = make_targets(oracle.pictures([open_picture(name) for name in pictures]))
    for entry in (*result["candidates"], *result["applied"]):
        expected = oracle.similarity(entry["prompt"], targets)
        assert entry["similarity"] == pytest.approx(expected, abs=1e-5)
    style = result["prompt"]
    assert [(entry["subject"], entry["prompt"]) for entry in result["applied"]] == [
        (subject, f"{subject} in the style of {style}") for subject in ("a fox", "two castles")
    ]
    assert result["settings"]["pictures"] == pictures


def test_the_json_is_that_of_invert(pez: Pez, pictures: list[str]) -> None:
    """The search is the same; `applied` follows if it is requested."""
    plain = json.loads(pez("style", *pictures, *QUICK, "--json")[1])
    learned = json.loads(pez("invert", *pictures, *QUICK, "--json")[1])
    assert list(plain) == list(learned) and list(plain["settings"]) == list(learned["settings"])
    assert [c["prompt"] for c in plain["candidates"]] == [
        c["prompt"] for c in learned["candidates"]
    ]
    applied = json.loads(pez("style", *pictures, *QUICK, *SUBJECTS, "--json")[1])
    assert list(applied) == [*learned, "applied"]


def test_subjects_stand_below_the_styles(pez: Pez, pictures: list[str]) -> None:
    arguments = ("--apply", "{style} of {subject}", "--tokens", "2", *QUICK)
    code, out, err = pez("style", *pictures, *SUBJECTS, *arguments)
    styles, subjects = (part.splitlines() for part in out.split("\n\n"))
    best = styles[0].split(maxsplit=1)[1]
    assert code == 0 and err.endswith("model demo, seed 0\n")
    assert [line.split(maxsplit=1)[1] for line in subjects] == [
        f"{best} of a fox", f"{best} of two castles",
    ]  # fmt: skip


def test_a_subject_that_clip_does_not_read_is_reported(
    pez: Pez, pictures: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    code, _, _ = pez("style", *pictures, "--subject", "fox " * 75, "--tokens", "2", *QUICK)
    assert code == 0 and caplog.text.count("CLIP reads 75 tokens: the rest of") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--subject", " "], "an empty text cannot be a subject"),
        (["--apply", "{style}"], "has no {subject}"),
        (["none.png"], "none.png: no such picture"),
        (["--tokens", "0"], "between 1 and 75, got 0"),
    ],
)
def test_wrong_use_is_reported(
    pez: Pez, pictures: list[str], arguments: list[str], message: str
) -> None:
    code, out, err = pez("style", *pictures, *arguments)
    assert (code, out) == (2, "") and message in err and err.count("\n") == 1


def test_a_style_needs_a_picture(pez: Pez) -> None:
    code, _, err = pez("style", "--subject", "a fox")
    assert code == 2 and "the following arguments are required: PICTURE" in err
