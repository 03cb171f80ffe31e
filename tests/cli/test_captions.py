"""`pez invert-folder --txt`: a caption file for each picture."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.support.commands import Pez
from tests.support.many_pictures import QUICK, by_name, lines, make_pictures
from tests.support.processes import Moment, ended, start

Folder = tuple[Path, list[str]]
LINES = "prompts.jsonl"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder of four pictures, two of them in a folder below, and their names."""
    return tmp_path / "pictures", make_pictures(tmp_path / "pictures", 4)


def captions(folder: Path) -> dict[str, bytes]:
    """Every file of a folder that is neither a picture nor a results file, by its name."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in files
        if path.suffix not in (".png", ".jpg", ".jsonl")
    }


def expected(results: Path, around: str = "{}") -> dict[str, bytes]:
    """The captions that belong to a results file."""
    return {
        Path(record["picture"]).with_suffix(".txt").as_posix(): around.format(
            record["prompt"]
        ).encode()
        for record in lines(results)
        if "prompt" in record
    }


def test_a_caption_lies_beside_each_picture(pez: Pez, folder: Folder) -> None:
    """The prompt and nothing else, under the picture's name; a second run changes nothing."""
    where, _ = folder
    code, out, err = pez("invert-folder", str(where), "--txt", *QUICK)
    assert (code, out) == (0, "") and err.endswith("pez: 4 captions written\n")
    written = captions(where)
    assert sorted(written) == ["1.txt", "3.txt", "below/0.txt", "below/2.txt"]
    assert written == expected(where / LINES)
    before = {path: path.stat() for path in where.rglob("*")}
    code, _, err = pez("invert-folder", str(where), "--txt", *QUICK)
    assert code == 0 and err.startswith("pez: 0 of 4") and "0 captions written" in err
    assert {path: path.stat() for path in where.rglob("*")} == before


@pytest.mark.parametrize("out", ["captions", "a/b.d/"])
def test_a_folder_out_mirrors_the_pictures(pez: Pez, folder: Folder, out: str) -> None:
    """With its own results file; the folder of the pictures stays as it is."""
    where, names = folder
    target = where.parent / out
    code, _, _ = pez("invert-folder", str(where), "--txt", "--out", str(target), *QUICK)
    assert code == 0 and captions(where) == {} and not (where / LINES).exists()
    assert captions(target) == expected(target / LINES) and len(lines(target / LINES)) == 4


@pytest.mark.parametrize("out", ["r.jsonl", "old"])
def test_lines_of_an_earlier_run_become_captions(pez: Pez, folder: Folder, out: str) -> None:
    """Without a search: a results file, whatever its name, is not a folder for captions."""
    where, _ = folder
    results = where.parent / out
    assert pez("invert-folder", str(where), "--out", str(results), *QUICK)[0] == 0
    before = results.read_bytes()
    code, _, err = pez("invert-folder", str(where), "--txt", "--out", str(results), *QUICK)
    assert code == 0 and err.startswith("pez: 0 of 4 pictures to do")
    assert captions(where) == expected(results) and results.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "around"),
    [
        (["--prefix", "sks style"], "sks style, {}"),
        (
            ["--prefix", " sks\n style, ", "--suffix", ",high  quality"],
            "sks style, {}, high quality",
        ),
        (["--prefix", "", "--suffix", "図"], "{}, 図"),
    ],
)
def test_words_go_around_the_prompt(
    pez: Pez, folder: Folder, options: list[str], around: str
) -> None:
    """One line in UTF-8 without a mark, however the words were given."""
    where, _ = folder
    assert pez("invert-folder", str(where), "--txt", *options, *QUICK)[0] == 0
    assert captions(where) == expected(where / LINES, around)


def test_other_words_are_refused_as_other_settings_are(pez: Pez, folder: Folder) -> None:
    """So one folder does not get captions of two kinds unnoticed. `--force` goes on, `--overwrite`
    replaces."""
    where, names = folder
    (where / names[0]).rename(where.parent / "later.png")
    command = ["invert-folder", str(where), "--txt", *QUICK]
    assert pez(*command, "--prefix", "sks,")[0] == 0
    before = captions(where)
    (where.parent / "later.png").rename(where / names[0])
    for options, message in (
        (["--prefix", "ohwx"], 'prefix "sks", now "ohwx"'),
        ([], 'prefix "sks", now null'),
        (["--prefix", "sks", "--suffix", "x"], 'suffix null, now "x"'),
        (["--prefix", "sks", "--seed", "1"], "seed 0, now 1"),
        (["--overwrite"], 'prefix "sks", now null'),
    ):
        code, _, err = pez(*command, *options)
        assert code == 2 and message in err and "--force" in err and err.count("\n") == 1
    assert captions(where) == before
    assert pez(*command, "--prefix", " sks ")[0] == 0  # the same words
    assert {**captions(where), **before} == captions(where) == expected(where / LINES, "sks, {}")
    code, _, err = pez(*command, "--prefix", "ohwx", "--force")
    assert code == 0 and "0 captions written" in err and "4 caption files kept" in err
    assert pez(*command, "--prefix", "ohwx", "--force", "--overwrite")[0] == 0
    assert captions(where) == expected(where / LINES, "ohwx, {}")


