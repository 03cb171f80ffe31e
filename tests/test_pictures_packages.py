"""Pictures that Pillow reads only with another package, and files that are not pictures at all."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image, ImageFile

from pez_core import open_picture
from pez_core.errors import PictureError
from pez_core.picture_files import kinds
from tests.support.commands import Pez
from tests.support.many_pictures import QUICK, by_name, lines

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0\0\0\x08free"
MIF1 = b"\0\0\0\x1cftypmif1\0\0\0\0miafMiHBheic"
JXL = b"\xff\x0a" + bytes(20)


class FakeHeifFile(ImageFile.ImageFile):
    """A reader of files that begin as HEIC does: a red picture."""

    format = "HEIF"

    def _open(self) -> None:
        self._mode, self._size = "RGB", (8, 6)
        self.tile = []
        self.im = Image.new("RGB", (8, 6), "red").im


@pytest.fixture
def pillow_heif(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A package of that name that counts how often it registers its reader."""
    module = ModuleType("pillow_heif")
    module.__spec__ = object()  # type: ignore[assignment]
    module.times = 0  # type: ignore[attr-defined]

    def register_heif_opener() -> None:
        module.times += 1
        Image.register_open("FAKE", FakeHeifFile, lambda head: head[4:8] == b"ftyp")

    module.register_heif_opener = register_heif_opener  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pillow_heif", module)
    monkeypatch.setattr(Image, "OPEN", dict(Image.OPEN))
    monkeypatch.setattr(Image, "ID", list(Image.ID))
    return module


@pytest.fixture
def no_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "find_spec", lambda name: None)


@pytest.mark.usefixtures("no_packages")
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (HEIC, "HEIC.*pip install 'pillow-heif'"),
        (MIF1, "HEIC.*pip install 'pillow-heif'"),
        (JXL, "JPEG XL.*pip install 'pillow-jxl-plugin'"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL.*pip install 'pillow-jxl-plugin'"),
    ],
)
def test_the_missing_package_is_named(data: bytes, message: str, tmp_path: Path) -> None:
    """By what the file is, whatever it is called."""
    for name in ("photo.heic", "photo.jpg"):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(PictureError, match=message):
            open_picture(tmp_path / name)


def test_an_installed_package_is_used(pillow_heif: ModuleType, tmp_path: Path) -> None:
    """When a picture needs it, not before."""
    Image.new("RGB", (8, 6)).save(tmp_path / "a.png")
    open_picture(tmp_path / "a.png")
    assert pillow_heif.times == 0
    (tmp_path / "a.heic").write_bytes(HEIC)
    assert open_picture(tmp_path / "a.heic").getpixel((3, 3)) == (255, 0, 0)
    open_picture(tmp_path / "a.heic")
    assert pillow_heif.times == 1


@pytest.mark.usefixtures("no_packages")
def test_a_folder_says_once_what_to_install(pez: Pez, tmp_path: Path) -> None:
    """Those pictures have errors, which name the package, and the others have prompts."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.heic").write_bytes(HEIC)
        (folder / f"{number}.txt").touch()
    (folder / "a.jxl").write_bytes(JXL)
    Image.effect_noise((30, 30), 90).save(folder / "b.jfif", "JPEG")
    code, _, err = pez("invert-folder", str(folder), "--out", str(tmp_path / "r"), *QUICK)
    assert code == 1
    first, heif, jxl = err.splitlines()[:3]
    assert first == "pez: 5 of 5 pictures to do, 3 other files left out: 3 .txt"
    assert heif == "pez: 3 pictures (.heic) cannot be read before `pip install pillow-heif`"
    assert jxl == "pez: 1 picture (.jxl) cannot be read before `pip install pillow-jxl-plugin`"
    assert err.count("pip install") == 2
    records = by_name(lines(tmp_path / "r"))
    assert "pillow-heif" in records["0.heic"]["error"] and "prompt" in records["b.jfif"]


OTHERS = {
    "drawing.svg": (b"<?xml version='1.0'?>\n<svg xmlns=''>", "an SVG drawing: export it as PNG"),
    "page.pdf": (b"%PDF-1.7\n", "a PDF document: export it as PNG"),
    "clip.mp4": (b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", "a video: save a frame as PNG"),
    "clip.mkv": (b"\x1aE\xdf\xa3\x01", "a video: save a frame as PNG"),
    "page.png": (b"<!DOCTYPE html><html>", "a web page: download the picture itself"),
    "text.jpg": ("grüße ".encode() * 1000, "it is a text"),
    "lfs.png": (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
    "empty.png": (b"", "the file is empty"),
    "raw.cr3": (bytes(99), "export it as PNG"),
    "noise.png": (b"\x01\x99" * 99, "not a picture that Pillow can read$"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_file_that_is_no_picture_says_what_it_is(name: str, tmp_path: Path) -> None:
    data, message = OTHERS[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(PictureError, match=message) as told:
        open_picture(tmp_path / name)
    assert "not a picture that Pillow can read" in str(told.value)
