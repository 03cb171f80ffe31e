"""The search loop takes any score of a text: the objective proposes prompts, the score decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import pytest

from pez_core import ClipModel, SearchConfig, Searcher, Targets, make_targets, prepare_search
from pez_core.prompt import Candidate
from pez_core.search.best_tracker import EveryTextTracker, Scored

CONFIG = SearchConfig(steps=10, restarts=4, refine=0, rounds=2)


class ShortWords(Searcher):
    """Scores a text by its length, as a painter would score it by what it paints."""

    tracker_type = EveryTextTracker
    asked: list[str] = []

    def score(self, goal: Targets, texts: Sequence[str]) -> list[Scored]:
        self.asked.extend(texts)
        return [Scored(Candidate(text, (), -len(text)), -len(text)) for text in texts]


@pytest.fixture
def short(demo: ClipModel) -> ShortWords:
    prepared = prepare_search(demo, "{4}", config=CONFIG)
    ShortWords.asked = []
    return ShortWords(**{f.name: getattr(prepared, f.name) for f in fields(prepared)})


def test_another_score_decides_what_is_best(demo: ClipModel, short: ShortWords) -> None:
    targets = make_targets(demo.encode_texts(["a red apple on a table"]))
    result = short.learn(targets)
    shortest = min(short.asked, key=len)
    assert len(result.best.text) == len(shortest)
    assert [c.similarity for c in result.candidates] == sorted(
        (-len(text) for text in short.asked), reverse=True
    )[: len(result.candidates)]
    by_clip = prepare_search(demo, "{4}", config=CONFIG).learn(targets)
    assert by_clip.best.text in short.asked  # CLIP proposed the same prompts
    assert len(by_clip.best.text) > len(shortest)


def test_no_text_is_scored_twice(demo: ClipModel, short: ShortWords) -> None:
    short.learn(make_targets(demo.encode_texts(["a red apple on a table"])))
    assert len(short.asked) == len(set(short.asked)) > CONFIG.restarts


def test_one_searcher_gives_what_separate_calls_give(demo: ClipModel) -> None:
    goals = [make_targets(row[None]) for row in demo.encode_texts(["a cat", "a red car"])]
    shared = prepare_search(demo, config=CONFIG)
    for goal in goals:
        alone = prepare_search(demo, "a {3}", config=CONFIG).learn(goal)
        assert shared.with_template("a {3}").learn(goal).candidates == alone.candidates
