"""`pez invert-folder`, called as a function."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

from pez_core.batch.results import ResultsFile
from tests.support.commands import Pez
from tests.support.many_pictures import QUICK, by_name, lines, make_pictures, timeless

Folder = tuple[Path, list[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder of four pictures, and their names."""
    return tmp_path / "pictures", make_pictures(tmp_path / "pictures", 4)


def test_a_line_is_what_invert_prints(pez: Pez, folder: Folder, tmp_path: Path) -> None:
    """After "picture"; the only other difference is how the picture is named."""
    where, names = folder
    options = [*QUICK, "--seed", "3", "--ban", "heart*", "--candidates", "2"]
    code, out, err = pez("invert-folder", str(where), "--out", str(tmp_path / "r"), *options)
    assert (code, out) == (0, "")
    assert re.fullmatch(
        r"pez: 4 of 4 pictures to do, 0 other files left out\n"
        r"pez: 4 pictures in [\d.]+ s \([\d.e+]+/s\), 0 errors\n", err
    ), err  # fmt: skip
    records = lines(tmp_path / "r")
    assert sorted(record["picture"] for record in records) == names
    for record in records:
        _, out, _ = pez("invert", str(where / record["picture"]), "--json", *options)
        alone = json.loads(out)
        alone["settings"]["pictures"] = [record["picture"]]
        assert list(record) == ["picture", *alone]
        assert timeless(record) == timeless({"picture": record["picture"], **alone})


def test_a_second_run_does_what_is_new(pez: Pez, folder: Folder, tmp_path: Path) -> None:
    """Pictures with a line are left alone, however the folder is called; lines are never moved."""
    where, names = folder
    command = ["invert-folder", str(where), "--out", str(tmp_path / "r"), *QUICK]
    assert pez(*command)[0] == 0
    before = (tmp_path / "r").read_bytes()
    code, out, err = pez(*command)
    assert (code, out, err) == (0, "", "pez: 0 of 4 pictures to do, 0 other files left out\n")
    assert (tmp_path / "r").read_bytes() == before
    shutil.copy(where / names[0], where / "new.png")
    where = where.rename(tmp_path / "moved")
    code, _, err = pez("invert-folder", str(where), *command[2:])
    assert code == 0 and err.startswith("pez: 1 of 5 pictures to do")
    after = (tmp_path / "r").read_bytes()
    assert after.startswith(before) and len(by_name(lines(tmp_path / "r"))) == 5


def test_errors_are_kept_and_retried_when_asked(pez: Pez, folder: Folder, tmp_path: Path) -> None:
    """Exit code 1 for as long as a picture has an error; its last line counts."""
    where, names = folder
    (where / "bad.png").write_text("no picture")
    command = ["invert-folder", str(where), "--out", str(tmp_path / "r"), *QUICK]
    code, _, err = pez(*command)
    told = f"pez: 1 error in {tmp_path / 'r'}: --retry-errors tries again\n"
    assert code == 1 and ", 1 error\n" in err and err.endswith(told)
    code, _, err = pez(*command)
    assert code == 1 and err.startswith("pez: 0 of 5 pictures to do") and err.endswith(told)
    Image.new("RGB", (30, 30), "red").save(where / "bad.png")
    assert pez(*command)[0] == 1
    code, _, err = pez(*command, "--retry-errors")
    assert code == 0 and err.startswith("pez: 1 of 5 pictures to do")
    records = lines(tmp_path / "r")
    bad = [record for record in records if record["picture"] == "bad.png"]
    assert ["error" in record for record in bad] == [True, False] and len(records) == 6
    assert pez(*command)[0] == 0


