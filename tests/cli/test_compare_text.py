"""`pez compare-text`: a table of methods, seeds and models by one command."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from pez_core.errors import ConfigError, TargetError
from pez_core.language_model import (
    LanguageModel,
    TextConfig,
    add_model,
    compare_texts,
    learn_text_prompt,
    load_language_model,
    score_text,
    text_method,
)
from pez_core.language_model.examples import few_shot
from pez_core.language_model.search import Callback
from tests.support.commands import Pez
from tests.support.language_support import VERBALIZERS, reviews
from training.instructed import AFTER

pytest_plugins = ("tests.support.language_fixtures",)

WORDS = ("--verbalizer", "true=yes", "--verbalizer", "false=no", "--after", AFTER)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Examples to learn from as JSON lines, and those held out as CSV."""
    folder = tmp_path_factory.mktemp("examples")
    rows = [json.dumps({"text": e.text, "label": e.label}) for e in reviews("food", 60, 5)]
    (folder / "a.jsonl").write_text("\n".join(rows))
    held = [f'"{e.text}",{e.label}' for e in reviews("food", 60, 6)]
    (folder / "b.csv").write_text("\n".join(["text,label", *held]))
    return str(folder / "a.jsonl"), str(folder / "b.csv")


def test_every_figure_is_that_of_a_search_of_its_own(
    pez: Pez, instructed_folder: Path, other: str, files: tuple[str, str]
) -> None:
    """Rows are means over the searches, each the one that `learn_text_prompt` makes alone."""
    methods = ["pez", "pez,fluency=0.3", "autoprompt_sgd,lr=2"]
    command = [
        "compare-text", "--model", str(instructed_folder), "--data", files[0], "--holdout",
        files[1], *WORDS, "--tokens", "2", "--steps", "12", "--restarts", "2", "--methods",
        *methods, "--seeds", "2", "--shots", "20", "--transfer-to", other,
    ]  # fmt: skip
    code, out, _ = pez(*command, "--json")
    found = json.loads(out)
    assert code == 0 and found["schema"] == 1
    searches = found["searches"]
    assert [(s["method"], s["seed"]) for s in searches] == [(m, i) for m in methods for i in (0, 1)]
    assert searches[2]["settings"]["fluency"] == 0.3 and searches[4]["settings"]["lr"] == 2
    held, model, far = reviews("food", 60, 6), str(instructed_folder), load_language_model(other)
    alone = learn_text_prompt(
        load_language_model(model), few_shot(reviews("food", 60, 5), 20, 1), VERBALIZERS,
        holdout=held, after=AFTER, tokens=2, seed=1,
        config=TextConfig(optimizer="autoprompt_sgd", lr=2, steps=12, restarts=2),
    )  # fmt: skip
    assert searches[5]["prompt"] == alone.best.text
    assert searches[5]["there"][model] == alone.best.holdout.to_json()
    there = [score_text(far, s["prompt"], held, VERBALIZERS, after=AFTER) for s in searches]
    assert [s["there"][other]["accuracy"] for s in searches] == [m.accuracy for m in there]
    nothing = score_text(far, "", held, VERBALIZERS, after=AFTER)
    assert found["empty"][other]["accuracy"] == nothing.accuracy
    for place, row in enumerate(found["rows"]):
        first, second = (m.accuracy for m in there[2 * place : 2 * place + 2])
        assert row["accuracy"][other] == pytest.approx((first + second) / 2)
        assert row["error"][other] == pytest.approx(abs(first - second) / 2)
    code, out, _ = pez(*command)
    lines = out.splitlines()
    assert code == 0 and lines[0] == f"| method | seeds | {model} | {other} |"
    row = found["rows"][2]
    cells = [
        f"{100 * row['accuracy'][m]:.2f} ± {100 * row['error'][m]:.2f}" for m in (model, other)
    ]
    assert lines[-1] == f"| autoprompt_sgd,lr=2 | 2 | {' | '.join(cells)} |"
    assert lines[2] == f"| no prompt |  | {100 * found['empty'][model]['accuracy']:.2f} | " + (
        f"{100 * nothing.accuracy:.2f} |"
    )


