"""Several prompts joined into one within a budget of tokens; what says least is left out.

To learn a *new* prompt from several is `learn_prompt` with their features as targets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from .edits import Word, join, split_words
from .errors import ConfigError
from .models import ClipModel
from .objective import weighted_similarity
from .targets import Targets
from .template import MOST_TOKENS
from .text_tower import nothing

# Of the words that are too many, the part that goes in one pass before all are measured again.
PART = 4
Placed = tuple[int, Word]  # a word with its place in its prompt


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
    tick: Callable[[], None] = nothing,
) -> str:
    """The prompts one behind the other, in at most `budget` tokens, in their own words and order.

    Words go one by one, the one without which the text is most similar to the targets first.
    permits: which words may be kept, such as those a TokenMask permits. tick: called between
    passes.
    Raises ConfigError for a budget out of range and when there is no word.
    """
    if not 1 <= budget <= MOST_TOKENS:
        raise ConfigError(f"tokens must be between 1 and {MOST_TOKENS}, got {budget}")
    targets = targets.to(model.device)
    parts = [list(enumerate(split_words(prompt, model.vocabulary))) for prompt in prompts]
    # A word that would not fit even alone can only go.
    parts = [[p for p in part if _length([p]) <= budget and permits(p[1].text)] for part in parts]
    parts = [part for part in parts if part]
    if not parts:
        raise ConfigError(
            f"nothing to join: no prompt holds a permitted word of at most {budget} tokens"
        )
    if sum(_length(part) for part in parts) + len(parts) > MOST_TOKENS:
        # CLIP cannot read them together: each keeps its share at first.
        share = max(budget, (MOST_TOKENS - len(parts)) // len(parts))
        parts = [_shorten(model, part, targets, share, tick) for part in parts]
    return _text(_shorten(model, _join(parts, model), targets, budget, tick))


def _join(parts: Sequence[Sequence[Placed]], model: ClipModel) -> list[Placed]:
    """The parts with commas between them, which are words like others and may go as well."""
    (comma,) = split_words(",", model.vocabulary)
    words: list[Placed] = []
    for part in parts:
        # Places apart from all others: nothing stood next to a comma that was not there.
        words += [(-2, comma)] if words else []
        words += [(part[0][0], replace(part[0][1], before=" ")), *part[1:]]
    return words


def _shorten(
    model: ClipModel, words: list[Placed], targets: Targets, budget: int, tick: Callable[[], None]
) -> list[Placed]:
    while _length(words) > budget and len(words) > 1:
        # More than CLIP reads: only the first 75 tokens can be told apart by their effect.
        texts = [_text(words[:i] + words[i + 1 :]) for i in range(len(words))]
        scores = weighted_similarity(model.encode_texts(texts, tick), targets)
        count = max(1, (_length(words) - budget) // PART)
        gone = set(scores.argsort(descending=True, stable=True)[:count].tolist())
        words = [word for i, word in enumerate(words) if i not in gone]
    return words


def _length(words: Sequence[Placed]) -> int:
    return sum(len(word.ids) for _, word in words)


def _text(words: Sequence[Placed]) -> str:
    pieces = ((place, word.before, word.text, False) for place, word in words)
    return "".join(join(pieces)).strip(" ,")
