"""Pictures of every kind become the RGB one would expect, or an error that names the file."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pez_core import ClipModel, open_picture, pictures
from pez_core.errors import PictureError

RED, GREEN, WHITE = (255, 0, 0), (0, 128, 0), (255, 255, 255)


def halves(mode: str, left: object, right: object, size: tuple[int, int] = (40, 24)) -> Image.Image:
    """A picture of two colours side by side."""
    image = Image.new(mode, size, left)  # type: ignore[arg-type]
    image.paste(right, (size[0] // 2, 0, *size))  # type: ignore[call-overload]
    return image


def reopened(image: Image.Image, path: Path, **options: object) -> Image.Image:
    image.save(path, **options)
    result = open_picture(path)
    assert result.mode == "RGB"
    return result


def assert_halves(image: Image.Image, left: object, right: object, tolerance: int = 1) -> None:
    """Both halves have their colour, measured at their middles."""
    width, height = image.size
    for x, expected in ((width // 4, left), (3 * width // 4, right)):
        got = np.array(image.getpixel((x, height // 2)), dtype=int)
        assert abs(got - np.array(expected)).max() <= tolerance, (got, expected)


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    """Full transparency is white, half of it is half white, in colour and in grey."""
    rgba = halves("RGBA", (255, 0, 0, 255), (9, 9, 9, 0))
    assert_halves(reopened(rgba, tmp_path / "rgba.png"), RED, WHITE)
    half = halves("RGBA", (255, 0, 0, 128), (0, 0, 0, 128))
    assert_halves(reopened(half, tmp_path / "half.png"), (255, 127, 127), (127, 127, 127))
    grey = halves("LA", (100, 255), (0, 0))
    assert_halves(reopened(grey, tmp_path / "la.png"), (100,) * 3, WHITE)


def test_a_transparent_colour_is_white(tmp_path: Path) -> None:
    """Of a palette, of grey and of true colour, where the file names one colour as clear."""
    palette = halves("P", 0, 1)
    palette.putpalette([*RED, *GREEN])
    assert_halves(reopened(palette, tmp_path / "plain.png"), RED, GREEN)
    assert_halves(reopened(palette, tmp_path / "clear.png", transparency=1), RED, WHITE)
    assert_halves(reopened(palette, tmp_path / "clear.gif", transparency=0), WHITE, GREEN)
    grey = reopened(halves("L", 50, 200), tmp_path / "grey.png", transparency=200)
    assert_halves(grey, (50,) * 3, WHITE)
    colour = reopened(halves("RGB", RED, GREEN), tmp_path / "colour.png", transparency=RED)
    assert_halves(colour, WHITE, GREEN)


@pytest.mark.parametrize(
    ("mode", "left", "right", "suffix", "rgb_left", "rgb_right"),
    [
        ("1", 0, 1, "png", (0, 0, 0), WHITE),
        ("L", 60, 200, "png", (60,) * 3, (200,) * 3),
        ("RGB", RED, GREEN, "bmp", RED, GREEN),
        ("CMYK", (0, 255, 255, 0), (0, 0, 0, 255), "tif", RED, (0, 0, 0)),
        ("YCbCr", (128, 128, 128), (255, 128, 128), "tif", (128,) * 3, WHITE),
    ],
)
def test_colour_spaces_become_rgb(
    mode: str, left: object, right: object, suffix: str, rgb_left: object, rgb_right: object,
    tmp_path: Path,
) -> None:  # fmt: skip
    """Bits, greys, print colours and video colours."""
    image = reopened(halves(mode, left, right), tmp_path / f"a.{suffix}")
    assert_halves(image, rgb_left, rgb_right, tolerance=2)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_grey_is_scaled_not_clipped(suffix: str, tmp_path: Path) -> None:
    """Middle grey stays middle grey, dark stays dark, and white white."""
    values = np.zeros((24, 40), dtype=np.uint16)
    values[:, :20], values[:, 20:] = 32768, 4096
    path = tmp_path / f"deep.{suffix}"
    assert_halves(reopened(Image.fromarray(values), path), (127.5,) * 3, (16,) * 3)
    values[:, 20:] = 65535
    assert_halves(reopened(Image.fromarray(values), path), (127.5,) * 3, WHITE)


def test_floating_point_grey_is_scaled(tmp_path: Path) -> None:
    """0..1 as it is; any other range by its own ends; what is not a number is refused."""
    values = np.zeros((24, 40), dtype=np.float32)
    values[:, :20] = 0.5
    path = tmp_path / "float.tif"
    assert_halves(reopened(Image.fromarray(values), path), (127.5,) * 3, (0, 0, 0))
    values[:, :20], values[:, 20:] = -10, 30
    values[0, 0] = 70
    assert_halves(reopened(Image.fromarray(values), path), (0, 0, 0), (127.5,) * 3)
    values[3, 3] = np.nan
    Image.fromarray(values).save(path)
    with pytest.raises(PictureError, match=f"{re.escape(str(path))}.*not finite numbers"):
        open_picture(path)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_rotated_photograph_is_upright(suffix: str, orientation: int, tmp_path: Path) -> None:
    """All eight EXIF orientations of one picture open as the upright one."""
    upright = halves("RGB", RED, GREEN, (48, 32))
    upright.paste((0, 0, 255), (0, 0, 24, 16))  # no symmetry is left
    turns = {
        2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE",
        6: "ROTATE_90", 7: "TRANSVERSE", 8: "ROTATE_270",
    }  # fmt: skip
    stored = upright
    if orientation > 1:
        stored = upright.transpose(Image.Transpose[turns[orientation]])
    exif = Image.Exif()
    exif[0x0112] = orientation
    opened = reopened(stored, tmp_path / f"photo.{suffix}", exif=exif)
    difference = np.asarray(opened, dtype=int) - np.asarray(upright, dtype=int)
    assert abs(difference).mean() < 6  # JPEG blurs the borders; a wrong turn differs by 60


def test_of_an_animation_the_first_frame_is_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And a warning names the file; a still picture gives none."""
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, GREEN)]
    path = tmp_path / "moving.gif"
    with caplog.at_level(logging.WARNING, logger="pez_core"):
        still = reopened(frames[1], tmp_path / "still.gif")
        assert not caplog.records
        first = reopened(frames[0], path, save_all=True, append_images=frames[1:])
    assert first.getpixel((8, 8)) == RED and still.getpixel((8, 8)) == GREEN
    assert len(caplog.records) == 1
    assert re.search(f"{re.escape(str(path))}.*first", caplog.text)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 2)])
