"""Writes neutral prompts: captions drawn from the bigram prior, on all subjects.

    python -m training.neutral --out pez_core/demo_model/neutral.txt

A guard is calibrated on them (`pez_core.guard`): they determine the variance of texts in a CLIP's
space, and how near to a concept a text is by chance.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from pez_core.search.fluency import BigramPrior, read_prior
from pez_core.text.vocabulary import Vocabulary, clip_vocabulary

COUNT, SEED = 2000, 2302
LONGEST = 20  # tokens
BATCH_SIZE = 250  # captions drawn together, to bound the memory


def sample_captions(vocabulary: Vocabulary, count: int, seed: int) -> list[str]:
    """Distinct captions of the embedded prior, at most `LONGEST` tokens long. A seed always returns
    the same captions."""
    prior, generator = read_prior(vocabulary), torch.Generator().manual_seed(seed)
    known = prior.numbers(torch.arange(vocabulary.size))  # (V,)
    ids = torch.zeros(len(prior.unigram), dtype=torch.long)
    ids[known] = torch.arange(vocabulary.size)
    captions = dict[str, None]()
    while len(captions) < count:
        for numbers in _draw(prior, generator):
            tokens = ids[torch.tensor(numbers, dtype=torch.long)].tolist()
            text = vocabulary.decode(tokens).strip()
            if text and len(captions) < count:
                captions[text] = None
    return list(captions)


def _draw(prior: BigramPrior, generator: torch.Generator) -> list[list[int]]:
    """BATCH_SIZE captions as numbers of the prior, without start and end."""
    start, end = prior.numbers(torch.tensor([prior.start, prior.end])).tolist()
    drawn: list[list[int]] = [[] for _ in range(BATCH_SIZE)]
    live, last = list(range(BATCH_SIZE)), torch.full((BATCH_SIZE,), start)
    for _ in range(LONGEST):
        odds: Tensor = prior.after(last).exp()  # (live, K + 1)
        odds[:, [start, len(prior.unigram) - 1]] = 0  # the last stands for all unseen tokens
        last = odds.multinomial(1, generator=generator)[:, 0]
        goes_on = last != end
        live = [place for place, on in zip(live, goes_on.tolist(), strict=True) if on]
        last = last[goes_on]
        if not live:
            break
        for place, number in zip(live, last.tolist(), strict=True):
            drawn[place].append(number)
    return drawn


def main() -> None:
    """Write the captions, one on each line."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    captions = sample_captions(clip_vocabulary(), options.count, options.seed)
    options.out.write_text("\n".join(captions) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
