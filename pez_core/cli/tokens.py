"""`pez tokens TEXT`: shows how CLIP splits a text into tokens."""

from __future__ import annotations

import argparse
import json
from typing import Any

from ..prompt import SCHEMA
from ..text.template import MOST_TOKENS
from ..text.vocabulary import Vocabulary, clip_vocabulary
from .options import add_option
from .output import write_result


def add_parser(verbs: Any, name: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        allow_abbrev=False,
        help="show how CLIP splits a text into tokens",
    )
    parser.add_argument("text", metavar="TEXT", help="the text to split")
    add_option(parser, "json", action="store_true")
    return parser


def run(arguments: argparse.Namespace) -> int:
    vocabulary = clip_vocabulary()
    result = describe(arguments.text, vocabulary)
    write_result(json.dumps(result) if arguments.json else _table(result))
    return 0


def describe(text: str, vocabulary: Vocabulary) -> dict[str, Any]:
    """The tokens of a text, and whether the text of its ids tokenises to the same ids."""
    ids = vocabulary.encode(text)
    return {
        "schema": SCHEMA,
        "text": text,
        "tokens": [
            {"id": t.id, "text": t.text, "ends_word": t.ends_word} for t in vocabulary.tokens(ids)
        ],
        "round_trips": vocabulary.round_trips(ids),
        "decoded": vocabulary.decode(ids),
        "fits": len(ids) <= MOST_TOKENS,
    }


def _table(result: dict[str, Any]) -> str:
    lines = [f"{'#':>3}  {'id':>5}  token"]
    for number, token in enumerate(result["tokens"], start=1):
        # A + marks a piece of a word that continues in the next token.
        text = token["text"] + ("" if token["ends_word"] else "+")
        lines.append(f"{number:>3}  {token['id']:>5}  {text}")
    lines.append("")
    count = len(result["tokens"])
    lines.append(
        f"{count} of {MOST_TOKENS} tokens" + ("" if result["fits"] else "; CLIP cuts off the rest")
    )
    if result["round_trips"]:
        lines.append("tokenises to itself")
    else:
        lines.append(f"does not tokenise to itself: its ids spell {result['decoded']!r}")
    return "\n".join(lines)
