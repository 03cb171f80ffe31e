"""`pez invert`, `pez tokens` and `pez models`, called as functions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import pez_core
from pez_core import PRESETS, ClipModel, Targets
from pez_core.clip import image_tower
from pez_core.clip.model_names import PRESETS as MODELS
from tests.support.commands import Pez
from tests.support.oracle import DemoOracle

QUICK = ["--preset", "paper", "--steps", "5", "--restarts", "2"]


@pytest.fixture
def invert(pez: Pez) -> Callable[..., dict[str, Any]]:
    """Runs `pez invert … --json` with a short search; the object it prints."""

    def call(*arguments: str) -> dict[str, Any]:
        code, out, err = pez("invert", *arguments, *QUICK, "--json")
        assert (code, err) == (0, "")
        result: dict[str, Any] = json.loads(out)
        return result

    return call


@pytest.fixture
def picture(tmp_path: Path) -> str:
    path = tmp_path / "heart.png"
    image = Image.new("RGB", (64, 64), "white")
    image.paste("red", (16, 16, 48, 48))
    image.save(path)
    return str(path)


def test_the_json_has_the_published_shape(invert: Callable[..., Any], picture: str) -> None:
    """Schema 1: these keys, in this order, of these types."""
    result = invert(picture, "--seed", "7", "--candidates", "2")
    assert list(result) == [
        "schema", "prompt", "escaped", "similarity", "model", "seed", "steps", "seconds", "stopped",
        "candidates", "history", "settings",
    ]  # fmt: skip
    assert (result["schema"], result["model"], result["seed"]) == (1, "demo", 7)
    assert type(result["steps"]) is int and result["steps"] >= 5
    assert type(result["seconds"]) is float and result["stopped"] == "steps"
    best = result["candidates"][0]
    assert (best["prompt"], best["similarity"]) == (result["prompt"], result["similarity"])
    assert 1 <= len(result["candidates"]) <= 2
    for candidate in result["candidates"]:
        assert list(candidate) == ["prompt", "escaped", "similarity", "ids"]
        assert type(candidate["prompt"]) is str and type(candidate["similarity"]) is float
        assert len(candidate["ids"]) == 8 and {type(i) for i in candidate["ids"]} == {int}
    for entry in result["history"]:
        assert [type(value) for value in entry] == [int, float, float]
    assert result["settings"]["pictures"] == [picture]
    assert result["settings"]["steps"] == 5 and result["settings"]["template"] == "{8}"


def test_pictures_and_texts_are_weighed_as_asked(
    invert: Callable[..., Any],
    picture: str,
    tmp_path: Path,
    oracle: DemoOracle,
    demo: ClipModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The similarity is what open_clip gives for the files: pictures and texts count 1, negative
    pictures and texts -1; candidates are best first and all different. For all of it the image
    tower is read once."""
    other = tmp_path / "leaf.png"
    Image.new("RGB", (50, 80), "green").save(other)
    real, opened = image_tower.WeightsFile, list[Path]()
    monkeypatch.setattr(
        image_tower, "WeightsFile", lambda path: opened.append(Path(path)) or real(path)
    )
    demo.encode_pictures([Image.open(other)])
    once, opened[:] = opened[:], []
    assert once
    result = invert(
        picture, "--text", "a red heart", "--negative", "a smiling face", "--negative", str(other),
        "--candidates", "9",
    )  # fmt: skip
    assert opened == once
    features = torch.cat(
        [
            oracle.pictures([Image.open(picture), Image.open(other)]),
            oracle.texts(["a red heart", "a smiling face"]),
        ]
    )
    targets = Targets(features, torch.tensor([1.0, -1.0, 1.0, -1.0]), ("", "", "", ""))
    candidates = result["candidates"]
    for candidate in candidates:
        expected = oracle.similarity(candidate["prompt"], targets)
        assert candidate["similarity"] == pytest.approx(expected, abs=1e-5)
        assert candidate["ids"] == oracle.tokenizer.encode(candidate["prompt"])
    similarities = [candidate["similarity"] for candidate in candidates]
    assert similarities == sorted(similarities, reverse=True)
    assert len({candidate["prompt"] for candidate in candidates}) == len(candidates) == 2
    settings = result["settings"]
    assert (settings["texts"], settings["negatives"]) == (
        ["a red heart"], ["a smiling face", str(other)],
    )  # fmt: skip


def test_a_seed_decides_the_result(invert: Callable[..., Any]) -> None:
    """The same one gives the same prompts, another one others."""
    first, again, other = (invert("--text", "a red heart", "--seed", s) for s in ("1", "1", "2"))
    assert first["candidates"] == again["candidates"] != other["candidates"]


