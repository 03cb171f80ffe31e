"""Edits as a workflow may hold them, and what the Token Viewer makes of them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pez_core.text.edits import edited_words, parse_edits, split_words
from pez_core.text.vocabulary import Vocabulary
from tests.fuzz.hostile import refused_or_done, texts, values, with_one_wrong
from tests.support.nodes_support import Comfy

pytest_plugins = ("tests.support.nodes_fixtures",)

EDITS = {
    "schema": 1, "source": "a red cat", "locked": [0], "banned": ["red"], "replaced": {"2": "dog"},
}  # fmt: skip
written = st.one_of(
    texts, values.map(json.dumps), with_one_wrong(EDITS).map(json.dumps), st.just(json.dumps(EDITS))
)
prompts = st.one_of(texts, st.just("a red cat"))


@given(written, prompts)
def test_edits(vocabulary: Vocabulary, edits: str, prompt: str) -> None:
    with refused_or_done():
        parsed = parse_edits(edits).of(prompt)
        again = parse_edits(json.dumps(parsed.to_json()))
        assert again == parsed
        edited_words(split_words(prompt, vocabulary), parsed)


@given(written, prompts)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_token_viewer(comfy: Comfy, edits: str, prompt: str) -> None:
    ours = comfy.module("pez_core.errors").PezError  # the pack's own copy
    try:
        out: Any = comfy.view(prompt=prompt, edits=edits)
    except ours as error:
        assert str(error).strip()
    else:
        assert len(out.result) == 3
        json.dumps(out.ui)
