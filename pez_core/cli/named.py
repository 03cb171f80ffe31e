"""Targets by the names of the command line: the file of a picture, or a text."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch
from PIL import Image

from ..clip.models import ClipModel
from ..pictures import is_picture, open_picture
from ..targets import Targets, make_targets
from ..text.template import MOST_TOKENS

log = logging.getLogger(__name__)

Named = tuple[str, Image.Image | None]  # a picture with its file's name, or a text


def picture_or_text(name: str) -> Named:
    """The picture of that name where there is one, else the text.

    Raises PictureError for a missing file with a picture's ending, and as `open_picture` does.
    """
    return name, open_picture(name) if is_picture(name) else None


def named_targets(model: ClipModel, items: Sequence[Named], weights: Sequence[float]) -> Targets:
    """Targets of named pictures, and of texts where there is no picture, each with its weight."""
    images = [image for _, image in items if image is not None]
    texts = [name for name, image in items if image is None]
    warn_of_cuts(texts, model)
    # One call for all pictures, because every call reads the image tower from disk.
    seen = iter(model.encode_pictures(images) if images else ())
    read = iter(model.encode_texts(texts) if texts else ())
    features = [next(read if image is None else seen) for _, image in items]
    return make_targets(torch.stack(features), weights, [name for name, _ in items])


def warn_of_cuts(texts: Sequence[str], model: ClipModel) -> None:
    """Warns of each text that is longer than CLIP reads."""
    for text in texts:
        if len(model.vocabulary.encode(text)) > MOST_TOKENS:
            log.warning("CLIP reads %d tokens: the rest of %.40r… is cut off", MOST_TOKENS, text)
