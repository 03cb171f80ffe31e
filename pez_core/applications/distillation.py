"""Prompt distillation (arXiv 2302.03668 §4.2): a short prompt whose CLIP feature is near that of a
long one, and the similarity as a function of the length.

It is `learn_prompt` with the text's own feature as target. CLIP reads 75 tokens. A longer text is
read in parts, and each part is a target weighted by its length.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..clip.models import ClipModel
from ..errors import ConfigError, TargetError
from ..prompt import LearnedPrompt
from ..search.searcher import SearchOptions, learn_prompt, prepare_search
from ..targets import Targets, make_targets
from ..text.template import MOST_TOKENS, parse_template, plain_template
from ..text.text_parts import text_length, text_parts

if TYPE_CHECKING:
    from typing_extensions import Unpack


@dataclass(frozen=True)
class Point:
    """One point of a curve: the learned prompt of one length, and the text cut to the same length.

    ratio: tokens of the prompt divided by those of the text. cut: the text's first tokens as a
    text. stopped: why the search ended, as in `LearnedPrompt`.
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
    """The parts of a text as targets, weighted by their share of the tokens; the weights sum to 1.
    Raises TargetError for a text without a token."""
    parts = text_parts(text, model.vocabulary)
    lengths = [len(model.vocabulary.encode(part)) for part in parts]
    if not sum(lengths):
        raise TargetError(f"nothing to distill: the text {text[:40]!r} has no words")
    shares = [length / sum(lengths) for length in lengths]
    return make_targets(model.encode_texts(parts), shares, parts)


def distill(
    model: ClipModel, text: str, template: str = "{8}", **options: Unpack[SearchOptions]
) -> LearnedPrompt:
    """The short prompts nearest to a long text. Similarities are those to the whole text.

    options: those of `learn_prompt`. Raises TargetError for a text without a token, ConfigError
    when the prompt would not be shorter than the text, and whatever `learn_prompt` raises.
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
    """The lengths 1, 2, 4, 8, … below `tokens`, up to CLIP's context."""
    doubled = (2**power for power in range(MOST_TOKENS.bit_length()))
    return [length for length in doubled if length < min(tokens, MOST_TOKENS + 1)]


def distillation_curve(
    model: ClipModel, text: str, **options: Unpack[SearchOptions]
) -> Iterator[Point]:
    """The points of the curve at 1, 2, 4, 8, … tokens, for lengths below the text's own. Each is
    yielded as soon as it is found. A callback that returns False ends the curve with the current
    point.

    options: those of `learn_prompt`.
    """
    targets = text_targets(model, text)
    own = text_length(text, model.vocabulary)
    start = model.vocabulary.encode(text_parts(text, model.vocabulary)[0])
    lengths = curve_lengths(own)
    if not lengths:
        return
    searcher = prepare_search(model, **options)
    for tokens in lengths:
        learned = searcher.with_template(plain_template(tokens)).learn(targets)
        best, why = learned.best, learned.stopped
        cut = model.vocabulary.decode(start[:tokens])
        plain = model.score([cut], targets).item()
        yield Point(tokens, tokens / own, best.similarity, best.text, plain, cut, why)
        if why == "user":
            return
