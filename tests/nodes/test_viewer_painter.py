"""Token Viewer with the model that paints: what words add, by its errors."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.graph_painter import Eye, Model, Reader, patched
from tests.support.nodes_support import DEMO, NODE, Comfy, edits, example, image_of, viewed

pytest_plugins = ("tests.support.nodes_fixtures",)
PROMPT = "(red:1.2) skateboard, dunno"


def worth(text: str) -> float:
    """The clean latent is 1: red and a skateboard come near to it, a cat does not."""
    values = {"red": -1.5, "skateboard": -2.0, "cat": 1.0}
    return 5.0 + sum(value for word, value in values.items() if word in text)


def by_painter(comfy: Comfy, **changes: Any) -> Any:
    given = {
        "prompt": PROMPT, "image": image_of(example()), "painter": patched(Model()), "vae": Eye(),
        "clip": Reader(worth), **changes,
    }  # fmt: skip
    return comfy.view(**given)


def test_the_painter_says_what_words_add(comfy: Comfy) -> None:
    """With any text encoder, weights and punctuation included."""
    reader = Reader(worth)
    shown = viewed(by_painter(comfy, clip=reader))
    added = {word["text"]: [part["contribution"] for part in word["tokens"]]
             for word in shown["words"]}  # fmt: skip
    assert [*added] == ["red", "skateboard", ",", "dunno"]
    error = (worth(PROMPT) - 1) ** 2 / (worth("") - 1) ** 2
    assert shown["error"] == pytest.approx(error, abs=0.02)
    for word in ("red", "skateboard"):
        without = (worth(PROMPT.replace(word, "")) - 1) ** 2 / (worth("") - 1) ** 2
        assert added[word] == pytest.approx([without - error] * len(added[word]), abs=0.02)
    assert added[","] == [0.0] and {*added["dunno"]} == {0.0}
    assert shown["similarity"] is None and shown["words"][0]["alternatives"] == []
    assert {"", PROMPT, "skateboard, dunno", "(red:1.2) skateboard dunno"} <= {*reader.read}
    assert shown["counts"] == [{"encoder": "qwen", "tokens": 3}]


def test_the_alternatives_are_in_the_painters_order(comfy: Comfy) -> None:
    """CLIP proposes them, by the model of the drop-down: the graph has none."""
    by_clip = viewed(comfy.view(prompt=PROMPT, model=DEMO, image=image_of(example())))
    shown = viewed(by_painter(comfy, model=DEMO))
    assert shown["similarity"] == by_clip["similarity"]
    for mine, theirs in zip(shown["words"], by_clip["words"], strict=True):
        assert {a["text"] for a in mine["alternatives"]} == {
            a["text"] for a in theirs["alternatives"]
        }
        errors = [a["error"] for a in mine["alternatives"]]
        assert errors == sorted(errors) and errors[0] > 0
        assert all(a["error"] is None for a in theirs["alternatives"])


def test_the_error_is_of_the_prompt_passed_on(comfy: Comfy) -> None:
    plain = "red skateboard, dunno"
    changed = edits(plain, replaced={"3": "cat"})
    before, after = viewed(by_painter(comfy)), by_painter(comfy, edits=changed)
    assert after.args[0] == "(red:1.2) skateboard, cat"
    shown = viewed(after)
    error = (worth("red skateboard cat") - 1) ** 2 / (worth("") - 1) ** 2
    assert shown["error"] == pytest.approx(error, abs=0.02)
    assert [w["tokens"] for w in shown["words"]] == [w["tokens"] for w in before["words"]]


def test_the_bar_moves_and_a_cancel_ends_it(comfy: Comfy, monkeypatch: pytest.MonkeyPatch) -> None:
    by_painter(comfy)
    assert comfy.bar[0] == (0, 4, NODE)
    monkeypatch.setattr(comfy.mm, "interrupt_after", 5)
    with pytest.raises(comfy.mm.InterruptProcessingException):
        by_painter(comfy)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": None}, "to measure the words with `painter`, connect `image`"),
        ({"vae": None}, "the VAE that you paint with is missing"),
        ({"clip": None}, "the CLIP that you paint with is missing"),
        ({"painter": None}, "the MODEL that you paint with is missing"),
        ({"vae": Eye(16)}, "gives latents of 16 channels and 2 dimensions"),
    ],
)
def test_what_is_missing(comfy: Comfy, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(comfy.errors.PezError, match=message):
        by_painter(comfy, **changes)


def test_a_prompt_without_words_is_not_measured(comfy: Comfy) -> None:
    assert viewed(by_painter(comfy, prompt=" "))["error"] is None
