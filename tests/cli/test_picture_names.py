"""The names of pictures on the command line: patterns, standard input, pipes, and what is none."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import sys
import threading
from pathlib import Path

import pytest
from PIL import Image

from pez_core.cli.named import expanded, expanded_pictures, names_picture
from tests.support.commands import Pez

QUICK = ["--steps", "1", "--restarts", "1", "--preset", "fast", "--dtype", "float32", "--json"]
posix = pytest.mark.skipif(sys.platform == "win32", reason="names and pipes of POSIX")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with p/b.png, p/a.png and p/note.txt."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p").mkdir()
    shutil.copy(root / "examples" / "pizza.png", "p/b.png")
    shutil.copy(root / "examples" / "penguin.png", "p/a.png")
    Path("p/note.txt").write_text("a note")
    return tmp_path


def test_a_pattern_stands_for_its_files_in_order() -> None:
    assert expanded(["p/*.png", "x.png"]) == ("p/a.png", "p/b.png", "x.png")
    assert expanded_pictures("p/[ab].png") == ("p/a.png", "p/b.png")
    assert expanded_pictures("p/*") == ("p/a.png", "p/b.png", "p/note.txt")
    assert expanded(["**/?.png"]) == ("p/a.png", "p/b.png")


@pytest.mark.parametrize("text", ["what is this?", "a [red] cat", "and/or?", "*", "a * b/c"])
def test_a_text_is_no_pattern(text: str) -> None:
    assert expanded_pictures(text) == (text,) and not names_picture(text)


def test_a_pattern_without_files_is_an_error(pez: Pez) -> None:
    for command in (["invert", "p/*.gif"], ["mix", "p/*.gif@2"], ["invert", "--negative", "*.gif"],
                    ["style", "p/*.gif"], ["explain", "a", "--picture", "p/*.gif"],
                    ["check", "a", "--avoid", "*.gif"]):  # fmt: skip
        code, _, err = pez(*command)
        assert code == 2 and re.search(r"no picture matches .*\*\.gif$", err), err


@posix
def test_a_file_of_that_name_comes_first() -> None:
    for name in ("a*.png", "a[1].png", "a1.png"):
        Image.new("RGB", (9, 9)).save(name)
    assert expanded(["a*.png", "a[1].png"]) == ("a*.png", "a[1].png")


def test_every_place_of_pictures_takes_patterns(pez: Pez) -> None:
    """And each match counts: a weight is that of each."""
    both = ["p/a.png", "p/b.png"]
    assert json.loads(pez("invert", "p/?.png", *QUICK)[1])["settings"]["pictures"] == both
    found = json.loads(pez("invert", "--text", "a", "--negative", "p/?.png", *QUICK)[1])
    assert found["settings"]["negatives"] == both
    assert json.loads(pez("style", "p/?.png", *QUICK)[1])["settings"]["pictures"] == both
    found = json.loads(pez("mix", "p/?.png@0.5", *QUICK)[1])
    assert found["settings"]["weights"] == [0.5, 0.5] and found["settings"]["pictures"] == both
    assert set(json.loads(pez("check", "a", "--avoid", "p/?.png", "--json")[1])["guard"]) == {*both}
    one, two = (
        json.loads(pez("explain", "a", *names, "--alternatives", "0", "--json")[1])["similarity"]
        for names in (["--picture", "p/?.png"], ["--picture", "p/a.png", "--picture", "p/b.png"])
    )
    assert one == two


MISSING = [
    "nope.heic", "nope.jfif", "nope.AVIF", "nope.jxl", "nope.jp2", "./nope", "../a/nope", "~/nope",
    "C:\\p\\nope", "a photo.png", "n" * 5000 + ".png",
]  # fmt: skip


@pytest.mark.parametrize("name", MISSING)
def test_a_name_like_a_pictures_is_no_text(name: str, pez: Pez) -> None:
    """Mistyped, it is an error everywhere; a very long name is shortened."""
    for command in (["mix", f"{name}@0.7"], ["mix", name], ["invert", "--negative", name],
                    ["check", "a", "--avoid", name]):  # fmt: skip
        code, out, err = pez(*command)
        assert (code, out) == (2, "") and err.endswith(": no such picture\n") and len(err) < 300


@pytest.mark.parametrize(
    "text",
    ["a cat.fit", "at 5 p.m.", "v1.5", "file.im", "an oil painting", "3/4", "/imagine a cat"],
)
def test_a_text_stays_a_text(text: str) -> None:
    assert not names_picture(text)


def test_what_is_no_picture_says_what_to_do(pez: Pez) -> None:
    Path("x.png").mkdir()
    Path("-dash.png").touch()
    for name, message in (
        ("p", "p: a folder, not a picture.*`pez invert-folder p`"),
        ("x.png", "x.png: a folder, not a picture.*`pez invert-folder x.png`"),
        ("https://example.org/a.png?b", "are not downloaded: save it"),
        ("file:///a/b.png", "give its path, without file://"),
        ("-dash.png", r"a file of that name is \./-dash.png"),
        ("p/note.txt", "not a picture that Pillow can read: it is a text"),
        ("none", "none: no such picture"),
    ):
        for command in (["invert", name], ["style", name], ["explain", "a", "--picture", name]):
            code, out, err = pez(*command)
            assert (code, out, err.count("\n")) == (2, "", 1) and re.search(message, err), err
    assert "`pez invert p/a.png`" in pez("invert-folder", "p/a.png", "--out", "o")[2]


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    data = io.BytesIO(Path("p/a.png").read_bytes())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(data))


@pytest.mark.usefixtures("stdin")
@pytest.mark.parametrize("command", [["invert", "-"], ["style", "-"], ["mix", "-"]])
def test_standard_input_is_a_picture(command: list[str], pez: Pez) -> None:
    """As the file is, in every verb."""
    piped = json.loads(pez(*command, *QUICK)[1])
    named = json.loads(pez(command[0], "p/a.png", *QUICK)[1])
    assert piped["similarity"] == named["similarity"]
    assert piped["settings"]["pictures"] == ["-"]
    code, _, err = pez(*command, *QUICK)
    assert code == 2 and "there is no picture on standard input" in err


@pytest.mark.usefixtures("stdin")
def test_standard_input_may_be_something_to_avoid(pez: Pez) -> None:
    code, out, _ = pez("check", "a penguin", "--avoid", "-", "--json")
    guard = json.loads(out)["guard"]["-"]
    assert guard == json.loads(pez("check", "a penguin", "--avoid", "p/a.png", "--json")[1])[
        "guard"]["p/a.png"]  # fmt: skip


@posix
def test_a_pipe_is_read_once(pez: Pez) -> None:
    """As a shell's <(…) is: what is opened a second time would wait for ever."""
    data = Path("p/a.png").read_bytes()
    for arguments in (["invert", "pipe"], ["invert", "p/b.png", "--avoid", "pipe"],
                      ["mix", "pipe", "a cat"]):  # fmt: skip
        os.mkfifo("pipe")
        writer = threading.Thread(target=Path("pipe").write_bytes, args=[data], daemon=True)
        writer.start()
        code, out, err = pez(*arguments, *QUICK)
        writer.join(timeout=60)
        os.unlink("pipe")
        assert code == 0 and not writer.is_alive(), err
        assert "pipe" in out