def test_template_tokens_and_words_are_kept_to(invert: Callable[..., Any], tmp_path: Path) -> None:
    """--template, --tokens, --allow, --ban and --vocabulary."""
    result = invert("--text", "a red heart", "--template", "a photo of {2}, by {1}")
    assert re.fullmatch(r"a photo of \S+ \S+ ?, by \S+", result["prompt"])
    assert len(invert("--text", "a red heart", "--tokens", "3")["candidates"][0]["ids"]) == 3
    bank = tmp_path / "bank.txt"
    bank.write_text("red heart\nblue\nhearts\nxylographer\n")
    allowed = invert("--text", "a red heart", "--allow", str(bank))
    assert set(allowed["prompt"].split()) <= {"red", "heart", "blue", "hearts"}
    banned = invert("--text", "a red heart", "--allow", str(bank), "--ban", "heart*,blue")
    assert banned["prompt"] == " ".join(["red"] * 8)
    assert sorted(banned["settings"]["banned_tokens"]) == ["blue", "heart", "hearts"]
    assert banned["settings"]["vocabulary_size"] == 1
    words = invert("--text", "a red heart", "--vocabulary", "words")
    assert re.fullmatch("[a-z ]+", words["prompt"])


def test_a_lower_precision_reports_exact_scores(
    invert: Callable[..., Any], oracle: DemoOracle
) -> None:
    """--dtype bfloat16 searches coarsely; what is printed is what float32 gives."""
    result = invert("--text", "a red heart", "--dtype", "bfloat16")
    targets = Targets(oracle.texts(["a red heart"]), torch.ones(1), ("",))
    for candidate in result["candidates"]:
        expected = oracle.similarity(candidate["prompt"], targets)
        assert candidate["similarity"] == pytest.approx(expected, abs=1e-5)


def test_without_json_a_line_is_a_prompt(pez: Pez) -> None:
    """Similarity and text on stdout, best first; how it went on stderr."""
    code, out, err = pez("invert", "--text", "a red heart", *QUICK)
    assert code == 0
    lines = out.splitlines()
    assert lines and all(re.fullmatch(r"-?[01]\.\d{4}  \S.*", line) for line in lines)
    numbers = [float(line.split()[0]) for line in lines]
    assert numbers == sorted(numbers, reverse=True)
    assert re.fullmatch(r"\d+ steps in .* stopped by steps; model demo, seed 0\n", err)


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_can_be_asked_for(preset: str, pez: Pez) -> None:
    """The run uses its settings, except for those that other options give."""
    code, out, _ = pez(
        "invert", "--text", "a", "--preset", preset, "--seconds", "0.000001", "--json",
        "--lr", "0.2", "--weight-decay", "0.01",
    )  # fmt: skip
    assert code == 0
    changed = {"seconds": 1e-6, "lr": 0.2, "weight_decay": 0.01}
    expected = {**PRESETS[preset].to_json(), **changed}
    result = json.loads(out)
    assert expected.items() <= result["settings"].items()
    assert result["stopped"] == "seconds"


def test_tokens_shows_how_a_text_is_read(pez: Pez) -> None:
    """Ids, pieces and the round trip, for people and as JSON."""
    code, out, err = pez("tokens", "xylographer DOG", "--json")
    assert (code, err) == (0, "")
    result = json.loads(out)
    assert (result["schema"], result["text"]) == (1, "xylographer DOG")
    assert "".join(t["text"] for t in result["tokens"]) == "xylographerdog"
    assert [t["ends_word"] for t in result["tokens"]][-2:] == [True, True]
    assert result["tokens"][0]["ends_word"] is False
    assert result["round_trips"] is True and result["fits"] is True
    assert result["decoded"] == "xylographer dog"
    code, out, _ = pez("tokens", "dog")
    assert code == 0 and re.search(r"1 +1929  dog\n\n1 of 75 tokens\ntokenises to itself\n$", out)


def test_tokens_says_what_clip_would_cut_off(pez: Pez) -> None:
    """More than 75 tokens do not fit."""
    code, out, _ = pez("tokens", "dog " * 76)
    assert code == 0 and "76 of 75 tokens; CLIP cuts off the rest" in out
    assert json.loads(pez("tokens", "dog " * 76, "--json")[1])["fits"] is False
    assert json.loads(pez("tokens", "dog " * 75, "--json")[1])["fits"] is True


def test_models_lists_every_preset(
    pez: Pez, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Name, source and use; and which was placed by hand."""
    monkeypatch.setenv("PEZ_MODELS", str(tmp_path))
    (tmp_path / "ViT-H-14-laion2b_s32b_b79k.safetensors").touch()
    code, out, err = pez("models")
    assert (code, err) == (0, "")
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    for name, preset in MODELS.items():
        assert preset.about in lines[name] and (preset.source or "embedded") in lines[name]
    assert "placed by hand" in lines["sd2"] and "placed by hand" not in lines["sd15"]
    assert "NAME:TAG" in out and "NAME:FILE" in out


@pytest.mark.parametrize("arguments", [["--help"], ["invert", "--help"], ["--version"]])
def test_help_and_version_are_not_errors(arguments: list[str], pez: Pez) -> None:
    """On stdout, with exit code 0."""
    code, out, err = pez(*arguments)
    assert (code, err) == (0, "")
    assert "pez" in out
    if arguments == ["--version"]:
        assert out == f"pez {pez_core.__version__}\n"
