"""What an evaluation reads and shows: captions, intervals, tables and the contact sheet."""

from __future__ import annotations

import errno
import itertools
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from PIL import Image, ImageFont, ImageOps

from pez_core.batch import results as results_module
from pez_core.batch.whole_file import whole_file
from pez_core.errors import ConfigError, ResultsError
from pez_core.evaluation.captions import join_captions, read_captions
from pez_core.evaluation.folder import EvaluationFolder
from pez_core.evaluation.intervals import mean_interval
from pez_core.evaluation.plan import Plan
from pez_core.evaluation.sheet import (
    CELL,
    Cell,
    cell_corner,
    draw_sheet,
    sheet_size,
)
from pez_core.evaluation.table import rows, to_csv, to_json, to_markdown
from pez_core.painter.text_lines import wrapped

pytest_plugins = ("tests.support.evaluation_fixtures",)


def result(picture: str, method: str, judge: float, **more: Any) -> dict[str, Any]:
    """A result as far as a table needs it."""
    return {
        "picture": picture,
        "method": method,
        "tokens": 2,
        "similarity": 0.5,
        "judge": judge,
    } | {**more}


def test_an_interval_is_that_of_every_resample() -> None:
    """Of three values there are 27 resamples, all as likely."""
    values = np.array([0.0, 0.3, 0.9])
    means = sorted(np.mean(draw) for draw in itertools.product(values, repeat=3))
    mean, low, high = mean_interval(values)
    assert mean == pytest.approx(0.4)
    # 1 of 27 resamples is all 0, 1 all 0.9: 3.7 % each, so 2.5 % cuts nothing off.
    assert (low, high) == pytest.approx((means[0], means[-1])) == (0.0, 0.9)
    # Of two values, a quarter is both the first: the same.
    assert mean_interval(np.array([1.0, 2.0])) == pytest.approx((1.5, 1.0, 2.0))
    # Of ones and noughts the mean is binomial: 40 of 100 has 2.5 % below 31 and above 50.
    shares = mean_interval(np.repeat([1.0, 0.0], [40, 60]))
    assert shares == pytest.approx((0.4, 0.31, 0.5), abs=0.011)
    assert mean_interval(np.full(7, 0.25)) == (0.25, 0.25, 0.25)
    assert mean_interval(values) == mean_interval(values)


def test_differences_are_of_pairs() -> None:
    """Each picture against itself: a method that is better by 0.1 on every picture has no doubt,
    however much the pictures differ; a picture without its pair is left out of it."""
    found = rows(
        ("a", "b", "c"),
        [
            result("x", "a", 0.2), result("y", "a", 0.6), result("y", "b", 0.7),
            result("x", "b", 0.3), result("z", "b", 0.9, tokens=5),
            {"picture": "z", "method": "a", "error": "?"}, result("x", "old", 0.1),
        ],
    )  # fmt: skip
    first, second, third = found
    assert (first.pictures, first.errors, first.difference, first.pairs) == (2, 1, None, 2)
    assert first.judge == pytest.approx((0.4, 0.2, 0.6))
    assert second.judge is not None and second.judge[0] == pytest.approx(1.9 / 3)
    assert second.difference == pytest.approx((0.1, 0.1, 0.1))
    assert (second.pictures, second.pairs, second.tokens) == (3, 2, 3.0)
    assert (third.pictures, third.judge, third.difference) == (0, None, None)


def test_the_tables_say_the_same(plan: Plan) -> None:
    """Markdown to be read, CSV and JSON to be computed with."""
    found = rows(plan.methods, [result("x", "pez", 0.25), result("x", "human", 0.5)])
    markdown = to_markdown(plan, found).splitlines()
    assert markdown[2].startswith("| pez | 1 | 2.0 | 0.5000 (0.5000 to 0.5000) | 0.2500 (")
    assert markdown[3].endswith("| +0.2500 (+0.2500 to +0.2500) |")
    assert f"judge {plan.judge}" in markdown[-1] and "guidance 9, 2 steps, 2 image" in markdown[-1]
    header, pez, human = to_csv(found).splitlines()
    assert header.startswith("method,pictures,errors,tokens,similarity,similarity_low")
    assert pez == "pez,1,0,2.0,0.5,0.5,0.5,0.25,0.25,0.25,,,,1"
    assert human.endswith(",0.25,0.25,0.25,1")
    described = json.loads(json.dumps(to_json(plan, found)))
    assert described["rows"][1]["difference"] == [0.25, 0.25, 0.25]
    assert described["methods"]["pez"]["optimizer"] == "pez"
    assert described["settings"]["guidance"] == 9.0 and described["settings"]["judge"] == plan.judge


