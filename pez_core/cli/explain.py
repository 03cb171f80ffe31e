"""`pez explain TEXT --picture PICTURE`: what each token of a prompt adds, and what could stand in
its place."""

from __future__ import annotations

import argparse
import json
from typing import Any

from ..applications.attribution import alternatives, contributions, estimated_contributions
from ..clip.models import ClipModel, load_model
from ..errors import ConfigError, TargetError
from ..pictures import open_picture
from ..prompt import SCHEMA
from ..targets import Targets, make_targets
from ..text.edits import split_words
from ..text.vocabulary import KINDS, TokenMask, make_mask

ALTERNATIVES = 3


def add_parser(verbs: Any, name: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        allow_abbrev=False,
        help="show what each token of a prompt adds, and what could stand in its place",
    )
    add = parser.add_argument
    add("text", metavar="TEXT")
    add("--picture", action="append", required=True, help="what it is for; may be repeated")
    add("--model", default="demo", metavar="NAME_OR_FILE", help="see `pez models` (default: demo)")
    add("--tower", help="which text encoder of a file that holds several, such as clip_l")
    add(
        "--alternatives",
        type=int,
        default=ALTERNATIVES,
        metavar="N",
        help="at most so many for each word, 0 for none (default: %(default)s)",
    )
    add("--vocabulary", choices=KINDS, default="words", help="of the alternatives (default: words)")
    add(
        "--estimate",
        action="store_true",
        help="estimate what tokens add from the gradient: cheaper for long prompts, and rough",
    )
    add("--json", action="store_true", help="print one JSON object")
    return parser


def run(arguments: argparse.Namespace) -> int:
    if not arguments.text.strip():
        raise TargetError("nothing to explain: give a text with some words")
    if arguments.alternatives < 0:
        raise ConfigError(f"alternatives must be at least 0, got {arguments.alternatives}")
    pictures = [open_picture(name) for name in arguments.picture]
    model = load_model(arguments.model, tower=arguments.tower)
    targets = make_targets(model.encode_pictures(pictures))
    mask = make_mask(model.vocabulary, arguments.vocabulary, words=model.source.words)
    result = describe(
        model, arguments.text, targets, mask, arguments.alternatives, arguments.estimate
    )
    print(json.dumps(result) if arguments.json else _table(result))
    return 0


def describe(
    model: ClipModel, text: str, targets: Targets, mask: TokenMask, count: int, estimate: bool
) -> dict[str, Any]:
    """The words of a text with their tokens and their `count` best alternatives, ready for JSON.

    A token's contribution is None beyond the 75 that CLIP reads.
    """
    words = split_words(text, model.vocabulary)
    ids = [token_id for word in words for token_id in word.ids]
    measure = estimated_contributions if estimate else contributions
    added = iter(measure(model, ids, targets))
    others = alternatives(model, words, targets, mask, count=count) if count else [()] * len(words)
    described = [
        {
            "text": word.text,
            "tokens": [
                {"id": t.id, "text": t.text, "contribution": next(added, None)}
                for t in model.vocabulary.tokens(word.ids)
            ],
            "alternatives": [{"text": c.text, "similarity": c.similarity} for c in found],
        }
        for word, found in zip(words, others, strict=True)
    ]
    similarity = model.score([text], targets).item()
    return {
        "schema": SCHEMA,
        "text": text,
        "similarity": similarity,
        "model": model.name,
        "estimated": estimate,
        "words": described,
    }


def _table(result: dict[str, Any]) -> str:
    lines = [f"{'adds':>7}  {'token':16}  in its place"]
    for word in result["words"]:
        others = ", ".join(f"{o['text']} {o['similarity']:.4f}" for o in word["alternatives"])
        for token in word["tokens"]:
            added = token["contribution"]
            shown = "unread" if added is None else f"{added:+.4f}"
            lines.append(f"{shown:>7}  {token['text']:16}  {others}".rstrip())
            others = ""  # of the whole word, so once
    lines += ["", f"similarity {result['similarity']:.4f}"]
    return "\n".join(lines)
