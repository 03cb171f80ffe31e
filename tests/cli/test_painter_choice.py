"""What a painter may edit: the bans and the guard of the search hold for edits, too."""

from __future__ import annotations

import pytest

from pez_core import ClipModel, make_guard, make_mask, make_targets
from pez_core.applications.word_edits import proposer
from pez_core.cli.painter_choice import chosen_by_painter
from pez_core.errors import ModelError
from pez_core.prompt import Candidate, LearnedPrompt

TEXT = "a lady watermelon"


def test_edits_keep_away_from_what_the_model_does_not_know(demo: ClipModel) -> None:
    """Its words are not proposed, though no text is near to it."""
    guard = make_guard(demo, ("emoji",))
    (nearness,) = guard.check(demo, [TEXT])
    assert not nearness["emoji"].known
    mask = make_mask(demo.vocabulary, words=demo.source.words)
    targets = make_targets(demo.encode_texts(["an emoji of a watermelon"]))
    free = proposer(demo, targets, "{3}", mask, None).edits(TEXT)
    kept = proposer(demo, targets, "{3}", mask, guard).edits(TEXT)
    assert any("emoji" in text for text in free)
    assert kept and not any("emoji" in text for text in kept)


def test_a_painter_that_cannot_judge_loses_nothing(
    demo: ClipModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from pez_core.painter import denoising

    def cannot(*_: object) -> None:
        raise ModelError("it cannot start from a picture")

    monkeypatch.setattr(denoising, "PipelineErrors", cannot)
    learned = LearnedPrompt((Candidate("a", (1,), 0.5),), (), 1, 0.1, "steps", 0, "demo", {})
    mask = make_mask(demo.vocabulary, words=demo.source.words)
    targets = make_targets(demo.encode_texts(["a"]))
    proposed = proposer(demo, targets, "{3}", mask, None)
    found = chosen_by_painter(None, None, learned, 2, proposed)  # type: ignore[arg-type]
    assert found is learned
    assert "the painter cannot choose: it cannot start from a picture" in caplog.text