def test_captions_of_both_kinds(tmp_path: Path) -> None:
    """JSON lines and CSV with the same columns; the file's name where no method is named."""
    lines, table = tmp_path / "vlm.jsonl", tmp_path / "other.csv"
    lines.write_text(
        '{"picture": "a.png", "prompt": "a cat,\\n on  a mat"}\n\n'
        '{"picture": "b.png", "error": "unreadable"}\n'
        '{"picture": "b/c.png", "method": "ci", "prompt": "x\u2028y", "similarity": 0.1}\n'
    )
    table.write_text('\ufeffprompt,picture\n"a ""cat"", sitting",a.png\n', encoding="utf-8")
    assert read_captions(lines) == {
        "vlm": {"a.png": "a cat, on a mat"},
        "ci": {"b/c.png": "x y"},
    }
    joined = join_captions([lines, table])
    assert list(joined) == ["vlm", "ci", "other"]
    assert joined["other"] == {"a.png": 'a "cat", sitting'}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.jsonl", None, "cannot read the captions .*none.jsonl"),
        ("a.jsonl", "", "a.jsonl hold no prompt"),
        ("a.jsonl", "a cat\n", "a.jsonl, line 1, is not JSON"),
        ("a.jsonl", '{"picture": "a"}\n', 'line 1: needs "picture"'),
        ("a.jsonl", "[1]\n", 'line 1: needs "picture"'),
        ("a.jsonl", '{"picture": "a", "prompt": 3}', 'line 1: needs "picture"'),
        ("a.jsonl", "[" * 200_000, "line 1, is nested too deeply"),
        ("a.csv", f"picture,prompt\na,{'x' * 140_000}\n", "line 2, is not CSV: field larger"),
        ("a.csv", "picture,text\na,b\n", 'line 2: needs "picture"'),
        ("a.csv", "picture,method,prompt\na,../b,c\n", "line 2: the method '../b' cannot name a"),
        ("a.csv", "picture,prompt\na,b\na,c\n", "line 3: a already has another prompt for a"),
    ],
)
def test_captions_that_cannot_be_used(
    tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    """The line is named."""
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=message):
        read_captions(path)


def test_two_methods_need_two_names(plan: Plan, tmp_path: Path) -> None:
    """Also where a file system takes capitals for small letters; and one there has to be."""
    with pytest.raises(ConfigError, match="'pez' names two methods"):
        Plan(plan.pictures, plan.job, ("pez",), {"PEZ": {"a": "b"}})
    with pytest.raises(ConfigError, match="nothing to evaluate: name an optimizer"):
        Plan(plan.pictures, plan.job, ())
    path = tmp_path / "c.jsonl"
    path.write_text('{"picture": "a", "prompt": "b"}')
    with pytest.raises(ConfigError, match="has the method 'c' of an earlier file"):
        join_captions([path, path])


def test_a_method_that_cannot_name_a_file_is_refused(plan: Plan) -> None:
    """Before any file is made: every file system has names of 200 characters."""
    name = f"pez,lr=0.{'0' * 200}1"
    with pytest.raises(ConfigError, match="more than 200 characters: leave out some settings"):
        Plan(plan.pictures, plan.job, (name,))


