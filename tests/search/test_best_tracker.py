"""The best prompts of a search: what is handed out in the end."""

from types import SimpleNamespace

import torch

from pez_core.search.best_tracker import BestTracker, Clock, Scored

WORDS = ("watermelon", "garden", "fruit")


class Scorer:
    """A token's score is its index, and its text is the word."""

    table = SimpleNamespace(ids=torch.arange(len(WORDS)))

    def text(self, ids):
        return " ".join(WORDS[i] for i in ids)

    def survives(self, ids, text):
        return True

    def score(self, goal, texts):
        return [Scored(SimpleNamespace(text=text), -WORDS.index(text)) for text in texts]


def test_equal_texts_take_no_place_among_the_candidates():
    tracker = BestTracker(Scorer(), None, Clock(lambda: None))
    # Many restarts end in the same word, and a few in others.
    found = [0] * 20 + [1, 2]
    tracker.update(1, [-float(i) for i in found], torch.tensor(found).unsqueeze(1))
    assert [candidate.text for candidate in tracker.ranked(2)] == list(WORDS)
