"""`pez rank`: prompts in order of a painter's errors, as a table and as JSON."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from torch import Tensor

from tests.support.commands import Pez

pytest.importorskip("diffusers")
PROMPTS = ("a pizza", "a watermelon", "a blue car")


@pytest.fixture
def given(root: Path) -> list[str]:
    prompts = [word for prompt in PROMPTS for word in ("--prompt", prompt)]
    return ["rank", str(root / "examples" / "watermelon.png"), *prompts, "--levels", "5"]


def test_the_right_name_is_first(pez: Pez, given: list[str]) -> None:
    code, out, err = pez(*given)
    assert (code, err) == (0, "")
    head, first, *_, blank, last = out.splitlines()
    assert head.split() == ["error", "behind", "the", "best", "prompt"]
    assert first.endswith("a watermelon") and float(first.split()[0]) < 1
    assert not blank and last.startswith("the first is the best after ")


def test_the_json_has_all_that_was_measured(pez: Pez, given: list[str], tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("# mine\na watermelon\na melon\n")
    given += ["--prompts", str(tmp_path / "prompts.txt"), "--rounds", "2", "--json"]
    code, out, _ = pez(*given, "--seed", "3")
    found = json.loads(out)
    assert code == 0 and found["schema"] == 1 and found["seed"] == 3
    assert found["ranking"][0]["prompt"] == "a watermelon"
    assert {row["prompt"] for row in found["ranking"]} == {*PROMPTS, "a melon"}
    for row in found["ranking"]:
        assert row["low"] <= row["error"] <= row["high"] and row["passes"] == 10
    assert found["passes"] == 50 and found["rounds"] == 2 and found["reason"] in (
        "rounds", "one left",
    )  # fmt: skip
    assert found["painter"]["pipeline"] == "demo" and found["settings"]["levels"] == 5
    again = json.loads(pez(*given, "--seed", "3")[1])
    assert again["ranking"] == found["ranking"]
    assert json.loads(pez(*given, "--seed", "4")[1])["ranking"] != found["ranking"]


def test_ctrl_c_ends_it_with_the_ranking_so_far(
    pez: Pez, given: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a pass; before the first round is done there is no ranking."""
    from pez_core.painter.denoising import PipelineErrors

    whole, ends = PipelineErrors.errors, 1

    def errors(self: PipelineErrors, prompts: Sequence[str], noise: int) -> Tensor:
        if noise == ends:
            signal.raise_signal(signal.SIGINT)
        return whole(self, prompts, noise)

    monkeypatch.setattr(PipelineErrors, "errors", errors)
    code, out, _ = pez(*given, "--json")
    found = json.loads(out)
    assert code == 130 and (found["reason"], found["rounds"]) == ("stopped", 1)
    assert pez(*given)[1].splitlines()[-1].endswith(", when it was stopped")
    ends = 0
    code, out, _ = pez(*given)
    assert code == 130 and not out


def test_no_words_and_too_many(pez: Pez, root: Path, caplog: pytest.LogCaptureFixture) -> None:
    picture = str(root / "examples" / "watermelon.png")
    prompts = ("--prompt", "", "--prompt", "a cat " * 50, "--prompt", "a")
    code, out, _ = pez("rank", picture, *prompts, "--rounds", "1", "--levels", "2")
    assert code == 0 and any(line.endswith("(no words)") for line in out.splitlines())
    assert caplog.messages == ["the painter does not read 1 of the prompts to the end"]


def test_one_prompt_is_measured_too(pez: Pez, root: Path) -> None:
    picture = str(root / "examples" / "watermelon.png")
    code, out, _ = pez("rank", picture, "--prompt", "a watermelon", "--rounds", "1")
    _, only, _, last = out.splitlines()
    assert code == 0 and only.endswith("a watermelon")
    assert last == "there is nothing to compare it with after 8 passes"


def test_prompts_that_do_not_help(pez: Pez, root: Path) -> None:
    """Of words that harm, one is still the best; control characters do nothing to the terminal."""
    picture = str(root / "examples" / "watermelon.png")
    code, out, _ = pez("rank", picture, "--prompt", "a blue car\x1b[31m", "--rounds", "2")
    assert code == 0 and out.splitlines()[-1] == "none of them helps: without words the error is 1"
    assert "\x1b" not in out and r"car\x1b[31m" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to rank: give --prompt TEXT"),
        (("--prompt", "a", "--rounds", "0"), "rounds must be at least 1"),
        (("--prompt", "a", "--levels", "0"), "--levels must be from 2 to 400"),
        (("--prompt", "a", "--seconds", "nan"), "seconds must be more than 0"),
        (("--prompt", "a", "--seed", "-1"), "seed must be at least 0"),
        (("--prompt", "caf\udce9"), "is not text"),
        (("--prompts", "nowhere.txt"), "cannot read the list nowhere.txt"),
        (("--prompt", "a", "--painter", " "), "--painter is empty"),
        (("--prompt", "a", "--painter", "./nowhere"), "there is no folder ./nowhere"),
        (("--prompt", "a", "--size", "64"), "size must be 48 pixels for the embedded painter"),
    ],
)
def test_what_cannot_be_ranked(
    pez: Pez, root: Path, arguments: tuple[str, ...], message: str
) -> None:
    code, out, err = pez("rank", str(root / "examples" / "watermelon.png"), *arguments)
    assert code == 2 and not out and message in err and err.count("\n") == 1


def test_edits_of_the_best_with_words_of_the_others(pez: Pez, root: Path) -> None:
    """Every edit lowers the error, and brings no word that no prompt has."""
    prompts = ("a blue watermelon", "a red car", "two green striped dogs")
    picture = str(root / "examples" / "watermelon.png")
    given = ["rank", picture, *(word for p in prompts for word in ("--prompt", p)), "--edits", "3"]
    code, out, _ = pez(*given, "--rounds", "4", "--json")
    found = json.loads(out)
    edited = found["edited"]
    assert code == 0 and edited["start"] == found["ranking"][0]["prompt"] == "a blue watermelon"
    assert 1 <= len(edited["edits"]) <= 3 and edited["passes"] > 0
    before = edited["edits"][0]["before"]  # each begins where the last one ends
    for edit in edited["edits"]:
        assert edit["before"] == pytest.approx(before) and edit["error"] < before
        assert edit["gain"] == pytest.approx(before - edit["error"], abs=1e-6)
        before = edit["error"]
    words = {word for prompt in prompts for word in prompt.split()}
    assert all({*edit["prompt"].split()} <= words for edit in edited["edits"])
    code, out, _ = pez(*given, "--rounds", "4")
    assert code == 0 and out.splitlines()[-1].endswith(edited["edits"][-1]["prompt"])
    code, out, err = pez(*given[:-1], "-1")
    assert code == 2 and not out and "--edits must be at least 0" in err
