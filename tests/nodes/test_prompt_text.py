"""Prompts as ComfyUI writes and reads them: escapes, and weights that survive an edit."""

from __future__ import annotations

import importlib
import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pez_core.text.edits import Edits, edited_words, parse_edits, split_words
from pez_core.text.vocabulary import clip_vocabulary
from tests.support.nodes_support import Loaded

pytest_plugins = ("tests.support.nodes_fixtures",)

WORDS = clip_vocabulary()
texts = st.text("()\\:.,1 abX{}|-\n", max_size=30)


@pytest.fixture(scope="session")
def prompt_text(loaded: Loaded) -> Any:
    return importlib.import_module(f"{loaded.pack.__name__}.nodes.run.prompt_text")


@given(text=texts)
@example(text=r"\( \\( \\\) ((a:1.2)) (")
def test_an_escaped_text_is_read_as_it_is(prompt_text: Any, text: str) -> None:
    """Every sign of it, all with the weight 1."""
    read, weights = prompt_text.read(prompt_text.escape(text))
    assert read == text and weights == [1.0] * len(text)


def test_no_text_becomes_an_embedding(prompt_text: Any) -> None:
    escaped = prompt_text.escape("an embedding:cat, embedding:embedding:x")
    assert "embedding:" not in escaped
    assert WORDS.encode(escaped) == WORDS.encode("an embedding :cat, embedding :embedding :x")


@pytest.mark.parametrize(
    ("prompt", "text", "weights"),
    [
        ("a (b) c", "a b c", [1, 1, 1.1, 1, 1]),
        ("(a:1.3)b", "ab", [1.3, 1]),
        ("((a)b)", "ab", [1.21, 1.1]),
        ("((a:2)b:0.5)", "ab", [2, 0.5]),
        (r"\(a:2\)", "(a:2)", [1] * 5),
        (r"(\(a\):2)", "(a)", [2] * 3),
        ("(a:x)", "a:x", [1.1] * 3),
    ],
)
def test_weights_are_read_as_comfyui_does(
    prompt_text: Any, prompt: str, text: str, weights: list[float]
) -> None:
    read, found = prompt_text.read(prompt)
    assert read == text and found == pytest.approx(weights)


@given(prompt=texts, place=st.integers(0, 9), new=st.sampled_from(["dog", "(x)", "red cat"]))
@example(prompt="(a b:1.2) (c:0.5)", place=1, new="dog")
@example(prompt="((a:1.5) b:0.3)", place=0, new="(x)")
def test_an_edit_changes_nothing_else(prompt_text: Any, prompt: str, place: int, new: str) -> None:
    """The other words keep their text, their white space and their weight."""
    text, weights = prompt_text.read(prompt)
    words = split_words(text, WORDS)
    of_words = prompt_text.weights_of(words, text, weights)
    edits = Edits(text, replaced={place: new} if place < len(words) else {})
    written, found = prompt_text.read(prompt_text.write(words, edits, of_words))
    kept = edited_words(words, edits)
    assert written == "".join(text for _, text in kept)
    at = 0
    for (_, text), weight in zip(kept, of_words, strict=True):
        at += len(text) - len(text.lstrip())
        text = text.lstrip()
        assert found[at : at + len(text)] == pytest.approx([weight] * len(text), rel=1e-3)
        at += len(text)


def test_a_word_has_the_weight_it_begins_with(prompt_text: Any) -> None:
    text, weights = prompt_text.read("(wat:1.5)ermelon (cat:0.5) cat")
    words = split_words(text, WORDS)
    assert prompt_text.weights_of(words, text, weights) == [1.5, 0.5, 1.0]


def test_a_word_replaced_by_nothing(prompt_text: Any) -> None:
    """Stays: "(:1.3)" would be read as text, not as a weight of nothing."""
    text, weights = prompt_text.read("a (cat:1.3) dog")
    words = split_words(text, WORDS)
    of_words = prompt_text.weights_of(words, text, weights)
    edits = parse_edits(json.dumps({"schema": 1, "source": text, "replaced": {"1": ""}}))
    assert prompt_text.write(words, edits, of_words) == "a (cat:1.3) dog"


EMBEDDED = [
    "embedding:EasyNegative, cat", "a cat, embedding:x", "(embedding:x:1.2), cat",
    "(a embedding:x)", "a(embedding:x:0.5)b", "a\nembedding:x\nb", "embedding:x", "embedding: x",
    "embedding:,", r"embedding:x\(1\), cat", "xembedding:y embedding:z",
    "embedding:a embedding:b", "(embedding:x)cat",
    "a(embedding:x:1)(b:1)", "embedding:a,b", "embedding:x,, cat", "(a:1.2)(embedding:x:1.2)",
]  # fmt: skip


def names(prompt_text: Any, prompt: str) -> list[str]:
    """What ComfyUI looks up, by its own splitting: after a space or a line break, or at the start
    of a piece."""
    pieces = prompt_text.token_weights(prompt_text.escape_important(prompt), 1.0)
    split = [re.split(r"[ \n]", prompt_text.unescape_important(piece)) for piece, _ in pieces]
    words = [word for some in split for word in some if word.startswith("embedding:")]
    return [word.removeprefix("embedding:").rstrip(",") for word in words]


@pytest.mark.parametrize("prompt", EMBEDDED)
@pytest.mark.parametrize("edit", [{}, {"banned": ("cat", "a", ",")}, {"replaced": {0: "dog"}}])
def test_an_embedding_survives_every_edit_of_its_neighbours(
    prompt_text: Any, prompt: str, edit: dict[str, Any]
) -> None:
    text, weights = prompt_text.read(prompt)
    words = prompt_text.read_words(prompt, WORDS)
    assert "".join(word.before + word.text for word in words) == text
    if "replaced" in edit and not words[0].ids:
        edit = {}
    of_words = prompt_text.weights_of(words, text, weights)
    written = prompt_text.write(words, Edits(text, **edit), of_words)
    assert names(prompt_text, written) == names(prompt_text, prompt)
    assert len(prompt_text.embeddings(prompt)) == len(names(prompt_text, prompt))
    assert names(prompt_text, ", ".join(prompt_text.embeddings(prompt))) == names(
        prompt_text, prompt
    )
    ids = [i for word in words for i in word.ids]
    assert ids == WORDS.encode(prompt_text.without_embeddings(prompt))


def test_weights_of_embeddings_stay(prompt_text: Any) -> None:
    assert prompt_text.embeddings("a (b embedding:x:1.2), embedding:y") == [
        "(embedding:x:1.2)", "embedding:y",
    ]  # fmt: skip
    prompt = "(big embedding:x red:1.2) cat"
    text, weights = prompt_text.read(prompt)
    words = prompt_text.read_words(prompt, WORDS)
    of_words = prompt_text.weights_of(words, text, weights)
    written = prompt_text.write(words, Edits(text, banned=("cat",)), of_words)
    assert written == "(big:1.2) (embedding:x:1.2) (red:1.2)"
