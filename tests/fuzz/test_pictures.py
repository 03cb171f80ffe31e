"""Damaged pictures of every kind."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pez_core.pictures import decode_picture
from tests.fuzz.hostile import bytes_with_one_wrong, refused_or_done

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "PPM")


def saved(kind: str) -> bytes:
    """A small picture in which no two rows are alike."""
    picture = Image.linear_gradient("L").resize((24, 24)).convert("RGB")
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


@pytest.mark.filterwarnings("ignore")  # Pillow's own, of damaged metadata
@settings(max_examples=25)
@given(st.data())
@pytest.mark.parametrize("kind", FORMATS)
def test_damaged_pictures(kind: str, data: st.DataObject) -> None:
    content = data.draw(bytes_with_one_wrong(saved(kind)))
    with refused_or_done():
        assert decode_picture(content, "picture").mode == "RGB"
