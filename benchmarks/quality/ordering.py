"""The most fluent order of given words: dynamic programming over their subsets (Held and Karp 1962,
"A dynamic programming approach to sequencing problems")."""

from __future__ import annotations

import torch
from torch import Tensor

from pez_core.errors import ConfigError
from pez_core.search.fluency import BigramPrior

MOST_ORDERED = 16  # the table has 2ⁿ·n entries


def best_order(prior: BigramPrior, layout: Tensor, ids: Tensor) -> Tensor:
    """The learned tokens of a prompt in the order with the highest probability under the prior.

    layout: (L,) token ids, start and end included, with -1 where a token is learned. ids: (n,) the
    learned tokens → (n,).
    But: pieces of words are moved like words, so use tokens that stand alone.
    Raises ConfigError for more than 16 tokens.
    """
    if len(ids) > MOST_ORDERED:
        raise ConfigError(
            f"{len(ids)} tokens have too many orders: order at most {MOST_ORDERED} of them"
        )
    places = (layout < 0).nonzero().squeeze(1)
    whole, words = prior.numbers(layout.clamp_min(0).to(ids.device)), prior.numbers(ids)
    enter = prior.between(whole[places[0] - 1], words)  # (n,)
    leave = prior.between(words, whole[places[-1] + 1])  # (n,)
    links = [prior.between(words[:, None], words)] * (len(ids) - 1)  # (n, n) each
    for slot, (place, after) in enumerate(zip(places.tolist(), places[1:].tolist(), strict=False)):
        if after > place + 1:  # there are fixed words between them
            out, into = whole[place + 1], whole[after - 1]
            links[slot] = prior.between(words, out)[:, None] + prior.between(into, words)
    return ids[_best_path(enter.cpu(), [link.cpu() for link in links], leave.cpu()).to(ids.device)]


def _best_path(enter: Tensor, links: list[Tensor], leave: Tensor) -> Tensor:
    """The order of n things with the highest sum.

    enter: (n,) the score of each thing in the first place. links: n - 1 of (n, n), the scores of
    two things in neighbouring places. leave: (n,) the score of each in the last place → (n,)
    """
    count = len(enter)
    bits = 1 << torch.arange(count)
    subsets = torch.arange(1 << count)
    sizes = ((subsets[:, None] & bits) > 0).sum(dim=1)
    best = torch.full((1 << count, count), -torch.inf)  # of a subset, by its last thing
    came_from = torch.zeros(1 << count, count, dtype=torch.long)
    best[bits, torch.arange(count)] = enter
    for size, link in enumerate(links, start=1):
        used = subsets[sizes == size]
        reached, last = (best[used, :, None] + link).max(dim=1)  # (S, n)
        row, new = ((used[:, None] & bits) == 0).nonzero(as_tuple=True)
        larger = used[row] | bits[new]
        best[larger, new] = reached[row, new]
        came_from[larger, new] = last[row, new]
    subset, thing = (1 << count) - 1, int((best[-1] + leave).argmax())
    path = [thing]
    for _ in links:
        subset, thing = subset ^ (1 << thing), int(came_from[subset, thing])
        path.insert(0, thing)
    return torch.tensor(path)
