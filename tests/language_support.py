"""The examples of the small language model's tasks, and the words that answer."""

from __future__ import annotations

from pez_core.language_model import Example
from training.instructed import examples

VERBALIZERS = {"true": "yes", "false": "no"}


def reviews(task: str, count: int, seed: int) -> list[Example]:
    """Reviews with their labels; see `training.instructed`."""
    return [Example(text, label) for text, label in examples(task, count, seed)]
