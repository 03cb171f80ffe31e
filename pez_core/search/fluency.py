"""The fluency of a prompt: how probable it is as a caption, under a bigram prior over CLIP's
tokens.

The prior comes from the sentences among the captions that the embedded model was trained on
(`training/bigrams.py`). It is smoothed by interpolated Kneser-Ney (Chen and Goodman 1996, arXiv
cmp-lg/9606011, §2.7): P(b|a) is the discounted share of a pair that was seen often enough, plus a
share of the unigrams, which give every token of the vocabulary a small probability. A bigram sees
only the neighbours of a token, so the effect of every swap is exact and costs two rows of a table.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from ..clip.model_names import DEMO_FOLDER
from ..clip.weights_file import WeightsFile
from ..errors import WeightsError
from ..text.vocabulary import Vocabulary

BIGRAMS = DEMO_FOLDER / "bigrams.safetensors"
NAMES = ("vocabulary", "tokens", "unigram", "rest", "starts", "second", "share")


def fingerprint(vocabulary: Vocabulary) -> list[int]:
    """Start, end, size and a checksum of all tokens, which identify a vocabulary."""
    symbols = "\n".join(vocabulary.symbol(i) for i in range(vocabulary.size))
    checksum = zlib.crc32(symbols.encode())
    return [vocabulary.start, vocabulary.end, vocabulary.size, checksum]


class BigramPrior:
    """P(b|a) of CLIP's tokens in captions. A text has the start token before it and the end token
    after it.

    The K tokens that captions use are numbered from 0; number K is every other token.
    """

    def __init__(self, tensors: dict[str, Tensor], device: torch.device | str = "cpu") -> None:
        """tensors: of the file of `read_prior`.

        tokens: (K,) ids. unigram: (K + 1,) log-probabilities. rest: (K + 1,) logarithm of the share
        that a token leaves to the unigrams. starts: (K + 2,) the first pair of each token. second:
        (P,) numbers of the second tokens. share: (P,) logarithm of a pair's discounted share.
        """
        moved = {name: tensor.to(device) for name, tensor in tensors.items()}
        self.start, self.end, self.size, _ = tensors["vocabulary"].tolist()
        self.unigram, self.rest = moved["unigram"], moved["rest"]
        count = len(self.unigram)
        self._numbers = torch.full((self.size,), count - 1, device=device)
        self._numbers[moved["tokens"].long()] = torch.arange(count - 1, device=device)
        self._second = moved["second"].long()
        lengths = moved["starts"].long().diff()
        self._first = torch.arange(count, device=device).repeat_interleave(lengths)
        # The file rounds the shares. Here the shares of each token sum to 1 - exp(rest) again.
        shares = moved["share"].float().exp()
        sums = torch.zeros_like(self.rest).index_add(0, self._first, shares)
        shares = shares * ((1 - self.rest.exp()) / sums)[self._first]
        self._pairs = (shares + self._unseen(self._first, self._second).exp()).log()  # (P,)
        self._keys = self._first * count + self._second  # ascending

    def numbers(self, ids: Tensor) -> Tensor:
        """The numbers of token ids, of any shape."""
        return self._numbers[ids]

    def log_probability(self, ids: Tensor) -> Tensor:
        """The natural logarithm of the probability of whole texts. ids: (N, L), without start and
        end → (N,)"""
        marks = ids.new_tensor([self.start, self.end]).expand(len(ids), 2)
        whole = self.numbers(torch.cat([marks[:, :1], ids, marks[:, 1:]], dim=1))
        return self.between(whole[:, :-1], whole[:, 1:]).sum(dim=1)

    def between(self, first: Tensor, second: Tensor) -> Tensor:
        """log P(second | first). first, second: numbers, of shapes that broadcast."""
        keys = first * len(self.unigram) + second
        place = torch.searchsorted(self._keys, keys).clamp_max(len(self._keys) - 1)
        seen = self._keys[place] == keys
        return torch.where(seen, self._pairs[place], self._unseen(first, second))

    def after(self, first: Tensor) -> Tensor:
        """log P(· | first) for every number. (N,) → (N, K + 1)"""
        scores = self.rest[first, None] + self.unigram
        return self._fill(scores, first, self._after, self._second, self._pairs)

    def before(self, second: Tensor) -> Tensor:
        """log P(second | ·) for every number. (N,) → (N, K + 1)"""
        scores = self.rest + self.unigram[second, None]
        starts, order = self._before
        return self._fill(scores, second, starts, self._first[order], self._pairs[order])

    def _unseen(self, first: Tensor, second: Tensor) -> Tensor:
        return self.rest[first] + self.unigram[second]

    @cached_property
    def _after(self) -> list[int]:
        """The first pair of each first token."""
        return _starts(self._first, len(self.unigram))

    @cached_property
    def _before(self) -> tuple[list[int], Tensor]:
        """The first pair of each second token in the order by second tokens, and that order."""
        order = self._second.argsort(stable=True)
        return _starts(self._second, len(self.unigram)), order

    @staticmethod
    def _fill(
        scores: Tensor, numbers: Tensor, starts: list[int], others: Tensor, pairs: Tensor
    ) -> Tensor:
        """`scores` with the values of the seen pairs filled in."""
        for row, number in zip(scores, numbers.tolist(), strict=True):
            own = slice(starts[number], starts[number + 1])
            row[others[own]] = pairs[own]
        return scores


def _starts(numbers: Tensor, count: int) -> list[int]:
    ends: list[int] = numbers.bincount(minlength=count).cumsum(0).tolist()
    return [0, *ends]


def read_prior(
    vocabulary: Vocabulary, path: str | Path = BIGRAMS, device: torch.device | str = "cpu"
) -> BigramPrior:
    """The prior of a file; by default the one in the package.

    Raises WeightsError for a missing or damaged file, for one that is not a bigram prior, and for
    one of another vocabulary.
    """
    file = WeightsFile(path)
    missing = [name for name in NAMES if name not in file]
    if missing:
        raise WeightsError(
            f"{path} is not a bigram prior, it has no {missing[0]}: make one with training.bigrams"
        )
    found, wanted = file["vocabulary"].tolist(), fingerprint(vocabulary)
    if found != wanted:
        raise WeightsError(
            f"{path} is for another vocabulary ({found}, not {wanted}): make a prior for this one "
            "with training.bigrams"
        )
    return BigramPrior({name: file[name] for name in NAMES}, device)


class Fluency:
    """The fluency of the prompts of one layout, in nats per token: log P(text) / (tokens + 1),
    because the end counts as a token. The fixed words of the layout count as well."""

    def __init__(
        self, prior: BigramPrior, layout: Tensor, ids: Tensor, weight: float = 1.0
    ) -> None:
        """layout: (L,) token ids, start and end included, with -1 where a token is learned.
        ids: (A,) of the token table. weight: every returned value is multiplied by it."""
        self._prior, self._weight = prior, weight
        self._table = prior.numbers(ids)  # (A,)
        self._places = (layout < 0).nonzero().squeeze(1).to(ids.device)  # (n,)
        self._whole = prior.numbers(layout.clamp_min(0).to(ids.device))  # (L,)

    def _numbers(self, token_indices: Tensor) -> Tensor:
        """The whole prompts as numbers of the prior. (N, n) → (N, L)"""
        return self._whole.repeat(len(token_indices), 1).index_copy(
            1, self._places, self._table[token_indices]
        )

    def scores(self, token_indices: Tensor) -> Tensor:
        """The fluency of prompts. token_indices: (N, n) into the token table → (N,)"""
        whole = self._numbers(token_indices)
        return self._weight * self._prior.between(whole[:, :-1], whole[:, 1:]).mean(dim=1)

    def of_text(self, ids: Sequence[int]) -> float:
        """The fluency of a text. ids: of any tokens of the vocabulary, without start and end."""
        tokens = torch.tensor([list(ids)], device=self._whole.device)
        return self._weight * self._prior.log_probability(tokens).item() / (len(ids) + 1)

    def changes(self, token_indices: Tensor) -> Tensor:
        """The exact change of `scores` if one token is replaced, for every place and token.

        token_indices: (N, n) → (N, n, A); 0 for the present token. But: it waits for the device.
        """
        whole = self._numbers(token_indices)
        left, now, right = (whole[:, self._places + step] for step in (-1, 0, 1))  # each (N, n)
        prior = self._prior
        there = prior.after(left.flatten()) + prior.before(right.flatten())  # (N·n, K + 1)
        here = prior.between(left, now) + prior.between(now, right)
        changed = there[:, self._table].view(*token_indices.shape, -1) - here[..., None]
        return self._weight * changed / (whole.shape[1] - 1)
