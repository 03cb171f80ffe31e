"""The record of each of many pictures: what it holds, and that it depends on its picture alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pez_core import PRESETS, learn_prompt, make_mask
from pez_core.batch import inverter as batch_module
from pez_core.batch.inverter import AHEAD, Inverter, Job
from pez_core.batch.results import decisive
from pez_core.clip.models import ClipModel
from pez_core.errors import ConfigError, ModelError, TemplateError
from pez_core.pictures import decode_picture, open_picture, read_picture
from pez_core.targets import Targets, make_targets
from pez_core.text.vocabulary import Vocabulary
from tests.support.many_pictures import by_name, make_pictures, timeless

Opener = Callable[[], Image.Image]
SHORT = PRESETS["default"].replace(steps=3, restarts=2)


@pytest.fixture(scope="module")
def job(vocabulary: Vocabulary) -> Job:
    mask = make_mask(vocabulary)
    return Job("demo", "{2}", SHORT, mask, seed=5, dtype="float32", settings={"bank": "b"})


@pytest.fixture(scope="module")
def inverter(job: Job) -> Inverter:
    return Inverter(job)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, Opener]]:
    """Names and openers of six pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    return [(name, partial(open_picture, folder / name)) for name in make_pictures(folder, 6)]


def test_a_record_is_what_learn_prompt_gives(
    inverter: Inverter, pictures: list[tuple[str, Opener]], demo: ClipModel, job: Job
) -> None:
    """The object of the picture searched alone, under its name; seeds, texts and scores alike."""
    records = by_name(list(inverter.records(pictures)))
    assert list(records) == [name for name, _ in pictures]
    for name, load in pictures:
        targets = make_targets(demo.encode_pictures([load()]))
        asked: dict[str, Any] = {"pictures": [name], "texts": [], "negatives": []}
        asked |= {"bank": "b", "device": "cpu", "precision": "float32"}
        alone = learn_prompt(
            demo, targets, "{2}", config=SHORT, mask=job.mask, seed=5, settings=asked
        )
        assert records[name] == timeless({"picture": name, **alone.to_json()})


def test_neither_order_nor_company_matters(
    inverter: Inverter, pictures: list[tuple[str, Opener]]
) -> None:
    """Backwards, alone, with broken pictures between them, two at once: the same records."""
    expected = by_name(list(inverter.records(pictures)))
    assert len({tuple(r["candidates"][0]["ids"]) for r in expected.values()}) > 1
    assert by_name(list(inverter.records(pictures[::-1]))) == expected
    alone = [record for picture in pictures for record in inverter.records([picture])]
    assert by_name(alone) == expected
    broken = [("none.png", partial(open_picture, "none.png"))]
    mixed = [*broken, *pictures[:3], *broken, *pictures[3:]]
    found = [r for r in inverter.records(mixed, concurrency=2) if "error" not in r]
    assert by_name(found) == expected


def test_what_is_asked_once_decides_every_record(
    job: Job, inverter: Inverter, pictures: list[tuple[str, Opener]]
) -> None:
    """A job foretells what its records say of it, so that a file can be compared beforehand."""
    for record in inverter.records(pictures[:2]):
        assert decisive(record) == job.decisive()


