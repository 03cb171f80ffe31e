"""`pez distill`: a text or standard input made short, as lines and as JSON, and the curve."""

from __future__ import annotations

import io
import json
import re
import signal
from typing import Any

import pytest

from pez_core import ClipModel, StepInfo
from pez_core.applications.distillation import curve_lengths, text_targets
from pez_core.cli import searching
from tests.support.commands import Pez
from tests.support.oracle import DemoOracle

TEXT = "a blurry photo of a red watermelon slice on a green background"
QUICK = ["--steps", "3", "--restarts", "2", "--preset", "fast", "--dtype", "float32"]


def test_the_json_is_that_of_invert(pez: Pez, oracle: DemoOracle, demo: ClipModel) -> None:
    """Keys in their order, settings too; the similarity is that of the prompt's own encoding."""
    code, out, err = pez("distill", TEXT, "--tokens", "4", *QUICK, "--json")
    assert (code, err) == (0, "")
    result = json.loads(out)
    learned = json.loads(pez("invert", "--text", TEXT, "--tokens", "4", *QUICK, "--json")[1])
    assert list(result) == list(learned) and list(result["settings"]) == list(learned["settings"])
    assert result["settings"]["texts"] == [TEXT]
    # One part: the very search that invert makes.
    assert result["candidates"] == learned["candidates"]
    targets = text_targets(demo, TEXT)
    for candidate in result["candidates"]:
        expected = oracle.similarity(candidate["prompt"], targets)
        assert candidate["similarity"] == pytest.approx(expected, abs=1e-5)


def test_a_long_text_comes_from_standard_input(
    pez: Pez, monkeypatch: pytest.MonkeyPatch, demo: ClipModel, oracle: DemoOracle
) -> None:
    """Read to its end, without a warning that it is cut."""
    long = ", ".join([TEXT] * 8 + ["a penguin in the snow"] * 8)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f"{long}\n".encode())))
    code, out, err = pez("distill", "-", "--tokens", "3", *QUICK, "--json")
    result = json.loads(out)
    assert (code, err) == (0, "") and result["settings"]["texts"] == [long]
    targets = text_targets(demo, long)
    assert len(targets) > 2
    expected = oracle.similarity(result["prompt"], targets)
    assert result["similarity"] == pytest.approx(expected, abs=1e-5)


def test_the_curve_is_a_field_and_a_table(pez: Pez, demo: ClipModel) -> None:
    arguments = ("distill", TEXT, "--tokens", "2", *QUICK, "--curve")
    code, out, err = pez(*arguments, "--json")
    assert (code, err) == (0, "")
    result = json.loads(out)
    assert list(result)[-1] == "curve"
    own = len(demo.vocabulary.encode(TEXT))
    assert [point["tokens"] for point in result["curve"]] == curve_lengths(own)
    assert list(result["curve"][0]) == [
        "tokens", "ratio", "similarity", "prompt", "cut_similarity", "cut", "stopped",
        "escaped",
    ]  # fmt: skip
    code, out, _ = pez(*arguments)
    lines, table = (part.splitlines() for part in out.split("\n\n"))
    assert code == 0 and lines[0] == f"{result['similarity']:.4f}  {result['prompt']}"
    assert table[0].split() == ["tokens", "ratio", "similarity", "cut", "prompt"]
    for line, point in zip(table[1:], result["curve"], strict=True):
        number, ratio, similarity, cut, prompt = re.split(r"\s+", line.strip(), maxsplit=4)
        assert (int(number), prompt) == (point["tokens"], point["prompt"])
        assert ratio == f"{point['ratio']:.0%}" and similarity == f"{point['similarity']:.4f}"
        assert cut == f"{point['cut_similarity']:.4f}"


@pytest.mark.parametrize(
    ("steps", "stopped", "points"),
    [(1, "user", []), (5, "steps", ["user"]), (8, "steps", ["steps", "user"])],
)
def test_ctrl_c_ends_it_with_the_best_so_far(
    steps: int, stopped: str, points: list[str], pez: Pez, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the search or in the curve after it: exit code 130 and one valid object. The handler from
    before is back."""
    seen: list[StepInfo] = []

    def show(self: searching.Progress, info: StepInfo) -> None:
        seen.append(info)
        if len(seen) == steps:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(searching.Progress, "show", show)
    before = signal.getsignal(signal.SIGINT)
    code, out, _ = pez("distill", TEXT, "--tokens", "2", *QUICK, "--curve", "--json")
    result: dict[str, Any] = json.loads(out)
    assert code == 130 and len(seen) == steps
    assert result["stopped"] == stopped
    assert [point["stopped"] for point in result["curve"]] == points
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((" ",), "nothing to distill: give a text"),
        ((TEXT, "--tokens", "0"), "between 1 and 75, got 0"),
        ((TEXT, "--tokens", "13"), "13 tokens are no shorter than the text, which has 12"),
        (("cat", "--tokens", "1"), "which has 1: ask for fewer tokens or give a longer text"),
        ((), "the following arguments are required: TEXT"),
    ],
)
def test_wrong_use_is_reported(pez: Pez, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = pez("distill", *arguments)
    assert (code, out) == (2, "") and message in err and err.count("\n") == 1


def test_standard_input_that_is_not_text_is_reported(
    pez: Pez, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe"), encoding="utf-8"))
    code, _, err = pez("distill", "-")
    assert code == 2 and "standard input is not text" in err
