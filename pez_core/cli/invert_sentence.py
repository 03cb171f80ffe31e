"""`pez invert-sentence TEXT --encoder FOLDER`: words that a sentence encoder reads like a text."""

from __future__ import annotations

import argparse
from typing import Any

from ..compute.devices import DEVICES, find_device
from ..errors import TargetError
from ..language_model import invert_sentence, load_sentence_encoder
from ..language_model.settings import VOCABULARIES
from .options import TOKENS, add_optimizer_options, search_config
from .searching import print_result, watched


def add_parser(verbs: Any, name: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        allow_abbrev=False,
        help="find words with nearly the embedding of a sentence",
        description="Goes back from the embedding of TEXT to words, and knows nothing of TEXT but "
        "its embedding: what a search engine that stores embeddings could be made to tell.",
    )
    add = parser.add_argument
    add("text", metavar="TEXT")
    add(
        "--encoder",
        required=True,
        metavar="FOLDER",
        help="a BERT in sentence-transformers' layout, with safetensors, such as all-MiniLM-L6-v2",
    )
    add("--tokens", type=int, default=TOKENS, help="how many to learn (default: %(default)s)")
    add("--vocabulary", choices=VOCABULARIES, default="words", help="(default: words)")
    add("--candidates", type=int, help="how many texts to return at most")
    add("--device", choices=DEVICES, default="auto")
    add_optimizer_options(parser)
    add("--json", action="store_true", help="print one JSON object, that of pez invert")
    return parser


def run(arguments: argparse.Namespace) -> int:
    if not arguments.text.strip():
        raise TargetError("nothing to invert: give a text with some words")
    config = search_config(arguments).replace(patience=None)  # rounds are all run here
    encoder = load_sentence_encoder(arguments.encoder, find_device(arguments.device))
    target = encoder.encode_texts([arguments.text])[0]
    with watched(config.seconds) as callback:
        result = invert_sentence(
            encoder, target, tokens=arguments.tokens, config=config,
            vocabulary=arguments.vocabulary, seed=arguments.seed, callback=callback,
        )  # fmt: skip
    return print_result(result, arguments.json)
