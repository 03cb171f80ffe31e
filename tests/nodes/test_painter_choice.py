"""Image→Hard Prompt with the model that paints: it chooses, and edits its choice."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from tests.support.graph_painter import Eye, Model, Reader, patched
from tests.support.nodes_support import DEMO, NODE, Comfy, example, image_of

pytest_plugins = ("tests.support.nodes_fixtures",)


def last_initial(text: str) -> float:
    """Small for prompts whose last word begins late in the alphabet."""
    return 1.0 + ord("z") - ord(text.split()[-1][0]) if text else 100.0


def learned(comfy: Comfy, template: str, reader: Reader, vae: Eye, edits: int | None) -> Any:
    """What the learner returns, with one small search. edits: None without a painter."""
    encoder, learning = comfy.module("nodes.models.encoder"), comfy.module("nodes.run.learning")
    painter = comfy.module("nodes.run.denoising").GraphPainter(patched(Model()), vae, reader)
    image, config = image_of(example()), comfy.module("pez_core.config").PRESETS["fast"]
    clip, seen = encoder.open_encoder(encoder.ModelRequest(DEMO, None, None), {"image": image})
    goal = comfy.module("pez_core.targets").make_targets(seen["image"])
    search = learning.Search(template, config, 0, "words", "")
    choosing = comfy.module("nodes.run.choosing")
    chooser = None if edits is None else choosing.Chooser(painter, image, edits)
    with torch.inference_mode():
        return learning.run_search(NODE, clip, goal, search, chooser=chooser)


def test_the_learner_lets_the_model_choose(comfy: Comfy) -> None:
    """Among the candidates of its search, of which the output is the first."""
    plain, chosen = (
        learned(comfy, "{3}", Reader(last_initial), Eye(), edits) for edits in (None, 0)
    )
    assert sorted(chosen.args[3]) == sorted(plain.args[3]) != plain.args[3][:1]
    initials = [text.split()[-1][0] for text in chosen.args[3]]
    assert initials == sorted(initials, reverse=True) != [t.split()[-1][0] for t in plain.args[3]]
    assert chosen.args[0] == chosen.args[3][0]
    assert chosen.args[1] == chosen.ui["pez"][0]["similarity"] < plain.args[1]
    assert chosen.ui["pez"][0]["note"].startswith("chosen by the model you paint with")
    assert chosen.ui["pez"][0]["edited"] is None


def test_the_learner_lets_the_model_edit_its_choice(comfy: Comfy) -> None:
    """CLIP proposes, the model takes; the words of the template stay, and are still marked."""
    reader = Reader(lambda text: 1.0 + len(text) if text else 100.0)
    chosen, edited = (learned(comfy, "a Drawing of {3}", reader, Eye(), n) for n in (0, 2))
    (message,) = json.loads(json.dumps(edited.ui["pez"]))
    steps = message["edited"]["edits"]
    assert 1 <= len(steps) <= 2 and message["text"] == steps[-1]["prompt"] == edited.args[3][0]
    assert len(message["text"]) < len(chosen.args[0]) and message["text"] == edited.args[0]
    fixed = [token["text"] for token in message["tokens"] if token["fixed"]]
    assert fixed == ["a", "drawing", "of"] and message["text"].startswith("a Drawing of ")
    again = comfy.view(prompt=message["text"], image=image_of(example()), model=DEMO)
    assert edited.args[1] == message["similarity"]
    assert again.ui["pez"][0]["similarity"] == pytest.approx(message["similarity"], abs=1e-6)


def test_the_page_hears_of_the_model_at_work(comfy: Comfy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comfy.module("nodes.run.live"), "INTERVAL", 0.0)
    learned(comfy, "{3}", Reader(last_initial), Eye(), 1)
    phases = [data["phase"] for _, data, _ in comfy.server.sent if "phase" in data]
    assert [*dict.fromkeys(phases)][-2:] == ["choose", "edit"]


def test_edits_without_a_painter_are_refused(comfy: Comfy) -> None:
    with pytest.raises(comfy.errors.ConfigError, match="`painter_edits` needs the model"):
        comfy.learn(image_of(example()), painter_edits=2)


def test_a_painter_that_does_not_fit_is_refused_before_the_search(comfy: Comfy) -> None:
    with pytest.raises(comfy.errors.ConfigError, match="connect the VAE that belongs"):
        learned(comfy, "{3}", Reader(), Eye(16), 0)
    assert comfy.bar == []


@pytest.mark.parametrize("given", [{"painter": patched(Model())}, {"vae": Eye()}])
def test_the_learner_names_what_is_missing(comfy: Comfy, given: dict[str, Any]) -> None:
    with pytest.raises(comfy.errors.ConfigError, match="that you paint with is missing"):
        comfy.learn(image_of(example()), **given)
