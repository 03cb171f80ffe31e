"""IMAGE tensors as pictures, checked for what a graph can get wrong."""

from __future__ import annotations

import torch
from PIL import Image
from torch import Tensor

from ...pez_core.errors import PictureError
from ...pez_core.pictures import MOST_PIXELS, to_rgb

CHANNELS = (1, 3, 4)  # grey, RGB, RGB with alpha
LEAST_SIDE = 8  # pixels; in fewer CLIP would see little more than one colour


def pictures_of(image: Tensor, name: str) -> list[Image.Image]:
    """The pictures of an IMAGE, (B, H, W, C) with values from 0 to 1, as RGB. C is 3, or 4 with
    alpha, which is laid on white, or 1 for grey. name: the input's.

    Raises PictureError, naming the input, for an empty batch, a mask, a picture of a few pixels or
    of far too many, and values that are not numbers.
    """
    if image.ndim == 3 and image.numel():
        raise PictureError(
            f"`{name}` has the shape {tuple(image.shape)}, which is that of a mask or of a picture "
            "without its batch: put the node 'Convert Mask to Image' before this one"
        )
    if image.ndim != 4 or not image.shape[0]:
        raise PictureError(
            f"`{name}` contains no picture (its shape is {tuple(image.shape)}): connect a node "
            "that returns at least one"
        )
    if not image.is_floating_point():
        raise PictureError(
            f"`{name}` contains values of the type {image.dtype}: an IMAGE has numbers from 0 to "
            "1, so divide them by 255"
        )
    _, height, width, channels = image.shape
    if channels not in CHANNELS:
        raise PictureError(
            f"`{name}` has {channels} colour channels: connect an RGB picture, which may have alpha"
        )
    if height * width > MOST_PIXELS:
        raise PictureError(
            f"`{name}` has {width} x {height} pixels, more than the {MOST_PIXELS:,} that are read: "
            "make it smaller first"
        )
    if min(height, width) < LEAST_SIDE:
        raise PictureError(
            f"`{name}` is {width} x {height} pixels, too small to show anything: use at least "
            f"{LEAST_SIDE} per side"
        )
    values = image.detach().to("cpu", torch.float32)
    if not bool(torch.isfinite(values).all()):
        raise PictureError(
            f"`{name}` contains values that are not numbers (NaN or infinity): check the node that "
            "made it, such as a VAE in half precision"
        )
    bytes_ = (values.clamp(0, 1) * 255).round().to(torch.uint8)
    if channels == 1:
        bytes_ = bytes_[..., 0]  # (B, H, W), as Pillow wants grey
    return [to_rgb(Image.fromarray(picture), f"`{name}`") for picture in bytes_.numpy()]
