"""Templates: what is written, filled and rendered is what the tokeniser reads."""

from __future__ import annotations

import re
from functools import lru_cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pez_core.errors import TemplateError
from pez_core.text.template import parse_template
from pez_core.text.vocabulary import Vocabulary, clip_vocabulary, make_mask


@lru_cache
def closed_ids() -> tuple[int, ...]:
    return make_mask(clip_vocabulary(), "ascii").ids


def learned(vocabulary: Vocabulary, *words: str) -> list[int]:
    return [i for word in words for i in vocabulary.encode(word)]


def escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)
PROMPTLIKE = st.text("ab .,;:!?'\"(){}&#-_0123456789<>|\n", max_size=12)
UNICODE = st.text(st.characters(codec="utf-8"), max_size=12)


def assert_rendered_text_is_what_was_filled(fixed: list[str], data: st.DataObject) -> None:
    vocabulary = clip_vocabulary()
    sizes = data.draw(st.lists(st.integers(1, 4), min_size=len(fixed) - 1, max_size=len(fixed) - 1))
    slots = [f"{{{size}}}" for size in sizes] + [""]
    text = "".join(escaped(part) + slot for part, slot in zip(fixed, slots, strict=True))
    try:
        template = parse_template(text, vocabulary)
    except TemplateError:
        return  # too long, or CLIP's own start or end token in it
    count = template.learned
    ids = data.draw(st.lists(st.sampled_from(closed_ids()), min_size=count, max_size=count))
    assert vocabulary.encode(template.render(ids, vocabulary)) == template.fill(ids)


@given(st.lists(ASCII | PROMPTLIKE, min_size=2, max_size=4), st.data())
def test_a_rendered_prompt_is_its_filled_ids(fixed: list[str], data: st.DataObject) -> None:
    """With any ASCII around the slots and any tokens of a closed mask in them:
    encode(render(ids)) == fill(ids)."""
    assert_rendered_text_is_what_was_filled(fixed, data)


@given(st.lists(UNICODE, min_size=2, max_size=3), st.data())
def test_a_rendered_prompt_is_its_filled_ids_in_any_script(
    fixed: list[str], data: st.DataObject
) -> None:
    """The same with any Unicode."""
    assert_rendered_text_is_what_was_filled(fixed, data)


@pytest.mark.parametrize(
    ("text", "words", "prompt"),
    [
        ("{2}", ["dog", "cat"], "dog cat"),
        ("a photo of {2}, by {1}", ["red", "car", "picasso"], "a photo of red car, by picasso"),
        ("{1}.{1}", ["dog", "cat"], "dog. cat"),
        ("{1}, {1}", [")", "cat"], ") , cat"),
        ("super{1}man", ["dog"], "super dog man"),
        ("{1}'s bone", ["dog"], "dog 's bone"),
        ("{{{1}}} {{x}}", ["dog"], "{ dog } {x}"),
        ("  two   blanks {1}  ", ["dog"], "two   blanks dog"),
        ("{1}{1} {1}", ["dog", "cat", "owl"], "dog cat owl"),
        ("café {1} – 東京, 🐶 naïve ÜBER", ["dog"], "café dog – 東京, 🐶 naïve ÜBER"),
    ],
)
def test_a_template_reads_as_it_was_written(
    text: str, words: list[str], prompt: str, vocabulary: Vocabulary
) -> None:
    """Fixed words stay as written, slots are words of their own, a comma stays where it was."""
    template = parse_template(text, vocabulary)
    ids = learned(vocabulary, *words)
    assert template.render(ids, vocabulary) == prompt
    assert template.fill(ids) == vocabulary.encode(prompt)


def test_the_layout_has_a_hole_for_every_learned_token(vocabulary: Vocabulary) -> None:
    """Start, fixed ids, -1 where a token is learned, end."""
    template = parse_template("a {2} by {1}", vocabulary)
    a, by = vocabulary.encode("a by")
    assert template.layout == (vocabulary.start, a, -1, -1, by, -1, vocabulary.end)
    assert template.learned == 3
    assert template.text == "a {2} by {1}"


