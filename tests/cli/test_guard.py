"""`pez check` and `--avoid`: exit codes, JSON, and that a search reports what `check` reports."""

from __future__ import annotations

import json
import os
import shutil
import threading
from pathlib import Path

import pytest

from pez_core import ClipModel, make_guard
from tests.support.commands import Pez
from tests.support.processes import SAFETY


@pytest.fixture
def picture(root: Path) -> str:
    return str(root / "examples" / "pizza.png")


def test_the_exit_code_tells_near_from_clear(pez: Pez, demo: ClipModel) -> None:
    code, out, err = pez("check", "a hot slice of pizza", "--avoid", "dog", "--avoid", "pizza")
    head, dog, pizza = out.splitlines()
    assert (code, err) == (1, "")
    assert dog.split()[0] == "clear" and pizza.split()[0] == "near"
    (found,) = make_guard(demo, ["pizza"]).check(demo, ["a hot slice of pizza"])
    numbers = [f"{found['pizza'].similarity:.4f}", f"{found['pizza'].threshold:.4f}"]
    assert pizza.split() == ["near", *numbers, "pizza", "(says", "pizza)"]
    assert pez("check", "a castle", "--avoid", "pizza")[0] == 0


def test_the_json_and_a_list_of_concepts(pez: Pez, tmp_path: Path, picture: str) -> None:
    """One concept a line, of which one may be a picture; a concept named twice counts once."""
    path = tmp_path / "avoid.txt"
    path.write_text(f"# food\n{picture}\ndog\n", encoding="utf-8")
    arguments = ("--avoid", "dog", "--avoid-file", str(path), "--json")
    code, out, _ = pez("check", "a pizza", *arguments)
    said = json.loads(out)
    assert list(said) == ["schema", "text", "model", "near", "clear", "guard"]
    assert (code, said["schema"], said["near"]) == (1, 1, True)
    assert list(said["guard"]) == ["dog", picture]
    assert [said["guard"][name]["near"] for name in said["guard"]] == [False, True]