def test_pictures_that_cannot_be_used_are_recorded(inverter: Inverter, tmp_path: Path) -> None:
    """One error each, with the words of `open_picture`, and the good one among them is found."""
    good = Image.new("RGB", (40, 40), "red")
    good.save(tmp_path / "good.png")
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "folder.png").mkdir()
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    noise.save(tmp_path / "whole.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:900])
    Image.new("1", (20_000, 20_000)).save(tmp_path / "large.png")
    Image.fromarray(np.full((8, 8), np.nan, dtype=np.float32)).save(tmp_path / "nan.tiff")
    expected = {
        "text.png": "not a picture that Pillow can read", "empty.jpg": "not a picture",
        "folder.png": "a folder, not a picture", "cut.jpg": "damaged or cannot be decoded",
        "large.png": "make it smaller first", "nan.tiff": "not finite numbers",
        "none.png": "no such picture",
    }  # fmt: skip
    names = [*list(expected)[:4], "good.png", *list(expected)[4:]]
    opened = [(name, partial(open_picture, tmp_path / name)) for name in names]
    records = {record["picture"]: record for record in inverter.records(opened)}
    assert sorted(records) == sorted(names)
    assert records.pop("good.png")["prompt"]
    for name, message in expected.items():
        assert list(records[name]) == ["picture", "error"]
        assert message in records[name]["error"] and str(tmp_path / name) in records[name]["error"]


def test_a_file_sent_elsewhere_is_the_same_picture(tmp_path: Path) -> None:
    """Read and decoded apart: the same pixels, and the same words when it is damaged."""
    Image.new("RGB", (40, 30), "red").save(tmp_path / "a.webp")
    (tmp_path / "text.png").write_text("no picture")
    path = tmp_path / "a.webp"
    assert decode_picture(read_picture(path), "a").tobytes() == open_picture(path).tobytes()
    for name in ("text.png", "none.png", "."):
        told = []
        for load in (
            lambda path: open_picture(path),
            lambda path: decode_picture(read_picture(path), str(path)),
        ):
            with pytest.raises(Exception, match="picture") as error:
                load(tmp_path / name)
            told.append(str(error.value))
        assert told[0] == told[1]


def test_the_tower_is_loaded_once_and_pictures_are_opened_in_time(
    job: Job, pictures: list[tuple[str, Opener]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many pictures there are, few are decoded before their turn."""
    loaded, opened = [], []
    load = batch_module.load_image_tower
    monkeypatch.setattr(batch_module, "load_image_tower", lambda *a: loaded.append(a) or load(*a))

    def noting(name: str, opener: Opener) -> Image.Image:
        opened.append(name)
        return opener()

    watched = [(f"{i} {n}", partial(noting, n, o)) for i in range(3) for n, o in pictures]
    done = 0
    for _ in Inverter(job).records(watched, concurrency=2):
        assert len(opened) <= done + 2 + AHEAD + 1, done  # in search, waiting, being decoded
        done += 1
    assert done == len(opened) == len(watched) == 18
    assert len(loaded) == 1


@pytest.mark.parametrize("bad", [{0}, {2}, {5}, {1, 2}, {0, 1, 2, 3, 4, 5}])
def test_a_picture_without_a_prompt_is_recorded_alone(
    inverter: Inverter,
    pictures: list[tuple[str, Opener]],
    bad: set[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A search that fails takes no other picture with it, though it ends all that run with it."""
    names = {pictures[i][0] for i in bad}
    real = Inverter.targets_of

    def without_numbers(inverter: Inverter, name: str, image: Image.Image) -> Targets:
        targets = real(inverter, name, image)
        return replace(targets, features=targets.features * np.nan) if name in names else targets

    expected = by_name(list(inverter.records(pictures)))
    monkeypatch.setattr(Inverter, "targets_of", without_numbers)
    records = by_name(list(inverter.records(pictures)))
    assert records.keys() == expected.keys()
    for name in expected:
        if name in names:
            assert records[name].keys() == {"picture", "error"}
            assert "no prompt was found" in records[name]["error"]
        else:
            assert records[name]["prompt"] == expected[name]["prompt"]


def test_what_concerns_all_pictures_ends_the_run(
    job: Job, pictures: list[tuple[str, Opener]], tmp_path: Path
) -> None:
    """A bad template, seed, device or model does not concern one picture only, so it is raised."""
    for change, kind in (
        ({"template": "no slot"}, TemplateError),
        ({"seed": -1}, ConfigError),
        ({"device": "abacus"}, ConfigError),
        ({"model": "sd99"}, ModelError),
    ):
        with pytest.raises(kind):
            list(Inverter(Job(**{**vars(job), **change})).records(pictures))
