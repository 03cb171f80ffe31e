"""What a prompt is worth as text: read by the model's own tokenizer, in front of each input.

This is the only place where figures come from that leave the package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch.nn import functional as F

from .examples import Example, Question
from .model import LanguageModel

AT_ONCE = 64  # texts of one pass


@dataclass(frozen=True)
class Measure:
    """loss: mean cross-entropy over the classes, in nats. accuracy: share of right answers. count:
    of examples."""

    loss: float
    accuracy: float
    count: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def score_text(
    model: LanguageModel,
    prompt: str,
    examples: Sequence[Example],
    verbalizers: Mapping[str, str],
    *,
    after: str = "",
) -> Measure:
    """What a text in front of the inputs is worth with a model, whichever it was learned for.

    prompt: may be empty. after: what is written between an input and the answer. Raises
    TargetError for no example, one without text, a label without a word, and a word of several
    tokens.
    """
    return measure(model, prompt, examples, Question(verbalizers, after))


@torch.inference_mode(False)
@torch.no_grad()
def measure(
    model: LanguageModel, prompt: str, examples: Sequence[Example], question: Question
) -> Measure:
    """The same with a question."""
    labels, answers = question.labels_of(examples), question.answers(model)
    question.check(examples)
    sequences = [model.encode(question.whole(prompt, e.text)) for e in examples]
    order = sorted(range(len(sequences)), key=lambda i: len(sequences[i]))
    loss, right = 0.0, 0
    for first in range(0, len(order), AT_ONCE):
        batch = order[first : first + AT_ONCE]
        said = model.said([sequences[i] for i in batch], answers).cpu()  # (B, C)
        said = said if said.dtype == torch.float64 else said.float()
        loss += F.cross_entropy(said, labels[batch], reduction="sum").item()
        right += int((said.argmax(dim=1) == labels[batch]).sum())
    return Measure(loss / len(examples), right / len(examples), len(examples))


@torch.inference_mode(False)
@torch.no_grad()
def unlikeliness(model: LanguageModel, prompt: str) -> float:
    """The mean negative log likelihood of a prompt's tokens, in nats; the first counts only behind
    a start token. 0 where no token is left."""
    ids = torch.tensor([model.encode(prompt)], device=model.device)
    first = max(1, len(model.prefix))
    if ids.shape[1] <= first:
        return 0.0
    logits = model.network(input_ids=ids, use_cache=False).logits.float()
    return F.cross_entropy(logits[0, first - 1 : -1], ids[0, first:]).item()