def test_the_disk_is_asked_once_for_each_name(
    pez: Pez, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often a list repeats it: five megabytes of one word took a minute."""
    path = tmp_path / "avoid.txt"
    path.write_text("dog\ncat\n" * 500, encoding="utf-8")
    asked: list[str] = []

    def expanded(name: str) -> tuple[str, ...]:
        asked.append(name)
        return (name,)

    monkeypatch.setattr("pez_core.cli.avoid.expanded_pictures", expanded)
    assert pez("check", "a pizza", "--avoid", "dog", "--avoid-file", str(path))[0] == 0
    assert asked == ["dog", "cat"]


def test_a_search_tells_what_check_tells(pez: Pez, picture: str) -> None:
    code, out, err = pez("invert", picture, "--avoid", "pizza", "--json")
    said = json.loads(out)
    assert (code, said["schema"]) == (0, 1) and "keeps away" not in err
    assert said["settings"]["avoid"] == ["pizza"] and said["settings"]["false_alarms"] == 0.01
    assert said["guard"]["pizza"]["near"] is False
    assert said["settings"]["avoided_words"] == {"pizza": ["pizza", "pizzas"]}
    code, out, _ = pez("check", said["prompt"], "--avoid", "pizza", "--json")
    again = json.loads(out)["guard"]["pizza"]
    assert code == 0
    assert again["similarity"] == pytest.approx(said["guard"]["pizza"]["similarity"], abs=1e-5)
    assert again["threshold"] == pytest.approx(said["guard"]["pizza"]["threshold"], abs=1e-6)


def test_a_word_counts_whatever_the_text_means(pez: Pez) -> None:
    """The text is clear of the meaning, but a guarded search would not return it."""
    code, out, _ = pez("check", "pizza golfing", "--avoid", "pizza", "--avoid", "dog")
    says, dog = out.splitlines()[1:]
    assert code == 1 and dog.split()[0] == "clear"
    assert says.split()[0] == "says" and says.endswith("pizza (says pizza)")
    code, out, _ = pez("check", "pizza golfing", "--avoid", "pizza", "--json")
    said = json.loads(out)
    assert (code, said["near"], said["clear"]) == (1, False, False)
    assert said["guard"]["pizza"]["says"] == ["pizza"]


def test_another_picture_of_the_same_name_is_another_setting(
    pez: Pez, picture: str, root: Path, tmp_path: Path
) -> None:
    """A folder that goes on with it would have prompts of two guards."""
    away, pictures, out = tmp_path / "away.png", tmp_path / "pictures", tmp_path / "out.jsonl"
    pictures.mkdir()
    shutil.copy(picture, pictures / "a.png")
    shutil.copy(root / "examples" / "penguin.png", away)
    arguments = ("invert-folder", str(pictures), "--out", str(out), "--preset", "fast")
    assert pez(*arguments, "--avoid", str(away), "--avoid", "dog")[0] == 0
    assert pez(*arguments, "--avoid", "dog", "--avoid", str(away))[0] == 0
    shutil.copy(root / "examples" / "ghost_on_blue.png", away)
    shutil.copy(picture, pictures / "b.png")
    code, _, err = pez(*arguments, "--avoid", str(away), "--avoid", "dog")
    assert code == 2 and "other settings" in err and "avoid_digest" in err
    code, _, err = pez("check", "a dog", "--avoid", f"{pictures}/")
    assert code == 2 and "a folder, not a picture: name the pictures in it" in err


def test_a_template_that_says_it_is_reported(
    pez: Pez, picture: str, caplog: pytest.LogCaptureFixture
) -> None:
    arguments = ("--template", "a pizza golfing {1}", "--avoid", "pizza", "--preset", "fast")
    code, out, _ = pez("invert", picture, *arguments)
    assert code == 0 and "a pizza golfing" in out
    assert "the prompt contains words that say pizza: pizza" in caplog.text


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_list_of_concepts_may_be_a_pipe(pez: Pez, picture: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("pizza\n",), daemon=True)
    writer.start()
    code, out, _ = pez("invert", picture, "--avoid-file", str(pipe), "--preset", "fast", "--json")
    writer.join(SAFETY)
    assert not writer.is_alive()
    assert code == 0 and json.loads(out)["settings"]["avoid"] == ["pizza"]


def test_a_concept_that_the_model_does_not_know_is_reported(
    pez: Pez, caplog: pytest.LogCaptureFixture
) -> None:
    code, out, _ = pez("check", "a castle", "--avoid", "nude", "--avoid", "dog")
    nude, dog = out.splitlines()[1:]
    assert code == 0 and nude.split()[0] == "?" and dog.split()[0] == "clear"
    assert "demo does not know 'nude': an empty text is as near" in caplog.text
    assert pez("check", "a nude castle", "--avoid", "nude")[0] == 1


def test_a_stricter_rate_lowers_the_threshold(pez: Pez) -> None:
    found = []
    for rate in ("0.01", "0.05"):
        arguments = ("--avoid", "pizza", "--false-alarms", rate, "--json")
        _, out, _ = pez("check", "a castle", *arguments)
        found.append(json.loads(out)["guard"]["pizza"])
    assert found[1]["threshold"] < found[0]["threshold"]
    assert found[1]["similarity"] == pytest.approx(found[0]["similarity"], abs=1e-6)


def test_a_folder_keeps_away_too(pez: Pez, tmp_path: Path, picture: str) -> None:
    """As `invert` does for the one picture; and what was to be avoided decides the results."""
    folder, out = tmp_path / "pictures", tmp_path / "out.jsonl"
    folder.mkdir()
    (folder / "pizza.png").write_bytes(Path(picture).read_bytes())
    options = ("--out", str(out), "--steps", "5")
    assert pez("invert-folder", str(folder), *options, "--avoid", "pizza")[0] == 0
    record = json.loads(out.read_text())
    assert record["guard"]["pizza"]["near"] is False
    alone = json.loads(pez("invert", picture, "--steps", "5", "--avoid", "pizza", "--json")[1])
    assert record["prompt"] == alone["prompt"]
    assert record["settings"]["avoided_words"] == alone["settings"]["avoided_words"]
    code, _, err = pez("invert-folder", str(folder), *options, "--avoid", "pizza")
    assert code == 0 and "0 of 1 pictures to do" in err  # the same command goes on
    code, _, err = pez("invert-folder", str(folder), *options, "--avoid", "dog")
    assert code == 2 and "avoid" in err


def test_what_cannot_be_checked_is_reported_in_one_line(pez: Pez, tmp_path: Path) -> None:
    for arguments, message in (
        (("  ", "--avoid", "dog"), "nothing to check"),
        (("a cat",), "nothing to keep away from"),
        (("a cat", "--avoid", ""), "an empty text is not a concept"),
        (("a cat", "--avoid", "none.png"), "none.png: no such picture"),
        (("a cat", "--avoid-file", str(tmp_path)), "cannot read"),
        (("a cat", "--avoid", "dog", "--false-alarms", "0"), "rate of false alarms"),
    ):
        code, out, err = pez("check", *arguments)
        assert (code, out) == (2, "") and message in err and err.count("\n") == 1
