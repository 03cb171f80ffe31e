"""Prompt distillation (arXiv 2302.03668 §4.2): a long prompt made into a short one that CLIP reads
alike, and how the similarity falls with the length.

A text is its own target, so this is `learn_prompt` with the text's feature. CLIP reads 75 tokens;
a longer text is read in parts, and each part is a target weighted by its length.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..clip.models import ClipModel
from ..errors import ConfigError, TargetError
from ..prompt import LearnedPrompt
from ..search.searcher import SearchOptions, learn_prompt
from ..targets import Targets, make_targets
from ..text.template import MOST_TOKENS, parse_template, plain_template
from ..text.text_parts import text_length, text_parts

if TYPE_CHECKING:
    from typing_extensions import Unpack


@dataclass(frozen=True)
class Point:
    """One length of a curve: the prompt learned of so many tokens, beside the text cut to as many.

    ratio: tokens of the prompt to those of the text. cut: the text's first tokens as a text.
    stopped: why its search ended, as in `LearnedPrompt`.
    """

    tokens: int
    ratio: float
    similarity: float
    prompt: str
    cut_similarity: float
    cut: str
    stopped: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def text_targets(model: ClipModel, text: str) -> Targets:
    """The parts of a text as targets, each weighted by its share of the tokens; the weights sum
    to 1. Raises TargetError for a text without a token."""
    parts = text_parts(text, model.vocabulary)
    lengths = [len(model.vocabulary.encode(part)) for part in parts]
    if not sum(lengths):
        raise TargetError(f"nothing to distill: the text {text[:40]!r} has no words")
    shares = [length / sum(lengths) for length in lengths]
    return make_targets(model.encode_texts(parts), shares, parts)


def distill(
    model: ClipModel, text: str, template: str = "{8}", **options: Unpack[SearchOptions]
) -> LearnedPrompt:
    """The short prompts nearest to a long text; the similarity is that to the whole text.

    options: those of `learn_prompt`. Raises TargetError for a text without a token,
    ConfigError when the prompt would not be shorter than the text, and what `learn_prompt` raises.
    """
    targets = text_targets(model, text)
    own = text_length(text, model.vocabulary)
    tokens = len(parse_template(template, model.vocabulary).layout) - 2
    if tokens >= own:
        raise ConfigError(
            f"{tokens} tokens are no shorter than the text, which has {own}: ask for fewer tokens"
            + (" or give a longer text" if own < 2 else "")
        )
    return learn_prompt(model, targets, template, **options)


def curve_lengths(tokens: int) -> list[int]:
    """1, 2, 4, 8, … below so many tokens, and at most what CLIP reads."""
    doubled = (2**power for power in range(MOST_TOKENS.bit_length()))
    return [length for length in doubled if length < min(tokens, MOST_TOKENS + 1)]


def distillation_curve(
    model: ClipModel, text: str, **options: Unpack[SearchOptions]
) -> Iterator[Point]:
    """The points of ratio against similarity at 1, 2, 4, 8, … tokens below the text's own, each
    when it is found; a callback that returns False ends the curve with the point it was at.

    options: those of `learn_prompt`.
    """
    targets = text_targets(model, text)
    own = text_length(text, model.vocabulary)
    start = model.vocabulary.encode(text_parts(text, model.vocabulary)[0])
    for tokens in curve_lengths(own):
        learned = distill(model, text, plain_template(tokens), **options)
        best, why = learned.best, learned.stopped
        cut = model.vocabulary.decode(start[:tokens])
        plain = model.score([cut], targets).item()
        yield Point(tokens, tokens / own, best.similarity, best.text, plain, cut, why)
        if why == "user":
            return