def test_extreme_shapes_can_be_encoded(
    size: tuple[int, int], demo: ClipModel, tmp_path: Path
) -> None:
    """A dot and a line give a feature of unit length; a line is cut before it is enlarged."""
    image = reopened(Image.new("RGB", size, RED), tmp_path / "line.png")
    assert max(image.size) <= 16 * min(image.size)
    feature = demo.encode_pictures([image])
    assert feature.norm().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("mode", "left", "right", "suffix"),
    [
        ("1", 0, 1, "png"), ("L", 60, 200, "png"), ("RGB", RED, GREEN, "png"),
        ("RGBA", (255, 0, 0, 255), (0, 0, 0, 0), "png"), ("P", 0, 1, "gif"),
        ("LA", (60, 255), (0, 0), "png"), ("I;16", 8000, 32768, "png"),
        ("F", 0.2, 0.8, "tif"), ("CMYK", (0, 255, 255, 0), (0, 0, 0, 255), "jpg"),
    ],
)  # fmt: skip
def test_a_large_picture_is_reduced_in_every_mode(
    mode: str, left: object, right: object, suffix: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """To about the working size, with the colours of the full picture."""
    image, path = halves(mode, left, right, (400, 300)), tmp_path / f"large.{suffix}"
    if mode == "P":
        image.putpalette([*RED, *GREEN])
    whole = reopened(image, path)
    monkeypatch.setattr(pictures, "WORKING_PIXELS", 5000)
    small = open_picture(path)
    assert whole.size == (400, 300)
    assert small.width * small.height < 4 * 5000
    assert small.width / small.height == pytest.approx(4 / 3, abs=0.1)
    assert_halves(small, whole.getpixel((100, 150)), whole.getpixel((300, 150)), tolerance=3)


def test_a_very_large_drawing_is_reduced(tmp_path: Path) -> None:
    """12,000 × 12,000 bits, a scanned plan, are a few kilobytes on disk."""
    image = reopened(halves("1", 0, 1, (12_000, 12_000)), tmp_path / "plan.png")
    assert image.width * image.height <= 4 * pictures.WORKING_PIXELS
    assert_halves(image, (0, 0, 0), WHITE)


def test_no_file_stays_open(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    """The file can be deleted at once, and the picture lives on."""
    path = tmp_path / "gone.png"
    image = reopened(halves("RGB", RED, GREEN), path)
    path.unlink()
    assert_halves(image, RED, GREEN)
    assert not [w for w in recwarn if issubclass(w.category, ResourceWarning)]
