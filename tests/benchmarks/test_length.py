"""benchmarks/quality/length.py and length_steps.py: the positions that are stretched, the
differences that are reported, and a run that goes on from its parts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.quality import length, length_steps
from pez_core import load_model
from pez_core.clip.text_tower import TextTower


@pytest.fixture(scope="module")
def positions() -> torch.Tensor:
    tower = load_model("demo").tower
    assert isinstance(tower, TextTower)
    return tower.positional_embedding


def test_positions_after_the_longest_caption_are_as_they_were_drawn(
    positions: torch.Tensor,
) -> None:
    """open_clip draws them with a deviation of 0.01; those that were trained are longer."""
    norms, drawn = positions.norm(dim=1), 0.01 * positions.shape[1] ** 0.5
    assert norms[: length_steps.TRAINED].min() > 1.5 * drawn
    assert norms[length_steps.TRAINED :].max() < 1.3 * drawn


def test_stretched_positions_are_the_trained_ones(positions: torch.Tensor) -> None:
    trained = length_steps.TRAINED
    same = length_steps.stretched(positions, trained - 2)
    assert torch.allclose(same, positions, atol=1e-6)  # a prompt that fits is not stretched
    long = length_steps.stretched(positions, 36)  # twice as many: every other row is a trained one
    assert torch.allclose(long[1:38:2], positions[1:trained], atol=1e-5)
    assert torch.equal(long[38:], positions[38:]) and torch.equal(long[0], positions[0])
    middle = (positions[1:19] + positions[2:20]) / 2
    assert torch.allclose(long[2:37:2], middle, atol=1e-5)


def test_rows_tell_differences_to_the_base_of_the_same_picture() -> None:
    base = np.array([0.1, 0.5, 0.9])
    values = {
        2: dict.fromkeys(length.MEASURES, base - 0.25),
        length.BASE: dict.fromkeys(length.MEASURES, base),
    }
    few, eight = length.rows_of(values)
    assert few["own less 8"] == pytest.approx((-0.25, -0.25, -0.25))
    assert few["own"][0] == pytest.approx(0.25) and few["own"][1] < 0.25 < few["own"][2]
    _, _, first, second = length.summary([few, eight])
    assert first.count("**-0.25") == 3 and "**" not in second
    assert second.startswith("| 8 | 0.5000 |  | 0.500 |  | 0.50 |  |")


def test_parts_that_are_known_are_not_run_again(tmp_path: Path) -> None:
    """A preset that does not exist could not be run."""
    parts = tmp_path / "parts.jsonl"
    known = {"none 8 0 8": [["a dog", 0.5]] * 8, "none 8 8 9": [["a cat", 0.25]]}
    parts.write_text("".join(json.dumps(part) + "\n" for part in known.items()), encoding="utf-8")
    found = length.run_all([8], "none", 9, 1, parts)
    assert found == {8: [["a dog", 0.5]] * 8 + [["a cat", 0.25]]}
    assert len(parts.read_text(encoding="utf-8").splitlines()) == 2