def test_a_search_that_is_stopped_ends_the_comparison(instructed: LanguageModel) -> None:
    """With what was found until then; and a text is transferred to the model that it came from."""
    data, seen = reviews("food", 40, 5), list[tuple[str, int]]()

    def watch(method: str, seed: int) -> Callback:
        seen.append((method, seed))
        return lambda info: (method, seed, info.step) != ("pez", 1, 3)

    method = text_method("pez", TextConfig(steps=6, restarts=1))
    found = compare_texts(
        instructed, data[:20], VERBALIZERS, [method, method], range(3), data[20:], after=AFTER,
        tokens=2, watch=watch,
    )  # fmt: skip
    assert seen == [("pez", 0), ("pez", 1)]
    assert [e.learned.stopped for e in found.entries] == ["steps", "user"]
    again = add_model(found, instructed, data[20:], VERBALIZERS, after=AFTER)
    assert again.to_json() == found.to_json()


def test_few_examples_are_as_many_of_each_label() -> None:
    examples = reviews("food", 60, 5)
    drawn = few_shot(examples, 7, seed=3)
    assert Counter(e.label for e in drawn) == {"true": 7, "false": 7}
    assert set(drawn) <= set(examples) and len(set(drawn)) == 14
    assert drawn == few_shot(examples, 7, seed=3) != few_shot(examples, 7, seed=4)
    with pytest.raises(
        TargetError, match="61 examples of each label are requested, .* has 33: request at most"
    ):
        few_shot(examples, 61, seed=0)
    with pytest.raises(TargetError, match="at least 1"):
        few_shot(examples, 0, seed=0)


@pytest.mark.parametrize(
    "name", ["adam", "pez,0.003", "pez,fluency=much", "pez,tokens=3", "pez,lr=1,lr=2", ""]
)
def test_what_is_not_a_method_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="is not a method: write OPTIMIZER"):
        text_method(name, TextConfig())


def test_a_method_changes_what_it_names_alone() -> None:
    base = TextConfig(steps=7, lr=0.2)
    method = text_method("fluentprompt,fluency=0.003,steps=9", base)
    assert method.config == base.replace(optimizer="fluentprompt", fluency=0.003, steps=9)
    assert method.config.lr == 0.2 and method.name == "fluentprompt,fluency=0.003,steps=9"


@pytest.mark.parametrize("verb", ["compare-text", "learn-text"])
def test_what_was_learned_is_printed_where_another_model_is_unavailable(
    pez: Pez, instructed_folder: Path, files: tuple[str, str], tmp_path: Path, verb: str
) -> None:
    seeds = ["--seeds", "1", "--methods", "pez"] if verb == "compare-text" else []
    code, out, err = pez(
        verb, "--model", str(instructed_folder), "--data", files[0], "--holdout", files[1], *WORDS,
        "--tokens", "2", "--steps", "2", *seeds, "--transfer-to", str(tmp_path / "none"),
    )  # fmt: skip
    assert code == 2 and "no prompt" in out
    assert "pez: error: " in err.splitlines()[-1] and "none" in err.splitlines()[-1]


def test_too_many_shots_are_reported_before_a_model_is_looked_for(
    pez: Pez, files: tuple[str, str]
) -> None:
    code, out, err = pez(
        "compare-text", "--model", "/no/where", "--data", files[0], "--holdout", files[1], *WORDS,
        "--shots", "61",
    )  # fmt: skip
    assert (code, out, err.count("\n")) == (2, "", 1) and "has 33: request at most" in err


@pytest.mark.parametrize(("arguments", "message"), [
    ([], "a comparison measures on the examples of a --holdout file"),
    (["--seeds", "0"], "--seeds must be a whole number of at least 1, got 0"),
    (["--shots", "0"], "--shots must be a whole number of at least 1, got 0"),
])  # fmt: skip
def test_errors_are_one_line(
    pez: Pez, files: tuple[str, str], arguments: list[str], message: str
) -> None:
    code, out, err = pez(
        "compare-text", "--model", "x", "--data", files[0], *WORDS, *arguments
    )  # fmt: skip
    assert (code, out, err.count("\n")) == (2, "", 1) and message in err
