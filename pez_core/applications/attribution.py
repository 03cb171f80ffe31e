"""The contribution of each token of a prompt, and alternatives to each word.

Contributions are measured by ablation (arXiv 1705.07874): the prompt is encoded again without one
token. They can be estimated by integrated gradients (arXiv 1703.01365) at the cost of a few such
passes. Alternatives are proposed by the gradient at the prompt (HotFlip, arXiv 1712.06751) and by
nearness in the embedding table. They are ranked by the exact similarity of the whole new text.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ..clip.models import ClipModel
from ..clip.text_tower import no_op
from ..compute.linear import product
from ..guard.guard import Guard
from ..prompt import Candidate
from ..search.projection import TokenTable, token_table
from ..search.slots import Slots
from ..targets import Targets, weighted_similarity
from ..text.edits import Edits, Word, edited_text
from ..text.template import MOST_TOKENS
from ..text.vocabulary import TokenMask

BY_GRADIENT, BY_NEARNESS = 8, 4  # tokens tried for each word
NEUTRAL = ","  # without meaning, and frequent in every CLIP's training
POINTS = 8  # of the integral; more points do not improve the ranking


@torch.inference_mode(False)
def contributions(
    model: ClipModel,
    ids: Sequence[int],
    targets: Targets,
    check_interrupt: Callable[[], None] = no_op,
) -> list[float]:
    """How much the similarity drops without a token, for each of the first 75 tokens.

    ids: without start and end. A negative number means that the prompt is better without the token.
    check_interrupt: called between passes.
    """
    ids = list(ids[:MOST_TOKENS])
    if not ids:
        return []
    start, end = model.vocabulary.start, model.vocabulary.end
    shorter = [[start, *ids[:i], *ids[i + 1 :], end] for i in range(len(ids))]
    features = model.tower.encode_ids([[start, *ids, end], *shorter], check_interrupt)
    whole, *without = weighted_similarity(features, targets.to(model.device)).tolist()
    return [whole - score for score in without]


@torch.inference_mode(False)
def estimated_contributions(
    model: ClipModel, ids: Sequence[int], targets: Targets, points: int = POINTS
) -> list[float]:
    """Estimates of `contributions` from the gradient, in one pass for all tokens.

    The gradient is averaged over points on the straight line from a prompt of commas to this one.
    With many points the estimates sum to the difference of the two prompts' similarities. ids:
    without start and end; tokens after the first 75 are left out.
    But: their order agrees only roughly with that of the contributions (rank correlation about 0.5
    on the embedded model), and they cost as much as the contributions of 3·points tokens.
    """
    ids = list(ids[:MOST_TOKENS])
    if not ids:
        return []
    vocabulary, embedding = model.vocabulary, model.tower.token_embedding
    layout = torch.tensor([vocabulary.start, *[-1] * len(ids), vocabulary.end])
    (neutral,) = vocabulary.encode(NEUTRAL)
    path = embedding[torch.tensor(ids, device=model.device)] - embedding[neutral]  # (n, D)
    middles = (torch.arange(points, device=model.device) + 0.5) / points
    path_points = embedding[neutral] + middles[:, None, None] * path  # (points, n, D)
    path_points.requires_grad_()
    features = Slots(model.tower, layout).features(path_points)
    scores = weighted_similarity(features, targets.to(model.device))
    (gradient,) = torch.autograd.grad(scores.sum(), path_points)
    estimates: list[float] = (gradient.mean(dim=0) * path).sum(dim=1).tolist()
    return estimates


@torch.inference_mode(False)
def alternatives(
    model: ClipModel,
    words: Sequence[Word],
    targets: Targets,
    mask: TokenMask,
    *,
    count: int = 5,
    check_interrupt: Callable[[], None] = no_op,
) -> list[tuple[Candidate, ...]]:
    """For each word, the best tokens in its place, best first.

    A candidate's `text` and `ids` are those of the new word. Its similarity is that of the whole
    text with the new word. Words after the first 75 tokens have no candidates. check_interrupt:
    called between passes.
    """
    tower, allowed = model.tower, torch.tensor(mask.ids)
    table = token_table(tower.token_embedding, allowed, tower.widths)
    return alternatives_of(
        model, words, targets, table, count=count, check_interrupt=check_interrupt
    )


@torch.inference_mode(False)
def alternatives_of(
    model: ClipModel,
    words: Sequence[Word],
    targets: Targets,
    table: TokenTable,
    places: Collection[int] | None = None,
    *,
    count: int,
    check_interrupt: Callable[[], None] = no_op,
) -> list[tuple[Candidate, ...]]:
    """`alternatives` from a table of tokens. places: of the words that are asked for; all if left
    out. The others have no candidates."""
    targets = targets.to(model.device)
    seen = within_context(words)
    proposed = _propose(model, words[:seen], targets, table)
    trials = [
        (index, int(token_id), model.vocabulary.decode([token_id]))
        for index, ids in enumerate(proposed)
        for token_id in ids
        if (int(token_id),) != words[index].ids and (places is None or index in places)
    ]
    # A new word has one token, so at most as many words move up as the longest has tokens.
    longest = max((len(word.ids) for word in words[:seen]), default=0)
    near = words[: within_context(words, MOST_TOKENS + longest) + 1]
    texts = [edited_text(near, Edits(replaced={i: text})) for i, _, text in trials]
    found: list[list[Candidate]] = [[] for _ in words]
    scores = model.score(texts, targets, check_interrupt).tolist()
    for (index, token_id, text), score in zip(trials, scores, strict=True):
        found[index].append(Candidate(text, (token_id,), score))
    return [tuple(sorted(f, key=lambda c: -c.similarity)[:count]) for f in found]


def concept_contributions(
    model: ClipModel,
    pieces: Sequence[str],
    guard: Guard,
    check_interrupt: Callable[[], None] = no_op,
) -> list[dict[str, float]]:
    """How much the nearness to each concept of a guard drops without a piece of a text: for each
    piece, by the concept's name.

    pieces: of the text, including the white space between them. check_interrupt: called between
    passes.
    """
    texts = ["".join([*pieces[:i], *pieces[i + 1 :]]) for i in range(len(pieces))]
    whole, *without = guard.nearest(model, ["".join(pieces), *texts], check_interrupt)
    return [dict(zip(guard.names, (whole - each).tolist(), strict=True)) for each in without]


def within_context(words: Sequence[Word], most: int = MOST_TOKENS) -> int:
    """The number of words that lie wholly within the first tokens."""
    total = 0
    for index, word in enumerate(words):
        total += len(word.ids)
        if total > most:
            return index
    return len(words)


def _propose(
    model: ClipModel, words: Sequence[Word], targets: Targets, table: TokenTable
) -> list[list[int]]:
    """Candidate token ids for the place of each word."""
    if not words:
        return []
    vocabulary, embedding = model.vocabulary, model.tower.token_embedding
    ids = torch.tensor([i for word in words for i in word.ids], device=model.device)
    layout = torch.tensor([vocabulary.start, *[-1] * len(ids), vocabulary.end])
    hard = embedding[ids][None].clone().requires_grad_()  # (1, n, D)
    score = weighted_similarity(Slots(model.tower, layout).features(hard), targets)
    (gradient,) = torch.autograd.grad(score.sum(), hard)
    lengths = [len(word.ids) for word in words]
    uphill = _per_word(gradient[0], lengths)  # (W, D)
    middle = _per_word(embedding[ids], lengths)
    by_gradient = product(uphill, table.embeddings)  # (W, A)
    by_nearness = product(F.normalize(middle, dim=-1), table.directions)
    picks = torch.cat([_best(by_gradient, BY_GRADIENT), _best(by_nearness, BY_NEARNESS)], dim=1)
    proposed: list[list[int]] = table.ids[picks].tolist()
    return [list(dict.fromkeys(ids)) for ids in proposed]


def _per_word(values: Tensor, lengths: list[int]) -> Tensor:
    """The mean over the tokens of each word. (n, D) → (W, D)"""
    return torch.stack([part.mean(dim=0) for part in torch.split(values, lengths)])


def _best(scores: Tensor, count: int) -> Tensor:
    # One more than `count`, because the word itself may be among them.
    return scores.topk(min(count + 1, scores.shape[1]), dim=1).indices
