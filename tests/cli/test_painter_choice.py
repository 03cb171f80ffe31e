"""What a painter may edit: the bans and the guard of the search hold for edits, too."""

from __future__ import annotations

import signal
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from pez_core import ClipModel, make_guard, make_mask, make_targets
from pez_core.applications.word_edits import proposer
from pez_core.cli.painter_choice import chosen_by_painter
from pez_core.errors import PictureError
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


class Errors:
    """The longer a prompt, the better; from a call on it fails or is stopped."""

    levels = 4

    def __init__(self, fails: int = 10_000, stops: int = 10_000) -> None:
        self.calls, self._fails, self._stops = 0, fails, stops

    def errors(self, prompts: Sequence[str], noise: int) -> Tensor:
        self.calls += 1
        if self.calls == self._stops:
            signal.raise_signal(signal.SIGINT)
        if self.calls >= self._fails:
            raise PictureError("the painter predicts values that are not finite")
        generator = torch.Generator().manual_seed(noise)
        spread = 0.001 * torch.randn(len(prompts), self.levels, generator=generator)
        return torch.tensor([[1 - 0.01 * len(text)] for text in prompts]) + spread


TEXTS = ("a", "a melon", "a cat")
LEARNED = LearnedPrompt(
    tuple(Candidate(text, (1,), 0.5) for text in TEXTS), (), 1, 0.1, "steps", 0, "demo", {}
)


def chosen(demo: ClipModel, errors: Errors, edits: int) -> LearnedPrompt:
    mask = make_mask(demo.vocabulary, words=demo.source.words)
    proposed = proposer(demo, make_targets(demo.encode_texts(["a"])), "{3}", mask, None)
    return chosen_by_painter(errors, {"pipeline": "mine"}, LEARNED, edits, proposed)


def test_a_painter_that_fails_loses_nothing(
    demo: ClipModel, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither what was learned, nor what it has chosen."""
    assert chosen(demo, Errors(fails=1), 2) == LEARNED
    assert "cannot go on: the painter predicts" in caplog.text and "is CLIP's" in caplog.text
    caplog.clear()
    choosing = Errors()
    choice = chosen(demo, choosing, 0)
    assert choice.best.text == "a melon" and "chosen by mine in" in capsys.readouterr().err
    found = chosen(demo, Errors(fails=choosing.calls + 1), 2)
    assert found.candidates == choice.candidates and "is the painter's" in caplog.text


def test_ctrl_c_ends_it_and_the_result_says_so(demo: ClipModel) -> None:
    found = chosen(demo, Errors(stops=2), 2)
    assert found.stopped == "user" and {c.text for c in found.candidates} == set(TEXTS)
    assert "edited" not in found.settings["painter"] and found.settings["painter"]["rounds"] == 2


def test_the_errors_of_edits_are_on_the_scale_of_the_choice(demo: ClipModel) -> None:
    """They were confirmed under other noises, and stand in one list."""
    found = chosen(demo, Errors(), 2)
    edits = found.settings["painter"]["edited"]["edits"]
    errors = [candidate.error for candidate in found.candidates]
    assert edits and errors == sorted(errors)
    gained = sum(edit["gain"] for edit in edits)
    assert errors[0] == pytest.approx(errors[1] - gained)
