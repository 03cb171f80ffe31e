"""docs/applications.md: its outputs are the script's, its tables those of the saved figures, and
its similarities those of its texts."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from benchmarks import measure
from benchmarks.applied.applications import APPLICATIONS, PAGE, length_blocks, with_blocks
from pez_core import Targets, make_targets, open_picture
from tests.support.oracle import DemoOracle


@pytest.fixture(scope="module")
def saved() -> dict[str, Any]:
    return measure.saved("applications")


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_the_page_holds_the_blocks_that_were_saved(saved: dict[str, Any], page: str) -> None:
    """All of them, and none that is empty: to write them once more changes nothing."""
    names = {f"{name} {kind}" for name in APPLICATIONS for kind in ("example", "figures")}
    assert set(saved["blocks"]) == names and all(saved["blocks"].values())
    assert saved["machine"].keys() == saved["figures"].keys() == APPLICATIONS.keys()
    assert with_blocks(page, {**saved["blocks"], **length_blocks()}) == page


@pytest.mark.parametrize("name", APPLICATIONS)
def test_a_table_is_that_of_its_figures(name: str, saved: dict[str, Any]) -> None:
    lines = APPLICATIONS[name].table(saved["figures"][name])
    assert "\n".join(lines) == saved["blocks"][f"{name} figures"]
    assert len({line.count("|") for line in lines}) == 1


@pytest.mark.parametrize("name", APPLICATIONS)
def test_the_commands_shown_are_those_of_the_script(name: str, saved: dict[str, Any]) -> None:
    shown = re.findall(r"^\$ pez (.*)$", saved["blocks"][f"{name} example"], re.MULTILINE)
    assert [tuple(shlex.split(line)) for line in shown] == list(APPLICATIONS[name].EXAMPLES)


def printed(block: str, number: int) -> list[str]:
    """The lines below a command of an example."""
    return block.split("$ pez ")[number + 1].strip("`\n").splitlines()[1:]


def scored(lines: list[str]) -> list[tuple[float, str]]:
    """The lines that are a similarity and a text."""
    found = [re.fullmatch(r"(-?\d\.\d{4})  (.+)", line) for line in lines]
    return [(float(match[1]), match[2]) for match in found if match]


def pictures(oracle: DemoOracle, root: Path, names: list[str], weights: list[float]) -> Targets:
    return make_targets(oracle.pictures([open_picture(root / name) for name in names]), weights)


def assert_true(lines: list[str], targets: Targets, oracle: DemoOracle) -> None:
    assert scored(lines)
    for similarity, text in scored(lines):
        assert similarity == pytest.approx(oracle.similarity(text, targets), abs=2e-4), text


def test_the_similarities_of_pictures_are_true(
    saved: dict[str, Any], oracle: DemoOracle, root: Path
) -> None:
    """By open_clip, of the very texts on the page: styles, mixes and negative prompts."""
    blocks = saved["blocks"]
    for name in ("style", "mixing", "negative"):
        for number, command in enumerate(APPLICATIONS[name].EXAMPLES):
            files, weights = list[str](), list[float]()
            for before, word in zip(command, command[1:], strict=False):
                file, _, weight = word.partition("@")
                if file.endswith(".png"):
                    files.append(file)
                    weights.append(-1.0 if before == "--negative" else float(weight or 1))
            targets = pictures(oracle, root, files, weights)
            assert_true(printed(blocks[f"{name} example"], number), targets, oracle)


def test_the_similarities_of_the_curve_are_true(saved: dict[str, Any], oracle: DemoOracle) -> None:
    distilling = APPLICATIONS["distillation"]
    lines = printed(saved["blocks"]["distillation example"], 0)
    text = distilling.TEXT
    targets = make_targets(oracle.texts([text]))
    assert_true(lines, targets, oracle)
    start = lines.index("tokens  ratio  similarity     cut  prompt")
    ids = oracle.tokenizer.encode(text)
    for line in lines[start + 1 :]:
        tokens, ratio, similarity, cut, prompt = line.split(maxsplit=4)
        assert ratio == f"{int(tokens) / len(ids):.0%}"
        assert float(similarity) == pytest.approx(oracle.similarity(prompt, targets), abs=2e-4)
        plain = oracle.tokenizer.decode(ids[: int(tokens)])
        assert float(cut) == pytest.approx(oracle.similarity(plain, targets), abs=2e-4)


def test_markers_that_are_missing_are_reported() -> None:
    page = "a\n<!-- x -->\nold\n<!-- end of x -->\nb\n"
    assert with_blocks(page, {"x": r"\1 new"}) == page.replace("old", r"\1 new")
    for broken in ("", page + page):
        with pytest.raises(ValueError, match="not one pair of markers for 'x'"):
            with_blocks(broken, {"x": "new"})