def test_a_template_may_fill_the_context_but_not_more(vocabulary: Vocabulary) -> None:
    """75 tokens fit, 76 do not, however they are shared between words and slots."""
    assert len(parse_template("{75}", vocabulary).layout) == 77
    assert len(parse_template("a cat {73}", vocabulary).layout) == 77
    for text in ("{76}", "a cat {74}", "{40}{36}", "{1}" + " dog" * 75):
        with pytest.raises(TemplateError, match="needs more tokens than fit.*reads 75.*shorten"):
            parse_template(text, vocabulary)


@pytest.mark.parametrize("digits", [12, 30, 5000])
def test_an_immense_slot_is_refused_like_a_large_one(digits: int, vocabulary: Vocabulary) -> None:
    """Before any memory is taken for it."""
    with pytest.raises(TemplateError, match="CLIP reads 75"):
        parse_template("{" + "9" * digits + "}", vocabulary)


@pytest.mark.parametrize("text", ["", "   ", "a photo", "{{8}}", "{{}}"])
def test_a_template_needs_a_slot(text: str, vocabulary: Vocabulary) -> None:
    """Doubled braces are not a slot."""
    with pytest.raises(TemplateError, match=r"has no slot: write \{8\}"):
        parse_template(text, vocabulary)


@pytest.mark.parametrize("text", ["{0}", "a {0} b {4}", "{000}"])
def test_an_empty_slot_is_refused(text: str, vocabulary: Vocabulary) -> None:
    """A slot of no tokens is a slip of the pen."""
    with pytest.raises(TemplateError, match=r"slot \{0+\}.*is empty.*at least 1"):
        parse_template(text, vocabulary)


@pytest.mark.parametrize(
    "text", ["{", "}", "{8", "8}", "{x} {8}", "{-1}", "{ 8 }", "{8} {}", "{8}}", "{1.5}"]
)
def test_a_stray_brace_is_refused(text: str, vocabulary: Vocabulary) -> None:
    """And the template is quoted."""
    with pytest.raises(TemplateError, match=rf"stray '[{{}}]'.*{re.escape(repr(text))}.*doubled"):
        parse_template(text, vocabulary)


@pytest.mark.parametrize("digit", ["８", "٣", "²"])
def test_only_plain_digits_size_a_slot(digit: str, vocabulary: Vocabulary) -> None:
    """Other scripts' digits are either read as their number or refused; nothing breaks."""
    try:
        template = parse_template(f"{{{digit}}}", vocabulary)
    except TemplateError:
        return
    assert template.learned == int(digit)


@pytest.mark.parametrize(
    "special", ["<|startoftext|>", "<|endoftext|>", "embedding:x", "embedding:EasyNegative,"]
)
def test_what_comfyui_does_not_read_as_words_is_refused(
    special: str, vocabulary: Vocabulary
) -> None:
    """The painter would read another prompt than the one that was measured."""
    match = f"contains '{re.escape(special)}'.*not read as words: remove it"
    with pytest.raises(TemplateError, match=match):
        parse_template(f"a {special} {{4}}", vocabulary)


@pytest.mark.parametrize("mark", ["<start_of_text>", "<END_OF_TEXT>", "&lt;end_of_text&gt;"])
def test_marks_that_are_words_to_comfyui_are_words(mark: str, vocabulary: Vocabulary) -> None:
    """And nothing after them is lost."""
    template = parse_template(f"a {mark} cat {{4}}", vocabulary)
    assert not vocabulary.special.intersection(template.layout[1:-1])
    assert vocabulary.decode(template.layout[1:-5]).endswith("> cat")


def test_a_template_that_is_not_utf8_can_be_printed(vocabulary: Vocabulary) -> None:
    template = parse_template("caf\udce9 {1}", vocabulary)
    assert (
        template.render(learned(vocabulary, "dog"), vocabulary).encode() == "caf\ufffd dog".encode()
    )


@pytest.mark.parametrize("text", ["Ã {2}", "MAÇÃ {1} Â", "{1} 0\x85", "Ã{1}©", "â€™ {1} 東京"])
def test_text_that_the_tokeniser_would_mend_keeps_its_tokens_or_is_refused(
    text: str, vocabulary: Vocabulary
) -> None:
    """open_clip's tokeniser repairs what looks like a wrong encoding, depending on what stands
    around it."""
    try:
        template = parse_template(text, vocabulary)
    except TemplateError:
        return
    ids = learned(vocabulary, "dog", "cat")[: template.learned]
    assert vocabulary.encode(template.render(ids, vocabulary)) == template.fill(ids)
