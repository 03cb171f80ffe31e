"""A CLIP and a CLIP_VISION of the graph in place of a file: same weights, same similarity."""

from __future__ import annotations

from typing import Any

import pytest

from tests.comfyui.client import Client, Prompt
from tests.comfyui.graphs import (
    CLIP_L_CHOICE,
    DEMO,
    checkpoint,
    clip_file,
    clip_vision,
    learn,
    node,
    text,
    view,
    with_lora,
)
from tests.support.payloads import assert_learned, assert_viewed

pytestmark = pytest.mark.comfyui

FROM_FILE = {"model": CLIP_L_CHOICE}
# The projection is of the file in every case: checkpoints have none for CLIP-L.
FROM_CHECKPOINT = {**FROM_FILE, "clip": ["checkpoint", 1], "clip_vision": ["vision", 0]}
FROM_CLIP_FILE = {**FROM_CHECKPOINT, "clip": ["clip", 0]}
WITH_LORA = {**FROM_CHECKPOINT, "clip": ["lora", 1]}


@pytest.fixture
def parts(client: Client, png: bytes) -> Prompt:
    """The loaders; the picture has the size of CLIP's input, so nobody has to resize it."""
    return {
        "picture": node("LoadImage", image=client.upload("pez-clip.png", png)),
        "checkpoint": checkpoint(),
        "clip": clip_file(),
        "lora": with_lora(["checkpoint", 1]),
        "vision": clip_vision(),
    }


def learned(client: Client, parts: Prompt, **changes: Any) -> dict[str, Any]:
    run = client.run({**parts, "learner": learn(["picture", 0], tokens=3, **changes)}, 300)
    assert run.succeeded, run.ending
    return assert_learned(run.output("learner"))


def similarity(
    client: Client, parts: Prompt, words: str = "silent skater", **changes: Any
) -> float:
    """Of one text with the picture, by the Token Viewer."""
    graph = {**parts, "text": text(words), "viewer": view(
        prompt=["text", 0], image=["picture", 0], **changes
    )}  # fmt: skip
    run = client.run(graph, 300)
    assert run.succeeded, run.ending
    payload = assert_viewed(run.output("viewer"))
    assert payload["compared_with"] == "the picture"
    return float(payload["similarity"])


def test_the_clip_of_the_graph_equals_the_file(client: Client, parts: Prompt) -> None:
    """What is learned by the graph's CLIP has the same similarity by the file. The words may
    differ: with random weights the last bits of half precision decide between them."""
    for source in (FROM_CHECKPOINT, FROM_CLIP_FILE):
        graph = learned(client, parts, **source)
        by_file = similarity(client, parts, graph["text"], **FROM_FILE)
        assert graph["similarity"] == pytest.approx(by_file, abs=1e-3)


def test_a_text_scores_the_same_by_graph_and_by_file(client: Client, parts: Prompt) -> None:
    file = similarity(client, parts, **FROM_FILE)
    graph = similarity(client, parts, **FROM_CHECKPOINT)
    assert graph == pytest.approx(file, abs=1e-3)


def test_a_lora_counts(client: Client, parts: Prompt) -> None:
    """With it, without it, with it again: all clones of a CLIP share one module in ComfyUI, and
    none may see what another has merged."""
    with_it = similarity(client, parts, **WITH_LORA)
    without = similarity(client, parts, **FROM_CHECKPOINT)
    assert abs(with_it - without) > 1e-3
    weak = {**parts, "lora": with_lora(["checkpoint", 1], 0.0)}
    assert similarity(client, weak, **WITH_LORA) == pytest.approx(without, abs=1e-6)
    assert similarity(client, parts, **WITH_LORA) == pytest.approx(with_it, abs=1e-6)


def test_a_lora_counts_in_a_graph_that_painted_with_the_plain_clip(
    client: Client, parts: Prompt
) -> None:
    """CLIPTextEncode merges the LoRA into the live weights, or takes it out."""
    lone = learned(client, parts, **FROM_CHECKPOINT)
    encoded = {
        "encoded": node("CLIPTextEncode", clip=["lora", 1], text="a dog"),
        "probe": node("Other_Conditioning", conditioning=["encoded", 0]),
    }
    assert client.run({**parts, **encoded}).succeeded
    again = learned(client, parts, **FROM_CHECKPOINT, seconds=1000.0)  # no cache hit
    assert again["text"] == lone["text"]
    assert again["similarity"] == pytest.approx(lone["similarity"], abs=1e-6)


def test_a_model_that_does_not_fit_the_clip_is_refused(client: Client, parts: Prompt) -> None:
    """The demo's projection is not CLIP-L's: a plain word, and what to do."""
    changes = {**FROM_CHECKPOINT, "model": DEMO}
    run = client.run({**parts, "learner": learn(["picture", 0], **changes)})
    assert "CLIP-L" in run.error and "choose" in run.error, run.error
