"""The exact-text guarantee in ComfyUI: its tokeniser makes of our prompts the ids that we
scored."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from pez_core import make_mask
from pez_core.text.vocabulary import Vocabulary
from tests.comfyui.client import Client
from tests.comfyui.graphs import learn, node, picture, text, view
from tests.support.payloads import assert_learned, assert_viewed

pytestmark = pytest.mark.comfyui

AWKWARD = (
    "a (red) car", "((wow)) such:1.5", "(cat:1.3)", r"back\slash", r"back\\slash \( )", ":) ;-( :(",
    "embedding:cat", "an embedding:cat (embedding:dog)", "{a|b} // c /* d */", "<lora:x:1> [b:c:3]",
    "it's 10% off, isn't it?", "under_score-dash", "100000", "BREAK Loud", "a  b\tc\nd", "()", "",
)  # fmt: skip


def comfyui_ids(client: Client, texts: list[str], *, escape: bool = True) -> dict[str, Any]:
    """What ComfyUI's tokeniser makes of texts, escaped by the pack's own function."""
    run = client.run({"ids": node("Other_Ids", texts=json.dumps(texts), escape=escape)})
    assert run.succeeded, run.ending
    return dict(run.output("ids")["report"][0])


def assert_same(client: Client, texts: list[str], vocabulary: Vocabulary) -> None:
    found = comfyui_ids(client, texts)
    assert found["ids"] == [vocabulary.encode(each) for each in texts]
    assert all(weights in ([], [1.0]) for weights in found["weights"])


def test_awkward_texts_keep_their_ids(client: Client, vocabulary: Vocabulary) -> None:
    """`embedding:` apart, which has to be broken to be read as text."""
    plain = [each for each in AWKWARD if "embedding:" not in each]
    assert_same(client, plain, vocabulary)
    broken = [each for each in AWKWARD if "embedding:" in each]
    found = comfyui_ids(client, broken)
    want = [vocabulary.encode(each.replace("embedding:", "embedding :")) for each in broken]
    assert found["ids"] == want


@pytest.mark.parametrize("kind", ["ascii", "words"])
def test_random_prompts_keep_their_ids(client: Client, vocabulary: Vocabulary, kind: str) -> None:
    """Several hundred prompts of a learner's tokens, up to the longest."""
    ids = list(make_mask(vocabulary, kind).ids)
    chance = random.Random(4)
    texts = [vocabulary.decode(chance.choices(ids, k=chance.randint(1, 75))) for _ in range(300)]
    assert_same(client, texts, vocabulary)


def test_random_punctuation_keeps_its_ids(client: Client, vocabulary: Vocabulary) -> None:
    chance = random.Random(5)
    signs = "()()[]{}\\:.,!?'\"#*+-/<>=~^$%&@|;_ 17ab "
    texts = ["".join(chance.choices(signs, k=chance.randint(1, 40))) for _ in range(300)]
    # Character references are decoded by one tokeniser and not by the other: no escape helps.
    texts = [each.replace("&", "and") for each in texts]
    assert_same(client, texts, vocabulary)


@pytest.mark.parametrize("seed", range(3))
def test_a_learned_prompt_is_encoded_to_the_ids_that_were_scored(
    client: Client, vocabulary: Vocabulary, seed: int
) -> None:
    graph = {
        "picture": picture(),
        "learner": learn(["picture", 0], tokens=12, seed=seed),
        "values": node("Other_Values", text=["learner", 0]),
    }
    run = client.run(graph)
    payload = assert_learned(run.output("learner"))
    scored = [token["id"] for token in payload["tokens"]]
    assert vocabulary.encode(payload["text"]) == scored
    prompt = run.output("values")["report"][0]["text"]
    assert comfyui_ids(client, [prompt], escape=False)["ids"] == [scored]


@pytest.mark.parametrize("prompt", [r"a \(red\) car", "a (blue:1.3) boat, two", "plain words"])
def test_the_viewer_passes_a_prompt_on_as_it_came(client: Client, prompt: str) -> None:
    """Escapes and weights included: the text encoder gets the same ids with the same weights."""
    graph = {
        "text": text(prompt),
        "viewer": view(prompt=["text", 0]),
        "values": node("Other_Values", text=["viewer", 0]),
    }
    run = client.run(graph)
    assert run.succeeded, run.ending
    payload = assert_viewed(run.output("viewer"))
    assert payload["similarity"] is None and payload["exact"]
    passed = run.output("values")["report"][0]["text"]
    want, found = (comfyui_ids(client, [each], escape=False) for each in (prompt, passed))
    assert found == want
    parts = [part["id"] for word in payload["words"] for part in word["tokens"]]
    assert parts == want["ids"][0]