def test_a_caption_of_somebody_else_is_kept(pez: Pez, folder: Folder) -> None:
    """Before and after its picture has a line; its picture is not searched. It is replaced only
    when asked."""
    where, _ = folder
    (where / "1.txt").write_bytes(b"written by hand\r\n")
    command = ["invert-folder", str(where), "--txt", *QUICK]
    code, _, err = pez(*command)
    assert code == 0 and err.startswith("pez: 3 of 4 pictures to do")
    assert f"1 caption file kept, of another text, such as {where / '1.txt'}: --overwrite" in err
    assert (where / "1.txt").read_bytes() == b"written by hand\r\n"
    (where / "3.txt").write_text("edited")
    code, _, err = pez(*command)
    assert code == 0 and err.startswith("pez: 0 of 4") and "2 caption files kept" in err
    assert (where / "3.txt").read_text() == "edited"
    code, _, err = pez(*command, "--overwrite")
    assert code == 0 and err.startswith("pez: 1 of 4") and "2 captions written" in err
    assert captions(where) == expected(where / LINES) and len(lines(where / LINES)) == 4


def test_an_editors_marks_do_not_make_it_another_text(pez: Pez, folder: Folder) -> None:
    """UTF-8's mark and a line's end."""
    where, _ = folder
    assert pez("invert-folder", str(where), "--txt", *QUICK)[0] == 0
    saved = b"\xef\xbb\xbf" + (where / "1.txt").read_bytes() + b"\r\n"
    (where / "1.txt").write_bytes(saved)
    for more in ([], ["--overwrite"]):
        assert "kept" not in pez("invert-folder", str(where), "--txt", *QUICK, *more)[2]
        assert (where / "1.txt").read_bytes() == saved


def test_a_lost_caption_comes_back_and_lost_lines_lose_no_caption(pez: Pez, folder: Folder) -> None:
    """From its line; and without the lines, what is there is left alone."""
    where, _ = folder
    command = ["invert-folder", str(where), "--txt", *QUICK]
    assert pez(*command)[0] == 0
    before = captions(where)
    (where / "below" / "2.txt").unlink()
    assert pez(*command)[2].startswith("pez: 0 of 4") and captions(where) == before
    (where / LINES).unlink()
    (where / "below" / "2.txt").unlink()
    code, _, err = pez(*command, "--seed", "7")
    assert code == 0 and err.startswith("pez: 1 of 4") and "3 caption files kept" in err
    assert {**captions(where), **expected(where / LINES)} == captions(where)
    assert {**before, **expected(where / LINES)} == captions(where)


def test_errors_are_counted_as_without_captions(pez: Pez, folder: Folder) -> None:
    """A picture that cannot be read has no caption, until it is tried again."""
    where, _ = folder
    (where / "bad.png").write_text("no picture")
    command = ["invert-folder", str(where), "--txt", *QUICK]
    code, _, err = pez(*command)
    assert code == 1 and "4 captions written" in err and "--retry-errors" in err
    assert "bad.txt" not in captions(where)
    Image.new("RGB", (30, 30), "red").save(where / "bad.png")
    assert pez(*command)[0] == 1
    assert pez(*command, "--retry-errors")[0] == 0 and "bad.txt" in captions(where)