def test_other_options_are_refused_unless_forced(pez: Pez, folder: Folder, tmp_path: Path) -> None:
    """Named in one line, whatever they are; how many at once and on what device is free."""
    where, names = folder
    (where / names[0]).rename(tmp_path / "later.png")
    bank = tmp_path / "bank.txt"
    bank.write_text("red heart blue")
    command = ["invert-folder", str(where), "--out", str(tmp_path / "r"), *QUICK]
    allowed = ["--allow", str(bank)]
    assert pez(*command, *allowed)[0] == 0
    before = (tmp_path / "r").read_bytes()
    (tmp_path / "later.png").rename(where / names[0])
    for options, message in (
        ([*allowed, "--seed", "1"], "seed 0, now 1"),
        ([*allowed, "--lr", "0.2"], "lr 0.1, now 0.2"),
        ([*allowed, "--seconds", "9"], "seconds null, now 9.0"),
        ([*allowed, "--dtype", "bfloat16"], 'dtype "auto", now "bfloat16"'),
        ([*allowed, "--ban", "blue"], "vocabulary_size 3, now 2"),
        ([], "vocabulary_size 3, now"),
    ):
        code, out, err = pez(*command, *options)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert message in err and "--force" in err
    bank.write_text("red heart leaf")  # as many words, others
    assert "vocabulary_digest" in pez(*command, *allowed)[2]
    assert (tmp_path / "r").read_bytes() == before
    assert pez(*command, *allowed, "--force")[0] == 0
    assert len(by_name(lines(tmp_path / "r"))) == 4
    assert (tmp_path / "r").read_bytes().startswith(before)


def test_how_many_at_once_changes_nothing(pez: Pez, folder: Folder, tmp_path: Path) -> None:
    """Not even for a file that was begun with another number."""
    where, names = folder
    for name, number in (("one", "1"), ("three", "3")):
        out = str(tmp_path / name)
        assert pez("invert-folder", str(where), "--out", out, *QUICK, "--at-once", number)[0] == 0
    assert by_name(lines(tmp_path / "one")) == by_name(lines(tmp_path / "three"))


def test_what_cannot_be_done_is_one_line(
    pez: Pez, folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2; a file of results is not made where there is nothing to do."""
    where = str(folder[0])
    monkeypatch.setitem(sys.modules, "ray", None)  # as if it was not installed
    (tmp_path / "empty").mkdir()
    r = str(tmp_path / "r")
    for arguments, message in (
        ([where], "nothing to write: give --out FILE, --txt, or both"),
        (["none", "--out", r], "none: no such folder"),
        ([str(tmp_path / "empty"), "--out", r], "empty holds no picture"),
        ([where, "--out", r, "--model", "sd99"], "unknown model 'sd99'"),
        ([where, "--out", r, "--at-once", "0"], "--at-once must be .* at least 1, got 0"),
        ([where, "--out", r, "--workers", "2"], "--workers works only with --ray"),
        ([where, "--out", r, "--tokens", "0"], "tokens must be between 1 and 75"),
        ([where, "--out", where], "pictures is not a file"),
        ([where, "--out", str(Path(where, "1.png"))], "holds something other than results"),
        ([where, "--out", r, "--template", "no slot"], "has no slot"),
        ([where, "--out", r, "--ray"], "needs Ray.*pip install ray"),
    ):
        code, out, err = pez("invert-folder", *arguments)
        assert (code, out) == (2, ""), message
        last = err.splitlines()[-1]
        assert re.search(message, last) and last.startswith("pez"), last
    assert not (tmp_path / "r").exists() or (tmp_path / "r").read_bytes() == b""


def test_a_file_in_use_is_refused(pez: Pez, folder: Folder, tmp_path: Path) -> None:
    """While another process writes it."""
    with ResultsFile(tmp_path / "r"):
        code, _, err = pez("invert-folder", str(folder[0]), "--out", str(tmp_path / "r"), *QUICK)
    assert code == 2 and "is being written by another process" in err and err.count("\n") == 1


def test_the_help_says_what_a_script_needs(pez: Pez) -> None:
    """Exit codes, the two kinds of lines, and how to go on."""
    code, out, _ = pez("invert-folder", "--help")
    assert code == 0 and out.startswith("usage: pez invert-folder DIR (--out FILE | --txt) ")
    for needed in ("exit codes", '"error": text', "--retry-errors", "--ray", "--seed", "kill"):
        assert needed in out
