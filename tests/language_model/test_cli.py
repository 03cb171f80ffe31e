"""`pez learn-text`, and how its prompt scores on a model with another tokenizer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pez_core.language_model import load_language_model, score_text
from tests.support.commands import Pez
from tests.support.language_support import VERBALIZERS, reviews
from training.instructed import AFTER

pytest_plugins = ("tests.support.language_fixtures",)

WORDS = ("--verbalizer", "true=yes", "--verbalizer", "false=no", "--after", AFTER)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Examples to learn from, and those held out."""
    folder = tmp_path_factory.mktemp("examples")
    for name, seed in (("a", 5), ("b", 6)):
        rows = [{"text": e.text, "label": e.label} for e in reviews("food", 60, seed)]
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return str(folder / "a.jsonl"), str(folder / "b.jsonl")


def test_the_json_holds_texts_with_their_figures_on_both_models(
    pez: Pez, instructed_folder: Path, other: str, files: tuple[str, str]
) -> None:
    code, out, _ = pez(
        "learn-text", "--model", str(instructed_folder), "--data", files[0], "--holdout", files[1],
        *WORDS, "--tokens", "3", "--steps", "20", "--fluency", "0.003", "--transfer-to", other,
        "--seed", "2", "--json",
    )  # fmt: skip
    found = json.loads(out)
    assert code == 0 and found["schema"] == 1 and found["stopped"] == "steps"
    assert found["settings"]["fluency"] == 0.003 and found["settings"]["tokens"] == 3
    texts = [candidate["prompt"] for candidate in found["candidates"]]
    assert found["prompt"] == texts[0]
    held = reviews("food", 60, 6)
    for name, figures in (
        (str(instructed_folder), [found["empty"], *(c["holdout"] for c in found["candidates"])]),
        (other, found["transfers"][other]),
    ):
        model = load_language_model(name)
        for text, figure in zip(["", *texts], figures, strict=True):
            again = score_text(model, text, held, VERBALIZERS, after=AFTER)
            assert figure["accuracy"] == again.accuracy
            assert figure["loss"] == pytest.approx(again.loss, abs=1e-5)
    pieces = load_language_model(other).encode(texts[0])
    assert len(pieces) > 3 == len(found["candidates"][0]["ids"])  # read by its own tokenizer


def test_the_table_is_best_first_with_no_prompt_last(
    pez: Pez, instructed_folder: Path, files: tuple[str, str]
) -> None:
    code, out, error = pez(
        "learn-text", "--model", str(instructed_folder), "--data", files[0], *WORDS, "--tokens",
        "2", "--steps", "10", "--restarts", "2",
    )  # fmt: skip
    lines = out.splitlines()
    assert code == 0 and lines[-1].endswith("(no prompt)") and len(lines) > 1
    assert all("%" in line for line in lines)
    assert "accuracy and loss of 15 held-out examples; 10 steps" in error


def test_data_is_refused_before_a_model_is_looked_for(pez: Pez, tmp_path: Path) -> None:
    data = tmp_path / "d.jsonl"
    for lines, message in (
        (["x", ""], f"example 2 of {data} has an empty text"),
        ([], "has no examples"),
    ):
        data.write_text("".join(json.dumps({"text": t, "label": "true"}) + "\n" for t in lines))
        command = ("learn-text", "--model", "/no/where", "--data", str(data), *WORDS[:4])
        code, out, err = pez(*command)
        assert (code, out, err.count("\n")) == (2, "", 1) and message in err
    data.write_text('{"text": "x", "label": "perhaps"}')
    assert "'perhaps' has no verbalizer word" in pez(*command)[2]


@pytest.mark.parametrize("verb", ["learn-text", "compare-text"])
def test_the_help_gives_the_defaults(pez: Pez, verb: str) -> None:
    code, out, _ = pez(verb, "--help")
    told = " ".join(out.split())
    assert code == 0
    for option, default in (
        ("--steps STEPS steps of the optimizer", 200),
        ("--lr LR learning rate of the optimizer", 0.3),
        ("--restarts RESTARTS how many prompts to optimize together", 4),
        ("--batch-size BATCH_SIZE how many examples to draw for each step", 16),
    ):  # fmt: skip
        assert f"{option} (default: {default})" in told


@pytest.mark.parametrize(("arguments", "message"), [
    (["--verbalizer", "true"], "--verbalizer must be LABEL=WORD, got 'true'"),
    (["--verbalizer", "a=b", "--verbalizer", "a=c"], "names the label 'a' twice"),
    ([*WORDS, "--transfer-to", "x"], "--transfer-to measures on the examples of a --holdout file"),
    ([*WORDS, "--tokens", "0"], "tokens must be a whole number"),
    ([*WORDS, "--fluency", "2"], "fluency must be at least 0 and below 1"),
    (WORDS[:2], "at least two labels"),
])  # fmt: skip
def test_errors_are_one_line(
    pez: Pez, instructed_folder: Path, files: tuple[str, str], arguments: list[str], message: str
) -> None:
    code, out, error = pez(
        "learn-text", "--model", str(instructed_folder), "--data", files[0], *arguments
    )
    told = [line for line in error.splitlines() if "error" in line]
    assert code == 2 and not out and len(told) == 1 and message in told[0]
