"""`pez explain --painter`: what each word adds, and what could replace it, by a painter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..prompt import SCHEMA
from ..text.edits import spliced, split_words

if TYPE_CHECKING:
    from ..clip.models import ClipModel
    from ..painter.contributions import Changed
    from ..painter.ranking import PictureErrors
    from ..targets import Targets
    from ..text.vocabulary import TokenMask


def describe_by(
    errors: PictureErrors,
    model: ClipModel,
    text: str,
    targets: Targets,
    mask: TokenMask,
    count: int,
) -> dict[str, Any]:
    """The words of a text, with what each adds and `count` alternatives that the model proposes,
    those with the least error first, ready for JSON."""
    from ..applications.attribution import alternatives
    from ..painter.contributions import changes

    words = split_words(text, model.vocabulary)
    proposed = (
        alternatives(model, words, targets, mask, count=count) if count else [()] * len(words)
    )
    without = [spliced(words, index, index + 1) for index in range(len(words))]
    swapped = [
        (index, candidate.text, spliced(words, index, index + 1, candidate.text))
        for index, candidates in enumerate(proposed)
        for candidate in candidates
    ]
    # The tokeniser writes some signs otherwise: that is no effect of a word.
    rejoined = "".join(word.before + word.text for word in words)
    _, (as_given, *changed) = changes(errors, rejoined, [text, *without])
    error = as_given.error
    compared: list[Changed] = []
    if swapped:  # under one noise, as they are many
        _, compared = changes(errors, rejoined, [new for _, _, new in swapped], rounds=1)
    replaced: list[list[dict[str, Any]]] = [[] for _ in words]
    for (index, new, _), found in zip(swapped, compared, strict=True):
        of = {
            "error": error + found.more,
            "gain": -found.more,
            "low": -found.high,
            "high": -found.low,
        }
        replaced[index].append({"text": new, **of})
    described = [
        {
            "word": word.text, "adds": found.more, "low": found.low, "high": found.high,
            "alternatives": sorted(others, key=lambda other: other["error"]),
        }
        for word, found, others in zip(words, changed, replaced, strict=True)
    ]  # fmt: skip
    return {
        "schema": SCHEMA, "text": text, "error": error, "model": model.name, "words": described,
    }  # fmt: skip


def table_by(result: dict[str, Any]) -> str:
    """The same as a table."""
    lines = [f"{'adds':>7}  {'95 % interval':16}  {'word':16}  in its place"]
    for word in result["words"]:
        others = ", ".join(
            f"{other['text']} {other['error']:.3f}" for other in word["alternatives"]
        )
        interval = f"{word['low']:+.3f} to {word['high']:+.3f}"
        lines.append(f"{word['adds']:+7.3f}  {interval:16}  {word['word']:16}  {others}".rstrip())
    return "\n".join([*lines, "", f"error {result['error']:.3f} of that without words"])