def test_what_cannot_be_written_is_said_before_a_search(
    pez: Pez, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line that names the file; nothing is searched, and nothing is lost."""
    where, _ = folder

    def search(*_: object) -> None:
        raise AssertionError("a search was begun")

    monkeypatch.setattr("pez_core.cli.invert_folder._search", search)
    captioned = [str(where), "--txt"]
    file = where.parent / "file"
    file.write_text("no results")
    (where.parent / "out" / "below").mkdir(parents=True)
    (where.parent / "out" / "below" / "0.txt").mkdir()
    (where.parent / "blocked").mkdir()
    (where.parent / "blocked" / "below").write_text("a file where a folder is needed")
    for arguments, message in (
        ([str(where)], "give --out FILE, --txt, or both"),
        ([str(where), "--out", "r", "--prefix", "x"], "--prefix works only with --txt"),
        ([str(where), "--out", "r", "--overwrite"], "--overwrite works only with --txt"),
        ([*captioned, "--prefix", "a\udcff"], "--prefix is not text"),
        ([*captioned, "--out", str(file)], "file holds something other than results"),
        ([*captioned, "--out", str(file / "below")], "cannot write captions in"),
        ([*captioned, "--out", str(where.parent / "blocked")], "cannot write captions in"),
        ([*captioned, "--out", str(where.parent / "out")], "0.txt is not a file, but has the name"),
    ):
        code, out, err = pez("invert-folder", *arguments, *QUICK)
        assert (code, out, err.count("\n")) == (2, "", 1), err
        assert message in err
    assert captions(where) == {}


def test_two_pictures_of_one_caption_are_named(pez: Pez, folder: Folder) -> None:
    """Before anything is written; without captions they are two pictures like any others."""
    where, _ = folder
    Image.new("RGB", (30, 30), "red").save(where / "below" / "2.jpg")
    code, _, err = pez("invert-folder", str(where), "--txt", *QUICK)
    assert code == 2 and "below/2.jpg and below/2.png would both have the caption" in err
    assert captions(where) == {} and not (where / LINES).exists()
    assert pez("invert-folder", str(where), "--out", str(where / LINES), *QUICK)[0] == 0


def test_a_folder_that_may_only_be_read(pez: Pez, folder: Folder) -> None:
    """Is refused at the start; another folder takes the captions."""
    where, _ = folder
    for path in (where, where / "below"):
        path.chmod(0o500)
    try:
        if os.access(where, os.W_OK):
            pytest.skip("this user may write everywhere")
        code, _, err = pez("invert-folder", str(where), "--txt", *QUICK)
        assert code == 2 and f"cannot write captions in {where}" in err and "--out FOLDER" in err
        target = where.parent / "out"
        assert pez("invert-folder", str(where), "--txt", "--out", str(target), *QUICK)[0] == 0
        assert len(captions(target)) == 4
    finally:
        for path in (where, where / "below"):
            path.chmod(0o700)


def test_a_full_disk_loses_no_prompt(
    pez: Pez, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run ends with one line; the prompt of the lost caption has its line in the results file,
    and no part of a caption remains."""
    where, _ = folder
    fsync, room = os.fsync, [4]  # two lines, a caption, and a second one that does not fit

    def full(file: int) -> None:
        room[0] -= 1
        if not room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(file)

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        code, _, err = pez("invert-folder", str(where), "--txt", *QUICK)
    last = err.splitlines()[-1]
    assert code == 2 and "cannot write the caption" in last and "No space left" in last
    assert len(lines(where / LINES)) == 2 and len(captions(where)) == 1
    code, _, err = pez("invert-folder", str(where), "--txt", *QUICK)
    assert code == 0 and err.startswith("pez: 2 of 4") and "3 captions written" in err
    assert captions(where) == expected(where / LINES)


class Killed(BaseException):
    """Ends a run as a kill does: nothing cleans up after it."""


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_kill_leaves_whole_captions(
    pez: Pez, folder: Folder, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Whether the text is not on the disk yet or the file has no name yet: no caption is torn, and
    the next run ends it and what was left of it."""
    where, _ = folder
    true, calls = getattr(os, moment), []

    def kill(*arguments: object) -> None:
        calls.append(arguments)
        if len(calls) == 4:
            raise Killed
        true(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(f"os.{moment}", kill)
        patch.setattr(Path, "unlink", lambda *_, **__: None)
        with pytest.raises(Killed):
            pez("invert-folder", str(where), "--txt", *QUICK)
    named = {name: text for name, text in captions(where).items() if name.endswith(".txt")}
    assert named.items() < expected(where / LINES).items()
    assert len(captions(where)) == len(named) + 1  # the file without a name
    code, _, err = pez("invert-folder", str(where), "--txt", *QUICK)
    assert code == 0 and captions(where) == expected(where / LINES)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_killed_processes_end_with_the_captions_of_a_calm_one(tmp_path: Path) -> None:
    """Killed between a line and its caption, and between a caption and the next line."""
    folder, calm = tmp_path / "pictures", tmp_path / "calm"
    make_pictures(folder, 4)
    shutil.copytree(folder, calm)
    command = ["--txt", *QUICK, "--prefix", "sks"]
    assert ended(start(["invert-folder", str(calm), *command])) == 0
    for moment in (
        Moment(LINES, 1, "kept"),
        Moment(LINES, 2, "unwritten"),
        Moment(LINES, 2, "torn"),
    ):
        killed = ended(start(["invert-folder", str(folder), *command], moment))
        assert killed == -signal.SIGKILL
        assert captions(folder).items() <= captions(calm).items()
    assert ended(start(["invert-folder", str(folder), *command])) == 0
    assert captions(folder) == captions(calm)
    assert by_name(lines(folder / LINES)) == by_name(lines(calm / LINES))


def test_the_words_are_in_the_lines(pez: Pez, folder: Folder) -> None:
    """Where they decide whether a run goes on; the prompt itself is without them."""
    where, _ = folder
    assert pez("invert-folder", str(where), "--txt", "--prefix", "sks", *QUICK)[0] == 0
    for record in lines(where / LINES):
        assert record["settings"]["prefix"] == "sks" and "suffix" not in record["settings"]
        assert "sks" not in json.dumps(record["candidates"])
