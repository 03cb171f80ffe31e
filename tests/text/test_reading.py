"""The readings of a text: what hides a word from a tokeniser hides it from none of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pez_core.text.bans import make_bans
from pez_core.text.look_alikes import LOOK_ALIKES
from pez_core.text.reading import clean, fold, readings, respelt, valid

MARKS = ["<start_of_text>", "<end_of_text>", "<|startoftext|>", "<|endoftext|>", "<End_Of_Text>"]
UNSEEN = (
    "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u061c\u180e\u2064\u202e\u2066\ufe0f\U000e0101"
    "\U000e0070\u115f\u1160\u3164\uffa0\u2800\ufffc\ufffd\x00\x07\x7f\ue000\udcff"
)
ACCENTS = "\u0301\u0336\u0338\u20dd\u0489\u1dc4"
plain = st.text([*"\t\n\r", *(chr(c) for c in range(32, 127) if chr(c) not in "&<>")], max_size=60)


@given(plain)
def test_plain_text_has_one_reading(text: str) -> None:
    """So that nothing is read twice."""
    assert readings(text) == (text,) and respelt(text) is None


def test_plain_lines_are_not_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    """ftfy reads line by line: 100,000 lines took it seconds."""
    monkeypatch.setattr("ftfy.fix_text", lambda text: pytest.fail("it was called"))
    assert clean("A cat,\r\n\ta dog\n") == "a cat, a dog"


@pytest.mark.parametrize("sign", [*MARKS, *UNSEEN])
def test_what_nobody_sees_is_inside_a_word_or_between_two(sign: str) -> None:
    assert {"a watermelon", "a water melon"} <= set(readings(f"a water{sign}melon"))
    assert "a melon" in readings(f"a {sign} melon") and respelt(f"wa{sign}ter") == "water"


@pytest.mark.parametrize("sign", ACCENTS)
def test_accents_go(sign: str) -> None:
    assert fold("".join(c + sign for c in "melon")) == "melon"


@pytest.mark.parametrize(
    "text",
    [
        "ＭＥＬＯＮ", "𝗺𝗲𝗹𝗼𝗻", "ⓜⓔⓛⓞⓝ", "🅜🅔🅛🅞🅝", "🅼🅴🅻🅾🅽", "🇲🇪🇱🇴🇳", "⒨⒠⒧⒪⒩", "ᴍᴇʟᴏɴ", "ᵐᵉˡᵒⁿ",
        "mеlоn", "мᎬӏοп", "ꓟꓰꓡꓳꓠ", "ⲘⲈⳐⲞⲚ", "ɱęłøŋ", "mélon", "Ꮇꭼꮮօռ", "&#109;el&#111;n",
        "𐊰𐊆𖼖𐊒𐔓", "𐌑el๏n", "ʍel๐n", "mel𑣈n", "𑜀el௦n",
    ],
)  # fmt: skip
def test_letters_that_look_latin_are(text: str) -> None:
    assert "melon" in readings(text)


def test_the_table_leads_to_letters() -> None:
    for sign, letters in LOOK_ALIKES.items():
        assert not sign.isascii() and letters.isalpha() and letters.islower()
        assert fold(sign) == letters


def test_what_is_unescaped_by_one_painter_only_is_read_both_ways() -> None:
    """open_clip reads "¬ebook", ComfyUI "& notebook"."""
    assert clean("&notebook") == "\u00acebook"
    assert {"\u00acebook", "& notebook"} <= set(readings("&notebook"))


def test_other_scripts_are_read_as_they_are() -> None:
    assert readings("한국어 수박") == ("한국어 수박",)
    assert readings("西瓜")[0] == "西瓜" and respelt("西瓜") is None
    assert respelt("собака 狗") is None


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Café", None), ("rosé wine", None), ("wаter", "water"), ("Ｗater", "water"),
        ("w\u0336ater", "water"), ("<end_of_text> dog", "dog"), ("<end_of_text>", None),
        ("p&#105;zza", "pizza"), ("\u200b", None), ("", None),
    ],
)  # fmt: skip
def test_what_somebody_meant(text: str, meant: str | None) -> None:
    """Accents are meant."""
    assert respelt(text) == meant


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_text_is_read(left: str, right: str) -> None:
    """Lone surrogates, control characters and marks of any form."""
    for text in (left + right, f"{left}<end_of_text>{right}", f"{left}&{right}"):
        for reading in readings(text)[1:]:
            reading.encode("utf-8")
        assert valid(text).encode("utf-8").decode("utf-8") == valid(text)


def test_bans_are_read_in_every_reading_and_mean_what_they_look_like() -> None:
    bans = make_bans(["melon", "сat*"])  # with a Cyrillic letter
    assert bans is not None
    for text in ("a mеlon", "a me\u200blon", "a <|endoftext|>melon", "cats", "сats", "ＣＡＴ"):
        assert bans.read_in(text), text
    assert not bans.read_in("a lemon, a mel on") and not bans.spelt_in("a mеlon")
