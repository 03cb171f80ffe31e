"""The modes of pictures, converted in bands of rows, so that a large picture is in memory once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageCms, JpegImagePlugin, TiffImagePlugin

from ..errors import PictureError

BAND = 2**20  # pixels that are converted together

# How many bytes a picture takes in Pillow's memory for each pixel; in the other modes 4.
_BYTES = {"1": 1, "L": 1, "P": 1}
# How many copies of a picture its decoder holds; measured. Other decoders hold one.
_COPIES = {"WEBP": 3, "AVIF": 3, "HEIF": 3, "JXL": 3, "JPEG2000": 5}
_COEFFICIENT = 2  # bytes; a JPEG that comes in several scans is held as coefficients
_ROWS_PER_STRIP = 278  # of TIFF; each strip is decoded as a whole


def decoding_bytes(image: Image.Image) -> int:
    """About how many bytes it takes to decode an open picture."""
    pixels = image.width * image.height
    if isinstance(image, JpegImagePlugin.JpegImageFile) and image.info.get("progressive"):
        shares = [int(across * down) for _, across, down, _ in image.layer]  # of each component
        return pixels * sum(shares) * _COEFFICIENT // max(shares)
    size = 2 if image.mode.startswith("I;16") else _BYTES.get(image.mode, 4)
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        rows = int(image.tag_v2.get(_ROWS_PER_STRIP, 0))
        return (pixels + image.width * min(rows, image.height)) * size
    return pixels * size * _COPIES.get(image.format or "", 1)


def reduced(image: Image.Image, factor: int, name: str) -> Image.Image:
    """The picture in an 8-bit mode, with squares of `factor` x `factor` pixels averaged to one.

    name: for messages. Raises PictureError for values that are not finite.
    """
    convert = _to_8_bit(image, name)
    if factor < 2 and convert is None:
        return image
    across, down = min(factor, image.width), min(factor, image.height)

    def change(band: Image.Image) -> Image.Image:
        band = band if convert is None else convert(band)
        return band if factor < 2 else band.reduce((across, down))

    return _by_bands(image, change, down if factor > 1 else 1)


def on_white(image: Image.Image) -> Image.Image:
    """A picture with transparency on white, as RGB."""

    def composite(band: Image.Image) -> Image.Image:
        band = band.convert("RGBA")
        white = Image.new("RGBA", band.size, "white")
        return Image.alpha_composite(white, band).convert("RGB")

    return _by_bands(image, composite)


def opaque(image: Image.Image) -> Image.Image:
    """A picture without transparency as RGB."""
    if type(image) is Image.Image and image.mode == "RGB":
        return image  # a copy would take as much memory again
    if image.mode != "LAB":
        return image.convert("RGB")
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    assert converted is not None  # only when it is changed in its place
    return converted


def _bands(image: Image.Image, down: int = 1) -> Iterator[tuple[int, Image.Image]]:
    """Bands of a picture's rows, each with its first row. Their heights are multiples of `down`."""
    height = max(1, BAND // (image.width * down)) * down
    for top in range(0, image.height, height):
        band = image.crop((0, top, image.width, min(top + height, image.height)))
        band.info = image.info  # with the colour that is transparent
        yield top, band


def _by_bands(
    image: Image.Image, change: Callable[[Image.Image], Image.Image], down: int = 1
) -> Image.Image:
    """The changed bands of a picture, joined. down: how many rows become one."""
    result: Image.Image | None = None
    for top, band in _bands(image, down):
        part = change(band)
        if result is None:
            result = Image.new(part.mode, (part.width, -(-image.height // down)))
        result.paste(part, (0, top // down))
    assert result is not None  # no picture is without rows
    result.info = dict(image.info)
    return result


def _to_8_bit(image: Image.Image, name: str) -> Callable[[Image.Image], Image.Image] | None:
    """What turns a band into an 8-bit mode in which neighbouring values can be averaged; None if
    the picture is in one."""
    if image.mode.startswith("I") or image.mode == "F":
        return _scaling(image, name)
    if image.mode in ("P", "PA"):
        clear = image.mode == "PA" or "transparency" in image.info
        return lambda band: band.convert("RGBA" if clear else "RGB")
    return (lambda band: band.convert("L")) if image.mode == "1" else None


def _scaling(image: Image.Image, name: str) -> Callable[[Image.Image], Image.Image]:
    """Scales grey of 16 bits, or floats in 0..1, to 8 bits; other values by their own range."""
    low, high = np.inf, -np.inf
    for _, band in _bands(image):
        values = np.asarray(band, dtype=np.float32)
        if not np.isfinite(values).all():
            raise PictureError(
                f"{name}: it holds values that are not finite numbers: save it again from its "
                "source"
            )
        low, high = min(low, float(values.min())), max(high, float(values.max()))
    top = 1.0 if image.mode == "F" else 65535.0
    own_range = low < 0 or high > top
    if own_range:
        top = max(high - low, 1e-12)

    def scale(band: Image.Image) -> Image.Image:
        values = np.asarray(band, dtype=np.float32)
        if own_range:
            values = values - low
        return Image.fromarray(np.round(values * (255.0 / top)).astype(np.uint8))

    return scale
