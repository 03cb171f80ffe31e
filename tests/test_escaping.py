"""Escaped prompts, read by the grammars of the programs that they are for."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pez_core.escaping import PROGRAMS, escape, unescapable
from pez_core.text.vocabulary import Vocabulary, clip_vocabulary
from tests.support.prompt_readers import READERS

WORDS = clip_vocabulary()
PIECES = [
    *"()[]\\:<>_|{}.,1-+ aÀ²", "AND", "BREAK", "lora", "embedding:", ":1.3", " :2 ", "cat", "\n",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)


@pytest.mark.parametrize("program", PROGRAMS)
@given(text=texts)
@example(r"\( \\( \\\) ((a:1.2)) ([x]:0.5) \[")
@example("<lora:x:1> <_lora:x> <<a1:b> <__:c>")
@example("a AND b:0.3 BREAK (c AND :2)")
@example("embedding:x, embedding:embedding:y :1")
@example("a cat: -.5")
def test_an_escaped_text_is_read_literally(program: str, text: str) -> None:
    """Without weights, files or networks, and to the ids of the text itself."""
    read, literal = READERS[program](escape(text, program))
    assert literal and WORDS.encode(read) == WORDS.encode(text)


@pytest.mark.parametrize("program", PROGRAMS)
def test_plain_words_stay_as_they_are(program: str, vocabulary: Vocabulary) -> None:
    """And so does every text of the usual vocabulary."""
    for text in ("watermelon quiet lady", "a photo of sks, 35mm f/1.8: soft light", "c'est l'été"):
        assert escape(text, program) == text


@pytest.mark.parametrize(
    ("text", "comfyui", "a1111"),
    [
        ("cat (smiling)", r"cat \(smiling\)", r"cat \(smiling\)"),
        ("[cat:dog:3]", "[cat:dog:3]", r"\[cat:dog:3\]"),
        (r"\o/", r"\o/", r"\\o/"),
        ("<lora:x:1>", "<lora:x:1>", "< lora:x:1>"),
        ("embedding:bad", "embedding :bad", "embedding:bad"),
        ("a cat :2", "a cat :2", r"a cat :\2"),
    ],
)
def test_each_program_has_its_own_escapes(text: str, comfyui: str, a1111: str) -> None:
    """Parentheses alone are written alike for both."""
    assert (escape(text), escape(text, "comfyui")) == (comfyui, comfyui)
    assert escape(text, "a1111") == a1111


def test_the_readers_find_what_is_not_literal() -> None:
    """So that the tests above can fail."""
    for prompt in ("(a)", "a (b:1.2)", "embedding:x", "a embedding:x"):
        assert not READERS["comfyui"](prompt)[1], prompt
    for prompt in ("(a)", "[a]", "<lora:x>", "a AND b", "a BREAK b", "a :2", "a: -.5 ", r"\\(a"):
        assert not READERS["a1111"](prompt)[1], prompt
    assert READERS["comfyui"](r"\\(a") == (r"\(a", True)
    assert READERS["comfyui"](r"\[a\]") == (r"\[a\]", True)
    assert READERS["a1111"](r"\[a\] \b") == ("[a] b", True)


def test_what_no_escape_can_keep_is_named() -> None:
    assert unescapable("a {b|c} // d", "comfyui") == ["{", "}", "//"]
    assert unescapable("a #b {c}", "a1111") == ["#"]
    assert unescapable("a b (c)", "comfyui") == []
