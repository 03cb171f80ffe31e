"""`pez invert-sentence TEXT --encoder FOLDER`: finds words whose embedding is near to that of a
text."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

from ..compute.devices import DEVICES, find_device
from ..config import SearchConfig
from ..errors import TargetError
from ..language_model.settings import VOCABULARIES
from .options import TOKENS, add_optimizer_options, add_option
from .request import search_config
from .searching import print_result, watched


@dataclass(frozen=True)
class SentenceRequest:
    """encoder: the folder of a sentence encoder. vocabulary: one of VOCABULARIES."""

    text: str
    encoder: str
    tokens: int
    vocabulary: str
    device: str
    config: SearchConfig
    seed: int
    as_json: bool


def add_parser(verbs: Any, name: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        allow_abbrev=False,
        help="find words whose embedding is near to that of a sentence",
        description="Finds words whose embedding is near to that of TEXT. The search uses only the "
        "embedding, so it shows how much of a text a stored embedding reveals.",
    )
    add = parser.add_argument
    add("text", metavar="TEXT", help="the sentence")
    add(
        "--encoder",
        required=True,
        metavar="FOLDER",
        help="a BERT in sentence-transformers' layout, with safetensors, such as all-MiniLM-L6-v2",
    )
    add_option(parser, "tokens", type=int, default=TOKENS)
    add(
        "--vocabulary",
        choices=VOCABULARIES,
        default="words",
        help="the tokens to learn from: whole words only, or all tokens (default: words)",
    )
    add_option(parser, "candidates", type=int)
    add_option(parser, "device", choices=DEVICES, default="auto")
    add_optimizer_options(parser)
    add("--json", action="store_true", help="print one JSON object, that of pez invert")
    return parser


def run(arguments: argparse.Namespace) -> int:
    if not arguments.text.strip():
        raise TargetError("TEXT is empty: give a text with at least one word")
    return _invert(
        SentenceRequest(
            arguments.text,
            arguments.encoder,
            arguments.tokens,
            arguments.vocabulary,
            arguments.device,
            search_config(arguments).replace(patience=None),  # every round is run
            arguments.seed,
            arguments.json,
        )
    )


def _invert(request: SentenceRequest) -> int:
    from ..language_model import invert_sentence, load_sentence_encoder

    encoder = load_sentence_encoder(request.encoder, find_device(request.device))
    target = encoder.encode_texts([request.text])[0]
    with watched(request.config.seconds) as callback:
        result = invert_sentence(
            encoder, target, tokens=request.tokens, config=request.config,
            vocabulary=request.vocabulary, seed=request.seed, callback=callback,
        )  # fmt: skip
    return print_result(result, request.as_json)
