"""Several prompts joined into one within a budget of tokens; what says least is left out.

To learn a *new* prompt from several is `learn_prompt` with their features as targets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from .edits import Word, split_words
from .errors import ConfigError
from .models import ClipModel
from .objective import weighted_similarity
from .targets import Targets
from .template import CONTEXT

MOST = CONTEXT - 2
# Of the words that are too many, the part that goes in one pass before all are measured again.
PART = 4


def _nothing() -> None:
    pass


def _anything(word: str) -> bool:
    return True


@torch.inference_mode(False)
def concatenate(
    model: ClipModel,
    prompts: Sequence[str],
    targets: Targets,
    budget: int,
    *,
    permits: Callable[[str], bool] = _anything,
    tick: Callable[[], None] = _nothing,
) -> str:
    """The prompts one behind the other, in at most `budget` tokens, in their own words and order.

    Words go one by one, the one without which the text is most similar to the targets first.
    permits: which words may be kept, such as those a TokenMask permits. tick: called before every
    pass over the words.
    Raises ConfigError for a budget out of range and when there is no word.
    """
    if not 1 <= budget <= MOST:
        raise ConfigError(f"tokens must be between 1 and {MOST}, got {budget}")
    targets = targets.to(model.device)
    parts = [split_words(prompt, model.vocabulary) for prompt in prompts]
    # A word that would not fit even alone can only go.
    parts = [[w for w in part if len(w.ids) <= budget and permits(w.text)] for part in parts]
    parts = [_shorten(model, part, targets, MOST, tick) for part in parts if part]
    if not parts:
        raise ConfigError(
            f"nothing to join: no prompt holds a permitted word of at most {budget} tokens"
        )
    words = _join(parts, model)
    if _length(words) > MOST:  # CLIP cannot read them together: each keeps its share at first
        share = max(budget, (MOST - len(parts)) // len(parts))
        words = _join([_shorten(model, part, targets, share, tick) for part in parts], model)
    return _text(_shorten(model, words, targets, budget, tick))


def _join(parts: Sequence[Sequence[Word]], model: ClipModel) -> list[Word]:
    """The parts with commas between them, which are words like others and may go as well."""
    (comma,) = split_words(",", model.vocabulary)
    words: list[Word] = []
    for part in parts:
        words += [comma] if words else []
        words += [replace(part[0], before=" "), *part[1:]]
    return words


def _shorten(
    model: ClipModel, words: list[Word], targets: Targets, budget: int, tick: Callable[[], None]
) -> list[Word]:
    while _length(words) > budget and len(words) > 1:
        tick()
        # More than CLIP reads: only the first 75 tokens can be told apart by their effect.
        texts = [_text(words[:i] + words[i + 1 :]) for i in range(len(words))]
        scores = weighted_similarity(model.encode_texts(texts), targets)
        count = max(1, (_length(words) - budget) // PART)
        gone = set(scores.argsort(descending=True, stable=True)[:count].tolist())
        words = [word for i, word in enumerate(words) if i not in gone]
    return words


def _length(words: Sequence[Word]) -> int:
    return sum(len(word.ids) for word in words)


def _text(words: Sequence[Word]) -> str:
    return "".join(word.before + word.text for word in words).strip(" ,")
