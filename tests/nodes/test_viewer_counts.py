"""Token Viewer: how the encoders of the graph read the prompt, and whether as it is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from pez_core.text.vocabulary import Vocabulary
from tests.support.nodes_support import Comfy, viewed

pytest_plugins = ("tests.support.nodes_fixtures",)


class Clip:
    """A CLIP object that only counts: chunks of 77 ids with their weights, and T5's."""

    def __init__(self, vocabulary: Vocabulary, *, t5: bool = False, mend: bool = False) -> None:
        self._vocabulary, self._t5, self._mend = vocabulary, t5, mend

    def tokenize(self, text: str) -> dict[str, list[list[tuple[Any, float]]]]:
        plain = text.replace("\\(", "(").replace("\\)", ")")
        ids = self._vocabulary.encode(plain.replace("cat", "dog") if self._mend else plain)
        start, end = self._vocabulary.start, self._vocabulary.end
        parts = [ids[i : i + 75] for i in range(0, max(1, len(ids)), 75)]
        chunks = [[start, *part, end, *[end] * (75 - len(part))] for part in parts]
        found = {"l": chunks, "g": [[*c[: c.index(end) + 1], *[0] * 9] for c in chunks]}
        if self._t5:
            found["t5xxl"] = [[71, *range(100, 100 + len(ids)), 1, 0, 0]]
        return {name: [[(i, 1.0) for i in c] for c in chunks] for name, chunks in found.items()}


@pytest.fixture
def counted(comfy: Comfy, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A view with a CLIP that only counts."""
    viewer = comfy.module("nodes.token_viewer")
    monkeypatch.setattr(viewer, "measure", lambda *given: viewer.Effects())
    return comfy.view


def test_the_counts_are_those_of_the_graphs_encoders(counted: Any, vocabulary: Vocabulary) -> None:
    shown = viewed(counted(prompt=r"a \(red\) cat", clip=Clip(vocabulary, t5=True)))
    assert shown["counts"] == [
        {"encoder": "CLIP-L", "tokens": 5},
        {"encoder": "CLIP-G", "tokens": 5},
        {"encoder": "T5-XXL", "tokens": 6},
    ]
    assert shown["exact"]


def test_the_chunks_are_counted_together(counted: Any, vocabulary: Vocabulary) -> None:
    shown = viewed(counted(prompt="word " * 100, clip=Clip(vocabulary)))
    assert [count["tokens"] for count in shown["counts"]] == [100, 100]
    assert shown["exact"]


def test_a_tokeniser_that_reads_otherwise(counted: Any, vocabulary: Vocabulary) -> None:
    """ComfyUI's own decides whether the text is exact."""
    shown = viewed(counted(prompt="a cat", clip=Clip(vocabulary, mend=True)))
    assert not shown["exact"] and shown["exact_text"] == "a dog"


class LanguageModel(Clip):
    """The text encoder of a graph whose model has only T5."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary, t5=True)
        self.cond_stage_model = torch.nn.Module()

    def tokenize(self, text: str) -> dict[str, list[list[tuple[Any, float]]]]:
        return {"t5xxl": super().tokenize(text)["t5xxl"]}


def test_tokens_are_counted_without_a_model(comfy: Comfy, vocabulary: Vocabulary) -> None:
    """It says "tokens only", so an encoder that cannot measure is not an error."""
    shown = viewed(comfy.view(prompt="a cat", clip=LanguageModel(vocabulary)))
    assert shown["counts"] == [{"encoder": "T5-XXL", "tokens": 3}]


def test_an_embedding_is_not_a_token(counted: Any, vocabulary: Vocabulary) -> None:
    clip = Clip(vocabulary)
    tokens = clip.tokenize("a cat")
    tokens["l"][0].insert(2, ([0.1, 0.2], 1.0))  # type: ignore[arg-type]
    clip.tokenize = lambda text: tokens  # type: ignore[method-assign]
    shown = viewed(counted(prompt="a cat", clip=clip))
    assert shown["counts"][0] == {"encoder": "CLIP-L", "tokens": 2} and shown["exact"]


def test_the_tokens_of_a_long_word_are_read_once(
    comfy: Comfy, vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A word of twice the length is not four times the work."""
    read, decode = list[int](), Vocabulary.decode
    own = comfy.module("pez_core.text.vocabulary").Vocabulary

    def counting(self: Vocabulary, ids: Sequence[int]) -> str:
        read.append(len(ids))
        return decode(self, ids)

    monkeypatch.setattr(own, "decode", counting)
    pieces = comfy.module("nodes.run.messages")._pieces
    for text in ("x" * 4000, "\U0001f349" * 1000, "\u65e5\u672c" * 1000, "\ufffd" * 1000):
        read.clear()
        ids = vocabulary.encode(text)
        shown = "".join(pieces(ids, comfy.module("pez_core.text.vocabulary").clip_vocabulary()))
        assert sum(read) <= 4 * len(ids)
        assert shown.replace("\u00b7", "") == text.replace("\ufffd", "")
