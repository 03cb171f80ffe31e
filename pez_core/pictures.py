"""Pictures of any kind as 8-bit RGB, the input of open_clip's preprocessing.

Transparent pictures are composited on white. 16-bit and floating-point grey is scaled to 8 bits.
The EXIF rotation is applied. Of an animation only the first frame is used. Other metadata is not
read: it does not matter what is in it. A picture that ends too early is used if at least half of
its rows are there.
But: very large pictures are refused and large ones are reduced, to bound the memory.
"""

from __future__ import annotations

import io
import logging
import warnings
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from .errors import PictureError
from .picture_files.cut_short import cut_pictures, scans_of, share_of_rows
from .picture_files.kinds import HEAD, describe, package_of, register, starts_like_picture
from .picture_files.modes import decoding_bytes, on_white, opaque, reduced
from .picture_files.names import NOT_DECODED, UNREAD, ending, shown
from .picture_files.paths import existing, is_picture
from .picture_files.png import without_metadata

__all__ = [
    "MOST_PIXELS",
    "decode_picture",
    "is_picture",
    "open_picture",
    "read_bytes",
    "read_picture",
    "to_rgb",
]

log = logging.getLogger(__name__)

MOST_PIXELS = 178_956_970  # Pillow's own limit for decompression bombs; 0.7 GB as RGB
MOST_BYTES = 640_000_000  # while a picture is decoded; with torch and a model 1.5 GB in all
MOST_FILE_BYTES = 2**29  # of a file that is read as a whole, such as a pipe
WORKING_PIXELS = 16_000_000  # larger pictures are reduced first; CLIP sees at most 378 x 378
MOST_ASPECT = 8  # beyond it the ends are cut off; CLIP's centre crop drops them too
MOST_SCANS = 100  # of a JPEG; each takes the time of a whole picture, and encoders make about 10
LEAST_SHARE = 0.5  # of the rows of a picture that ends too early

_ORIENTATION = 0x0112  # of EXIF
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def open_picture(path: str | Path) -> Image.Image:
    """The picture in a file, as RGB. A pipe is read to its end, once.

    Raises PictureError, naming the file, when it cannot be read or is too large.
    """
    path, name = existing(path), shown(str(path))
    try:
        if not path.is_file():
            return decode_picture(read_picture(path), name)
        with path.open("rb") as file:
            return _decoded(file, name)
    except OSError as error:
        raise _undecodable(name, error) from error


def read_picture(path: str | Path) -> bytes:
    """The bytes of a picture file, for decoding elsewhere. Raises as `open_picture` does."""
    path, name = existing(path), shown(str(path))
    try:
        with path.open("rb") as file:
            return read_bytes(file, name)
    except OSError as error:
        raise _undecodable(name, error) from error


def read_bytes(file: BinaryIO, name: str) -> bytes:
    """The rest of a file. name: for messages. Raises PictureError for more than MOST_FILE_BYTES."""
    data = file.read(MOST_FILE_BYTES + 1)
    if len(data) > MOST_FILE_BYTES:
        raise PictureError(
            f"{name}: more than {MOST_FILE_BYTES:,} bytes: make the picture smaller first"
        )
    return data


def decode_picture(data: bytes, name: str) -> Image.Image:
    """The picture in a file's bytes, as RGB. name: the file's name for messages. Raises as
    `open_picture` does."""
    return _decoded(io.BytesIO(data), name)


def _decoded(file: BinaryIO, name: str) -> Image.Image:
    head = file.read(HEAD)
    needed = package_of(head)
    try:
        return _read(file, name)
    except UnidentifiedImageError as error:
        if needed is not None:
            return _read_with_package(file, name, *needed)
        if starts_like_picture(head):
            raise _undecodable(name, "its header is incomplete or of an unknown kind") from error
        what = describe(head) or ("export it as PNG" if ending(name) in UNREAD else "")
        raise PictureError(
            f"{name}: not a picture that Pillow can read{what and ': '}{what}"
        ) from error


def _read_with_package(file: BinaryIO, name: str, kind: str, package: str) -> Image.Image:
    try:
        installed = register(package)
    except Exception as error:  # for example, a library of another version
        raise PictureError(f"{name}: {package}, which reads it, does not work: {error}") from error
    if not installed:
        raise PictureError(
            f"{name}: a picture in {kind}, which needs a package: pip install '{package}', or save "
            "it as PNG"
        )
    try:
        return _read(file, name)
    except UnidentifiedImageError as error:
        raise _undecodable(name, f"{package} does not know it") from error