def test_a_file_that_cannot_be_written_leaves_nothing(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk: no torn file, and the reason."""

    @contextmanager
    def on_full_disk(path: Path) -> Iterator[BinaryIO]:
        with whole_file(path) as file:
            yield file
            raise OSError(errno.ENOSPC, "No space left on device")

    with EvaluationFolder(tmp_path / "out", plan) as folder:
        before = sorted(folder.path.rglob("*"))
        with (
            monkeypatch.context() as patch,
            pytest.raises(ResultsError, match="a.png: No space left.*; free some space, or"),
        ):
            patch.setattr(results_module, "whole_file", on_full_disk)
            folder.save(b"half of a picture", folder.path / "a.png")
        with pytest.raises(ResultsError, match="File name too long; give a shorter name"):
            folder.write("a" * 5000, "text")
        assert sorted(folder.path.rglob("*")) == before
        assert folder.write("table.md", "ü\n").read_bytes() == "ü\n".encode()


def test_several_writers_of_one_file(tmp_path: Path) -> None:
    """One of them wins; nothing of the others is in it, or left."""
    path = tmp_path / "a.png"

    def write(number: int) -> None:
        with whole_file(path) as file:
            for _ in range(50):
                file.write(bytes([number]) * 1000)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(64)))
    assert set(path.read_bytes()) == {path.read_bytes()[0]} and path.stat().st_size == 50_000
    assert [*tmp_path.iterdir()] == [path]


def test_what_a_kill_left_goes_and_a_link_is_not_followed(tmp_path: Path) -> None:
    path, victim = tmp_path / "a.png", tmp_path / "victim"
    victim.write_text("mine")
    with whole_file(path) as file:
        (part,) = tmp_path.glob(".pez-*.part")
        file.write(b"1")
    part.symlink_to(victim)
    os.utime(part, (0, 0), follow_symlinks=False)
    others = [part.with_name(part.name.replace(f"-{os.getpid()}-", f"-{n}-")) for n in (1, 2**22)]
    for other in others:  # of a process that runs, and of one that does not
        other.write_bytes(b"3")
    with whole_file(path) as file:
        file.write(b"2")
    assert path.read_bytes() == b"2" and victim.read_text() == "mine"
    if os.name == "posix":
        assert [other.exists() for other in others] == [True, False]
    for other in others:
        other.unlink(missing_ok=True)
    assert sorted(tmp_path.iterdir()) == [path, victim]


def test_the_sheet_shows_the_pictures(tmp_path: Path) -> None:
    """Whole, each in its cell, at the size of rows and columns; a cell without one is pale."""
    wide = Image.radial_gradient("L").convert("RGB").resize((300, 100))
    wide.save(tmp_path / "wide.png")
    path = tmp_path / "wide.png"
    grid = [[Cell(path, "wide.png", ""), Cell(None, "error", "no picture")]] * 3
    sheet = draw_sheet(["original", "pez"], grid)
    assert sheet.size == sheet_size(3, 2)
    for number in range(3):
        left, top = cell_corner(number, 0)
        shown = sheet.crop((left, top, left + CELL, top + CELL))
        assert shown.tobytes() == ImageOps.pad(wide, (CELL, CELL), color="white").tobytes()
        left, top = cell_corner(number, 1)
        assert sheet.crop((left, top, left + CELL, top + CELL)).getcolors() == [
            (CELL * CELL, (232, 232, 232))
        ]
        below = sheet.crop((left, top + CELL + 1, left + CELL, top + CELL + 20))
        assert min(below.convert("L").getextrema()) < 140  # ink


def test_text_is_wrapped_to_the_cell() -> None:
    """No line is wider, no word is lost but at the end, where … says so."""
    font = ImageFont.load_default(12)
    text = " ".join(f"word{number}" for number in range(40))
    lines = wrapped(text, font, 99, CELL)
    assert " ".join(lines) == text and all(font.getlength(line) <= CELL for line in lines)
    cut = wrapped(text, font, 3, CELL)
    assert len(cut) == 3 and cut[:2] == lines[:2] and cut[2].endswith("…")
    assert cut[2][:-1].strip() and lines[2].startswith(cut[2][:-1].strip()[:20])
    long = wrapped("x" * 500 + " end", font, 5, CELL)
    assert all(font.getlength(line) <= CELL for line in long) and long[0].endswith("…")
    assert wrapped("", font, 2, CELL) == [""]
