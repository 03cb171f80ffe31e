"""Any text whatever, where texts come in: templates, bans, lists, prompts, and the guard."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pez_core import ClipModel, Guard, make_guard
from pez_core.errors import VocabularyError
from pez_core.text.bans import escape_ban, make_bans, split_bans
from pez_core.text.edits import split_words
from pez_core.text.line_files import read_lines
from pez_core.text.template import MOST_TOKENS, parse_template
from pez_core.text.text_parts import text_parts
from pez_core.text.vocabulary import Vocabulary, make_mask
from tests.fuzz.hostile import refused_or_done, texts

folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def guard(demo: ClipModel) -> Guard:
    return make_guard(demo, ["a watermelon"])


@given(texts)
def test_templates(vocabulary: Vocabulary, text: str) -> None:
    with refused_or_done():
        template = parse_template(text, vocabulary)
        learned = [vocabulary.encode("cat")[0]] * template.learned
        prompt = template.render(learned, vocabulary)
        assert vocabulary.encode(prompt) == template.fill(learned)
        assert len(template.layout) <= MOST_TOKENS + 2


@given(texts, texts)
def test_bans(vocabulary: Vocabulary, bans: str, text: str) -> None:
    with refused_or_done():
        mask = make_mask(vocabulary, "words", ban=split_bans(bans), words=["cat", "dog", "tree"])
        mask.permits(text)


@given(texts)
def test_a_word_is_banned_by_its_own_escape(vocabulary: Vocabulary, text: str) -> None:
    for word in split_words(text, vocabulary):
        bans = make_bans(split_bans(escape_ban(word.text)))
        assert bans is not None and bans.read_in(word.text)


@given(texts)
def test_prompts(vocabulary: Vocabulary, text: str) -> None:
    ids = vocabulary.encode(text)
    assert not vocabulary.special.intersection(ids)
    vocabulary.round_trips(ids)
    vocabulary.decode(ids).encode("utf-8")
    words = split_words(text, vocabulary)
    assert [i for word in words for i in word.ids] == ids
    parts = text_parts(text, vocabulary)
    assert all(len(vocabulary.encode(part)) <= MOST_TOKENS for part in parts if len(part) > 1)


@given(st.lists(texts, min_size=1, max_size=3))
@settings(max_examples=20)
def test_guarded_texts(demo: ClipModel, guard: Guard, prompts: list[str]) -> None:
    found = guard.check(demo, prompts)
    assert len(found) == len(prompts)
    assert all(-1.001 <= one.similarity <= 1.001 for each in found for one in each.values())


@given(st.lists(texts, max_size=2))
@settings(max_examples=8)
def test_concepts(demo: ClipModel, concepts: list[str]) -> None:
    with refused_or_done():
        make_guard(demo, concepts)


@folder
@given(st.one_of(st.binary(max_size=60), texts.map(lambda t: t.encode("utf-8", "replace"))))
def test_lists(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    with refused_or_done():
        lines = read_lines(path, VocabularyError)
        assert all(line == line.strip() and line for line in lines)