@posix
@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is none")
def test_an_endless_file_is_refused(pez: Pez, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pez_core.pictures.MOST_FILE_BYTES", 10_000)
    code, _, err = pez("invert", "/dev/zero")
    assert code == 2 and "/dev/zero: more than 10,000 bytes" in err


@posix
@pytest.mark.skipif(sys.platform == "darwin", reason="its file names have to be text")
def test_names_of_any_bytes(pez: Pez) -> None:
    """Two lines, a terminal's escapes and bytes that are not text: read, and never printed raw."""
    strange = "x\n\x1b[31m\udcff.png"
    shutil.copy("p/a.png", strange)
    code, out, _ = pez("invert", strange, *QUICK)
    assert code == 0 and json.loads(out)["settings"]["pictures"] == [strange]
    Path(strange).write_bytes(Path("p/a.png").read_bytes()[:-3000])
    pez("invert", strange)
    for name in (strange, "y" + strange):
        code, out, err = pez("invert", name)
        assert code == 2 and "\\x1b[31m\\udcff.png" in err and "\x1b" not in err
        assert err.count("\n") == 1
    shutil.copy("p/b.png", strange)
    out = pez("check", "a cat", "--avoid", strange)[1]
    assert "x\\n\\x1b[31m\\udcff.png" in out and "\x1b" not in out


def test_a_warning_is_printed_safely(pez: Pez) -> None:
    """The name of a picture that is cut short."""
    name = "a\x1b]0;b\x07.jpg"
    with Image.open("p/a.png") as picture:
        picture.convert("RGB").save(name)
    Path(name).write_bytes(Path(name).read_bytes()[:-50])
    code, _, err = pez("invert", name, *QUICK)
    assert code == 0
    assert "\x1b" not in err