def _read(file: BinaryIO, name: str) -> Image.Image:
    """The picture in a file. Raises UnidentifiedImageError if Pillow does not know its kind."""
    try:
        try:
            with cut_pictures(False), _opened(file) as image:
                return to_rgb(image, name)
        except (PictureError, UnidentifiedImageError, Image.DecompressionBombError, MemoryError):
            raise
        except Exception as error:  # Pillow's decoders raise errors of many types
            return _read_in_part(file, name, error)
    except Image.DecompressionBombError as error:
        raise PictureError(
            f"{name}: more pixels than the limit of {MOST_PIXELS:,}; make it smaller first: "
            "CLIP sees a few hundred a side"
        ) from error
    except MemoryError as error:
        raise PictureError(f"{name}: not enough memory for it: make it smaller first") from error


def _read_in_part(file: BinaryIO, name: str, reason: Exception) -> Image.Image:
    """The picture in a file that ends too early."""
    try:
        with cut_pictures(True):
            with _opened(file) as image:
                _draft(image)
                share = share_of_rows(image)
            if share < LEAST_SHARE:
                raise _undecodable(name, f"only {share:.0%} of its rows are there: {reason}")
            with _opened(file) as image:
                rgb = to_rgb(image, name)
    except PictureError:
        raise
    except Exception:
        raise _undecodable(name, reason) from reason
    log.warning("%s is damaged or cut short: %.0f%% of its rows are there", name, 100 * share)
    return rgb


def _opened(file: BinaryIO) -> Image.Image:
    file.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Image.open(without_metadata(file))


def _undecodable(name: str, error: object) -> PictureError:
    return PictureError(f"{name}: the picture is damaged or cannot be decoded ({error})")


def to_rgb(image: Image.Image, name: str = "picture") -> Image.Image:
    """An open picture as RGB, upright and of moderate size.

    Raises PictureError when it is too large or holds values that are not finite.
    """
    _require_moderate(image, name)
    _require_harmless(image, name)
    if _is_animated(image):
        log.warning("%s holds several frames: only the first is used", name)
    image.seek(0)
    _draft(image)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about metadata
        image.load()
        turn = _turn(image)
    factor = int((image.width * image.height / WORKING_PIXELS) ** 0.5)
    image = _crop_extremes(reduced(image, factor, name))
    if turn is not None:
        image = _with_info(image, image.transpose(turn))
    if image.mode in ("RGBA", "LA", "RGBa", "La") or "transparency" in image.info:
        return on_white(image)
    return opaque(image)


def _require_moderate(image: Image.Image, name: str) -> None:
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise PictureError(
            f"{name}: {width} x {height} pixels are more than the limit of {MOST_PIXELS:,}; "
            "make it smaller first"
        )
    if decoding_bytes(image) > MOST_BYTES:
        raise PictureError(
            f"{name}: {width} x {height} pixels take too much memory as {image.format}; make it "
            "smaller, or save it as JPEG first"
        )


def _require_harmless(image: Image.Image, name: str) -> None:
    """Refuses a program, which Pillow would run, and a JPEG that keeps its decoder busy."""
    if image.format in NOT_DECODED:
        raise PictureError(
            f"{name}: {image.format}, which Pillow does not decode by itself: export it as PNG"
        )
    scans = scans_of(image)
    if scans > MOST_SCANS:
        raise PictureError(
            f"{name}: a JPEG of {scans:,} scans, and at most {MOST_SCANS} are read: save it again"
        )


def _is_animated(image: Image.Image) -> bool:
    with suppress(Exception):  # a second frame that is damaged
        return bool(getattr(image, "is_animated", False))
    return False


def _draft(image: Image.Image) -> None:
    """Lets a large JPEG decode small; other formats ignore it."""
    if image.width * image.height > WORKING_PIXELS:
        image.draft("RGB", (2048, 2048))


def _turn(image: Image.Image) -> Image.Transpose | None:
    """What makes a picture upright, by its EXIF."""
    with suppress(Exception):  # EXIF may be damaged in any way
        return _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    return None


def _crop_extremes(image: Image.Image) -> Image.Image:
    """The middle of a very long picture: resized to CLIP's short side the whole would be
    immense."""
    width, height = image.size
    most = MOST_ASPECT * min(width, height)
    if max(width, height) <= most:
        return image
    left, top = max(0, (width - most) // 2), max(0, (height - most) // 2)
    box = (left, top, left + min(width, most), top + min(height, most))
    return _with_info(image, image.crop(box))


def _with_info(before: Image.Image, after: Image.Image) -> Image.Image:
    """The changed picture with the original's information, such as the colour that is clear."""
    after.info = dict(before.info)
    return after
