"""IMAGE tensors as pictures: checked here, once, for what a graph can get wrong."""

from __future__ import annotations

import torch
from PIL import Image
from torch import Tensor

from ...pez_core.errors import PictureError
from ...pez_core.pictures import MOST_PIXELS, to_rgb

LEAST_SIDE = 8  # pixels; CLIP would see nothing but one colour in less


def pictures_of(image: Tensor, name: str) -> list[Image.Image]:
    """The pictures of an IMAGE, (B, H, W, 3) with values from 0 to 1. name: the input's.

    Raises PictureError, naming the input, for an empty batch, an alpha channel, a picture of a few
    pixels or of far too many, and values that are no numbers.
    """
    if image.ndim != 4 or not image.shape[0]:
        raise PictureError(
            f"`{name}` holds no picture (its shape is {tuple(image.shape)}): connect a node that "
            "gives at least one"
        )
    if not image.is_floating_point():
        raise PictureError(
            f"`{name}` holds values of the type {image.dtype}: an IMAGE has numbers from 0 to 1, "
            "divide them by 255"
        )
    _, height, width, channels = image.shape
    if channels == 4:
        raise PictureError(
            f"`{name}` has an alpha channel, and what lies behind it is not known: put the node "
            "'Split Image with Alpha' before it, or paint it on a background"
        )
    if channels != 3:
        raise PictureError(f"`{name}` has {channels} colour channels: give an RGB picture, of 3")
    if height * width > MOST_PIXELS:
        raise PictureError(
            f"`{name}` has {width} x {height} pixels, more than the {MOST_PIXELS:,} that are read: "
            "make it smaller first"
        )
    if min(height, width) < LEAST_SIDE:
        raise PictureError(
            f"`{name}` is {width} x {height} pixels, too small to show anything: give at least "
            f"{LEAST_SIDE} a side"
        )
    values = image.detach().to("cpu", torch.float32)
    if not bool(torch.isfinite(values).all()):
        raise PictureError(
            f"`{name}` holds values that are no numbers (NaN or infinity): look at the node that "
            "made it, such as a VAE in half precision"
        )
    bytes_ = (values.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    return [to_rgb(Image.fromarray(picture), f"`{name}`") for picture in bytes_]
