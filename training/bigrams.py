"""Counts pairs of neighbouring tokens in the captions, for the prior that makes prompts readable.

    python -m training.bigrams --work DIR --out pez_core/demo_model/bigrams.safetensors

Only sentences are counted, because the prior must distinguish them from the bags of words that the
model also reads. Smoothing is interpolated Kneser-Ney (Chen and Goodman 1996, arXiv cmp-lg/9606011,
§2.7). For pairs seen less than `LEAST_COUNT` times only the unigrams are kept.
"""

from __future__ import annotations

import argparse
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from pez_core.search.fluency import fingerprint
from pez_core.text.vocabulary import clip_vocabulary

from .batches import BatchMaker
from .tokens import text_tokens

log = logging.getLogger(__name__)

CAPTIONS = 500_000
HELD_OUT = 200
LEAST_COUNT = 2
BATCH, DISTINCT_SHARE = 320, 0.84
"""As in configs/demo.json."""
SEED, HELD_OUT_SEED = 2302, 2303


def sentences(maker: BatchMaker, seed: int) -> Iterator[str]:
    """An endless sequence of captions, always the same for one seed."""
    step = 0
    while True:
        yield from maker.describe(BATCH, seed, step)[1]
        step += 1


def count_pairs(captions: Iterable[str], start: int, end: int) -> Counter[tuple[int, int]]:
    """The count of each pair of neighbouring tokens in the captions, start and end included."""
    pairs: Counter[tuple[int, int]] = Counter()
    for caption in captions:
        ids = [start, *text_tokens(caption), end]
        pairs.update(zip(ids, ids[1:], strict=False))
    return pairs


def discount(counts: Iterable[int]) -> float:
    """The discount of each count: n₁ / (n₁ + 2·n₂), where nₖ things have the count k."""
    often = Counter(counts)
    return often[1] / (often[1] + 2 * often[2])


def smooth(pairs: Counter[tuple[int, int]], vocabulary: list[int]) -> dict[str, Tensor]:
    """The tensors of a `BigramPrior`. vocabulary: its fingerprint.

    Raises ValueError if no pair has the count 1, because then there is no discount.
    """
    size = vocabulary[2]
    tokens = sorted({token for pair in pairs for token in pair})
    number = {token: place for place, token in enumerate(tokens)}
    contexts = Counter(second for _, second in pairs)  # the number of tokens that a token follows
    off, off_unigram = discount(pairs.values()), discount(contexts.values())
    if not (off and off_unigram):
        raise ValueError("too few captions: no pair or no token was seen only once")
    uniform = off_unigram * len(contexts) / contexts.total() / size
    unigram = [max(contexts[t] - off_unigram, 0) / contexts.total() + uniform for t in tokens]
    totals: Counter[int] = Counter()
    for (first, _), count in pairs.items():
        totals[first] += count
    kept = sorted((number[a], number[b]) for (a, b), n in pairs.items() if n >= LEAST_COUNT)
    share, rest = [], [1.0] * (len(tokens) + 1)
    lengths = [0] * (len(tokens) + 1)
    for a, b in kept:
        share.append((pairs[tokens[a], tokens[b]] - off) / totals[tokens[a]])
        rest[a] -= share[-1]
        lengths[a] += 1
    return {
        "vocabulary": torch.tensor(vocabulary),
        "tokens": torch.tensor(tokens, dtype=torch.int32),
        "unigram": torch.tensor([*unigram, uniform]).log(),
        "rest": torch.tensor(rest).log(),
        "starts": torch.tensor([0, *lengths]).cumsum(0).int(),
        "second": torch.tensor([b for _, b in kept], dtype=torch.int16),
        "share": torch.tensor(share).log().half(),
    }


def main() -> None:
    """Count, and write the prior; with --held-out also captions that were not counted."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--held-out", type=Path)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    maker = BatchMaker.from_cache(arguments.work / "cache", DISTINCT_SHARE, bag_share=0.0)
    vocabulary = clip_vocabulary()
    captions = list(islice(sentences(maker, SEED), CAPTIONS))
    pairs = count_pairs(captions, vocabulary.start, vocabulary.end)
    tensors = smooth(pairs, fingerprint(vocabulary))
    save_file(tensors, arguments.out, metadata={"format": "pt"})
    arguments.out.chmod(0o644)  # safetensors creates private files
    log.info("%d tokens, %d pairs", len(tensors["tokens"]), len(tensors["second"]))
    if arguments.held_out:
        counted = set(captions)
        new = (text for text in sentences(maker, HELD_OUT_SEED) if text not in counted)
        lines = "".join(f"{text}\n" for text in islice(new, HELD_OUT))
        arguments.held_out.write_text(lines, encoding="utf-8")


if __name__ == "__main__":
    main()
