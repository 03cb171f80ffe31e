"""Pictures of any kind as 8-bit RGB, the input of open_clip's preprocessing.

Transparent pictures are composited on white. 16-bit and floating-point grey is scaled to 8 bits.
The EXIF rotation is applied. Of an animation only the first frame is used.
But: very large pictures are refused and large ones are reduced, to bound the memory.
"""

from __future__ import annotations

import io
import logging
import os
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import PictureError

log = logging.getLogger(__name__)

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".ppm")
MOST_PIXELS = 178_956_970  # Pillow's own limit for decompression bombs; 0.5 GB as RGB
WORKING_PIXELS = 16_000_000  # larger pictures are reduced first; CLIP sees at most 378 x 378
MOST_ASPECT = 8  # beyond it the ends are cut off; CLIP's centre crop drops them too


def open_picture(path: str | Path) -> Image.Image:
    """The picture in a file, as RGB.

    Raises PictureError, naming the file, when it cannot be read or is too large.
    """
    path = _existing(path)
    return _decoded(path, str(path))


def read_picture(path: str | Path) -> bytes:
    """The bytes of a picture file, for decoding elsewhere. Raises as `open_picture` does."""
    path = _existing(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise _undecodable(str(path), error) from error


def decode_picture(data: bytes, name: str) -> Image.Image:
    """The picture in a file's bytes, as RGB. name: the file's name for messages. Raises as
    `open_picture` does."""
    return _decoded(io.BytesIO(data), name)


def is_picture(name: str) -> bool:
    """Whether an argument names a picture, not a text: an existing file, or a name with a picture's
    suffix.

    Raises PictureError for the name of a missing picture, and for the path of a folder.
    """
    path = Path(name)
    with suppress(OSError):  # a long text is not a possible file name
        if path.is_file():
            return True
        if path.is_dir() and ("/" in name or os.sep in name):
            raise PictureError(f"{name} is a folder: name the pictures in it")
    if path.suffix.lower() in SUFFIXES:
        raise PictureError(f"{name}: no such picture")
    return False


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise PictureError(
            f"{path}: {'a folder, not a picture' if path.is_dir() else 'no such picture'}"
        )
    return path


def _decoded(file: Path | io.BytesIO, name: str) -> Image.Image:
    try:
        with warnings.catch_warnings():
            # MOST_PIXELS is the limit, and Pillow warns at half of it.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(file) as image:
                return to_rgb(image, name)
    except Image.DecompressionBombError as error:
        raise PictureError(
            f"{name}: more pixels than the limit of {MOST_PIXELS:,}; make it smaller first: "
            "CLIP sees a few hundred a side"
        ) from error
    except UnidentifiedImageError as error:
        raise PictureError(f"{name}: not a picture that Pillow can read") from error
    except PictureError:
        raise
    except Exception as error:  # Pillow's decoders raise errors of many types for damaged files
        raise _undecodable(name, error) from error


def _undecodable(name: str, error: Exception) -> PictureError:
    return PictureError(f"{name}: the picture is damaged or cannot be decoded ({error})")


def to_rgb(image: Image.Image, name: str = "picture") -> Image.Image:
    """An open picture as RGB, upright and of moderate size.

    Raises PictureError when it is too large or holds values that are not finite.
    """
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise PictureError(
            f"{name}: {width} x {height} pixels are more than the limit of {MOST_PIXELS:,}; "
            "make it smaller first"
        )
    if getattr(image, "n_frames", 1) > 1:
        log.warning("%s holds several frames: only the first is used", name)
        image.seek(0)
    if width * height > WORKING_PIXELS:
        image.draft("RGB", (2048, 2048))  # lets a JPEG decode small; other formats ignore it
    image = _reducible(image, name)
    image = ImageOps.exif_transpose(_crop_extremes(_reduce(image)))
    if image.mode in ("RGBA", "LA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _reducible(image: Image.Image, name: str) -> Image.Image:
    """The picture in an 8-bit mode in which neighbouring values can be averaged."""
    if image.mode.startswith("I") or image.mode == "F":
        return _kept(image, _scale_to_8_bit(image, name))
    if image.mode in ("P", "PA"):
        clear = image.mode == "PA" or "transparency" in image.info
        return _kept(image, image.convert("RGBA" if clear else "RGB"))
    return _kept(image, image.convert("L")) if image.mode == "1" else image


def _reduce(image: Image.Image) -> Image.Image:
    """The picture, reduced by a whole factor if it exceeds WORKING_PIXELS."""
    factor = int((image.width * image.height / WORKING_PIXELS) ** 0.5)
    if factor < 2:
        return image
    return _kept(image, image.reduce((min(factor, image.width), min(factor, image.height))))


def _crop_extremes(image: Image.Image) -> Image.Image:
    """The middle of a very long picture: resized to CLIP's short side the whole would be
    immense."""
    width, height = image.size
    most = MOST_ASPECT * min(width, height)
    if max(width, height) <= most:
        return image
    left, top = max(0, (width - most) // 2), max(0, (height - most) // 2)
    return _kept(image, image.crop((left, top, left + min(width, most), top + min(height, most))))


def _kept(before: Image.Image, after: Image.Image) -> Image.Image:
    """The changed picture with the original EXIF data, which holds the orientation."""
    after.info = dict(before.info)
    exif = before.getexif()
    if exif:
        after.info["exif"] = exif.tobytes()
    return after


def _scale_to_8_bit(image: Image.Image, name: str) -> Image.Image:
    """A grey picture of 16 bits, or of floats in 0..1, scaled to 8 bits; other values by their own
    range."""
    values = np.asarray(image, dtype=np.float32)
    if not np.isfinite(values).all():
        raise PictureError(
            f"{name}: it holds values that are not finite numbers: save it again from its source"
        )
    low, high = float(values.min()), float(values.max())
    top = 1.0 if image.mode == "F" else 65535.0
    if low < 0 or high > top:
        values, top = values - low, max(high - low, 1e-12)
    return Image.fromarray(np.round(values * (255.0 / top)).astype(np.uint8))
