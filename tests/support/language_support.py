"""The examples of the small language model's tasks, and the words that answer."""

from __future__ import annotations

import torch

from pez_core.language_model import Example, LanguageModel
from pez_core.language_model.tokens import learnable
from pez_core.search.projection import TokenTable, token_table
from training.instructed import examples

VERBALIZERS = {"true": "yes", "false": "no"}


def reviews(task: str, count: int, seed: int) -> list[Example]:
    """Reviews with their labels; see `training.instructed`."""
    return [Example(text, label) for text, label in examples(task, count, seed)]


def table_of(model: LanguageModel) -> TokenTable:
    everything = model.embed(torch.arange(len(model.tokenizer)))
    return token_table(everything, learnable(model.tokenizer))
