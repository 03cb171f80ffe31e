"""A small folder of pictures, and what its results have to be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image

QUICK = ["--steps", "3", "--restarts", "2", "--tokens", "2"]
COLOURS = ("red", "green", "blue", "orange", "purple", "black", "gold", "pink", "navy", "teal")


def make_pictures(folder: Path, count: int) -> list[str]:
    """So many different pictures, every other one in a folder below; their names."""
    names = []
    for index in range(count):
        image = Image.new("RGB", (48, 40), "white")
        image.paste(COLOURS[index % len(COLOURS)], (8, 8, 20 + index, 30))
        name = f"{index}.png" if index % 2 else f"below/{index}.png"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        image.save(folder / name)
        names.append(name)
    return sorted(names)


def lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a results file, which has to end with a whole line."""
    text = path.read_text(encoding="ascii")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def timeless(record: dict[str, Any]) -> dict[str, Any]:
    """A record without what may differ between two runs: its seconds."""
    rest = {k: v for k, v in record.items() if k != "seconds"}
    if "history" in rest:
        rest["history"] = [[step, similarity] for step, _, similarity in rest["history"]]
    return rest


def by_name(records: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Timeless records by picture, each of which has to be there once."""
    found = {record["picture"]: timeless(record) for record in records}
    assert len(found) == len(records)
    return found
