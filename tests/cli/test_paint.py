"""`pez paint`, and the sheet of `pez invert --paint`."""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from pez_core import load_painter, open_picture
from pez_core.painter.choosing import chosen_by
from pez_core.painter.loop_sheet import draw_loop
from pez_core.painter.picture_file import save_painted
from pez_core.prompt import Candidate, LearnedPrompt, Nearness
from tests.support.commands import Pez

pytest.importorskip("diffusers")
QUICK = ("--diffusion-steps", "1")


def test_a_picture_says_how_it_was_painted(pez: Pez, tmp_path: Path) -> None:
    out = tmp_path / "wet ☃.png"
    code, stdout, stderr = pez("paint", "a red ☃", "--out", str(out), "--seed", "5", *QUICK)
    assert (code, stdout, stderr) == (0, f"{out}\n", "")
    with Image.open(out) as image:
        assert image.size == (192, 192)
        assert image.text["parameters"] == (  # type: ignore[attr-defined]
            "a red ☃\nNegative prompt: \nSteps: 1, Sampler: DPMSolverMultistepScheduler, "
            "CFG scale: 4, Seed: 5, Size: 48x48, Model: demo"
        )
    first = out.read_bytes()
    assert pez("paint", "a red ☃", "--out", str(out), "--seed", "5", *QUICK)[0] == 0
    assert out.read_bytes() == first
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_several_pictures_have_the_seeds_after_the_first(pez: Pez, tmp_path: Path) -> None:
    out = tmp_path / "cat.png"
    code, stdout, _ = pez("paint", "a cat", "--out", str(out), "--images", "2", *QUICK)
    paths = [tmp_path / "cat-1.png", tmp_path / "cat-2.png"]
    assert code == 0 and stdout.split() == [str(path) for path in paths]
    alone = tmp_path / "alone.png"
    pez("paint", "a cat", "--out", str(alone), "--seed", "1", *QUICK)
    assert Image.open(alone).tobytes() == Image.open(paths[1]).tobytes()
    assert Image.open(paths[0]).tobytes() != Image.open(paths[1]).tobytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--out", "a.jpg"), "--out must be the name of a .png file, got 'a.jpg'"),
        (("--out", "no/a.png"), "--out must be a file in a folder that exists, got 'no/a.png'"),
        (("--out", "a.png", "--images", "0"), "--images must be a whole number of at least 1"),
        (("--out", "a.png", "--guidance", "nan"), "--guidance must be a number of at least 0"),
        (
            ("--out", "a.png", "--seed", "-1"),
            "--seed must be at least 0 and below 2^63 to paint, got -1",
        ),
        (
            ("--out", "a.png", "--size", "64"),
            "--size must be 48 pixels for the embedded painter",
        ),
        (("--out", "a.png", "--painter", "no/such"), "the pipeline no/such is unavailable"),
        (("--out", "a.png", "--scheduler", "nn"), "diffusers has no scheduler 'nn'"),
    ],
)
def test_errors(
    pez: Pez, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    code, stdout, stderr = pez("paint", "a", *words)
    assert code == 2 and not stdout and message in stderr and stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_disk_that_takes_nothing(
    pez: Pez, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pez_core.batch.whole_file.os.fsync", full)
    code, stdout, stderr = pez("paint", "a", "--out", str(tmp_path / "a.png"), *QUICK)
    assert code == 2 and not stdout and "No space left on device" in stderr
    assert not list(tmp_path.iterdir())


def test_the_loop_in_one_picture(pez: Pez, tmp_path: Path, root: Path) -> None:
    sheet = tmp_path / "loop.png"
    words = ("invert", str(root / "examples" / "pizza.png"), "--steps", "2", "--restarts", "1")
    plain = pez(*words)
    code, stdout, stderr = pez(*words, "--paint", str(sheet), "--seed", "0")
    assert code == 0 and stdout == plain[1] and stderr.endswith(f"painted {sheet}\n")
    similarity, text = stdout.splitlines()[0].split("  ", 1)
    painter = load_painter("demo")
    painted = [painter.paint_one(text, seed) for seed in range(4)]
    given = [open_picture(root / "examples" / "pizza.png")]
    expected = draw_loop(given, text, float(similarity), painted, "demo")
    assert open_picture(sheet).tobytes() == expected.tobytes()
    assert Image.open(sheet).text["parameters"] == text  # type: ignore[attr-defined]


def test_the_loop_from_words_alone(pez: Pez, tmp_path: Path) -> None:
    sheet = tmp_path / "loop.png"
    words = ("invert", "--text", "a pizza", "--steps", "2", "--restarts", "1")
    assert pez(*words, "--paint", str(sheet))[0] == 0 and sheet.is_file()


def test_another_model_needs_its_painter(pez: Pez, tmp_path: Path, root: Path) -> None:
    words = ("invert", "--text", "a", "--model", "sd15", "--paint", str(tmp_path / "a.png"))
    code, stdout, stderr = pez(*words)
    assert code == 2 and not stdout and "--paint needs --painter" in stderr


def test_a_long_text_is_painted_with_a_warning(
    pez: Pez, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = str(tmp_path / "a.png")
    assert pez("paint", "a cat", "--out", out, *QUICK)[0] == 0 and not caplog.messages
    assert pez("paint", "a cat " * 50, "--out", out, *QUICK)[0] == 0
    assert caplog.messages == ["the text has 102 tokens, of which the painter reads the first 77"]


def test_a_painter_is_checked_before_the_search(pez: Pez, tmp_path: Path) -> None:
    words = ("invert", "--text", "a", "--paint", str(tmp_path / "a.png"))
    code, stdout, stderr = pez(*words, "--painter", str(tmp_path))
    assert code == 2 and not stdout and "has no model_index.json" in stderr


def test_the_name_of_a_painter_is_quoted(tmp_path: Path) -> None:
    """Else what follows a comma in it would be read as a setting."""
    painter = load_painter("demo", steps=1)
    painter.about["pipeline"] = "a, Seed: 5"
    save_painted(Image.new("RGB", (8, 8)), tmp_path / "a.png", painter, "a cat", 1)
    with Image.open(tmp_path / "a.png") as image:
        assert image.text["parameters"].endswith('Model: "a, Seed: 5"')  # type: ignore[attr-defined]


def test_a_painter_needs_one_picture_to_choose(pez: Pez) -> None:
    code, stdout, stderr = pez("invert", "--text", "a", "--painter", "demo")
    assert code == 2 and not stdout and "by one picture, and there are 0" in stderr
    code, stdout, stderr = pez("invert", "a.png", "b.png", "--painter", "demo")
    assert code == 2 and not stdout and "by one picture, and there are 2" in stderr


def test_a_painter_chooses_among_the_candidates(pez: Pez, root: Path) -> None:
    """The same candidates in the order of their errors; the best is the result."""
    search = ("invert", str(root / "examples" / "watermelon.png"), "--preset", "fast", "--json")
    by_clip = json.loads(pez(*search)[1])
    chosen = json.loads(pez(*search, "--painter", "demo")[1])
    texts = [candidate["prompt"] for candidate in chosen["candidates"]]
    assert sorted(texts) == sorted(c["prompt"] for c in by_clip["candidates"])
    errors = [candidate["error"] for candidate in chosen["candidates"]]
    about = chosen["settings"]["painter"]
    assert about["pipeline"] == "demo" and about["rounds"] <= 8 and about["tied"] >= 1
    assert chosen["prompt"] == texts[0] and errors[0] == min(errors) < 1
    assert "error" not in by_clip["candidates"][0]
    code, out, err = pez(*search[:-1], "--painter", "demo")
    assert code == 0 and f"error {errors[0]:.3f}  {texts[0]}" in out.splitlines()[0]


def test_a_painter_edits_its_choice(pez: Pez, root: Path) -> None:
    """Each edit lowers the error; the words of the template stay, and the rest is CLIP's."""
    search = (
        "invert", str(root / "examples" / "watermelon.png"), "--preset", "fast", "--template",
        "a Drawing of {4}", "--painter", "demo", "--dtype", "float32",
    )  # fmt: skip
    chosen = json.loads(pez(*search, "--json")[1])
    code, out, err = pez(*search, "--painter-edits", "2", "--json")
    edited = json.loads(out)
    about = edited["settings"]["painter"]
    steps = about["edited"]["edits"]
    assert code == 0 and 1 <= len(steps) <= 2 and about["edited"]["passes"] > 0
    assert about["edited"]["reason"] in ("edits", "no better edit")
    assert about["edited"]["start"] == chosen["prompt"] != edited["prompt"] == steps[-1]["prompt"]
    assert edited["prompt"].startswith("a Drawing of ")
    best, *others = edited["candidates"]
    gained = sum(step["gain"] for step in steps)
    assert best["error"] == pytest.approx(chosen["candidates"][0]["error"] - gained)
    assert best["similarity"] == edited["similarity"]
    assert others[0] == chosen["candidates"][0] and len(others) + 1 == len(chosen["candidates"])
    assert err.count("edit: error 0.") == len(steps)
    assert f": {edited['prompt']}" in err


def test_edits_need_a_painter(pez: Pez, root: Path) -> None:
    picture = str(root / "examples" / "watermelon.png")
    code, out, err = pez("invert", picture, "--painter-edits", "2")
    assert code == 2 and not out and "--painter-edits needs --painter" in err
    code, out, err = pez("invert", picture, "--painter", "demo", "--painter-edits", "-1")
    assert code == 2 and not out and "--painter-edits must be at least 0, got -1" in err


def test_a_painter_does_not_choose_what_is_to_be_avoided() -> None:
    near = {"a": Nearness(0.9, 0.5)}
    kept = [Candidate(text, (1,), 0.5) for text in ("far", "right")]
    learned = LearnedPrompt(
        (Candidate("wrong", (1,), 0.9, guard=near), *kept), (), 1, 0.1, "steps", 0, "demo", {}
    )

    class Errors:
        levels = 2

        def errors(self, prompts: Sequence[str], noise: int) -> Tensor:
            assert "wrong" not in prompts
            return torch.tensor([[{"": 1.0, "far": 0.9, "right": 0.5}[p]] * 2 for p in prompts])

    found = chosen_by(Errors(), learned, {"pipeline": "x"})
    assert [c.text for c in found.candidates] == ["right", "far", "wrong"]
    assert [c.error for c in found.candidates] == [0.5, pytest.approx(0.9), None]
    only = replace(learned, candidates=learned.candidates[:1])
    assert chosen_by(Errors(), only, {}) is only


@pytest.mark.parametrize("words", [("paint", "a", "--out"), ("invert", "--text", "a", "--paint")])
def test_a_seed_that_no_noise_has(pez: Pez, tmp_path: Path, words: tuple[str, ...]) -> None:
    """It is refused before the search, not after it."""
    code, stdout, stderr = pez(*words, str(tmp_path / "a.png"), "--seed", str(2**63))
    assert (
        code == 2 and not stdout and "--seed must be at least 0 and below 2^63 to paint" in stderr
    )


def test_diffusers_is_asked_for_before_the_search(
    pez: Pez, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "diffusers", None)
    picture = str(root / "examples" / "pizza.png")
    code, stdout, stderr = pez("invert", picture, "--paint", str(tmp_path / "a.png"))
    assert code == 2 and not stdout and "needs diffusers and transformers: pip install" in stderr
