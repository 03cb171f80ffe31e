"""Writes neutral prompts: captions drawn from the bigram prior, about anything and nothing.

    python -m training.neutral --out pez_core/demo_model/neutral.txt

What a guard calls too near is measured against them (`pez_core.guard`): they decide how texts
spread in a CLIP's space, and how near to a concept a text comes by chance.
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
AT_ONCE = 250  # captions drawn together, to bound the memory


def sample_captions(vocabulary: Vocabulary, count: int, seed: int) -> list[str]:
    """Distinct captions of the embedded prior, at most `LONGEST` tokens long; a seed always gives
    the same."""
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
    """AT_ONCE captions as numbers of the prior, without start and end."""
    start, end = prior.numbers(torch.tensor([prior.start, prior.end])).tolist()
    drawn: list[list[int]] = [[] for _ in range(AT_ONCE)]
    live, last = list(range(AT_ONCE)), torch.full((AT_ONCE,), start)
    for _ in range(LONGEST):
        odds: Tensor = prior.after(last).exp()  # (live, K + 1)
        odds[:, [start, len(prior.unigram) - 1]] = 0  # the last stands for all tokens never seen
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
    """Writes the captions, one a line."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    captions = sample_captions(clip_vocabulary(), options.count, options.seed)
    options.out.write_text("\n".join(captions) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
