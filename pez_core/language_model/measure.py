"""The score of a prompt as text: the model's own tokenizer reads it before each input.

Every figure that the package reports comes from here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch.nn import functional as F

from .examples import Example, Question
from .model import LanguageModel

BATCH_SIZE = 64  # texts of one pass


@dataclass(frozen=True)
class Measure:
    """Loss and accuracy on some examples. loss: the mean cross-entropy over the classes, in nats.
    accuracy: the share of right answers. count: the number of examples."""

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
    """The measure of a text before the inputs, on any model.

    prompt: may be empty. after: the text between an input and the answer.
    Raises TargetError without examples, and for an example without text, a label without a word, or
    a word that is not one token.
    """
    return measure(model, prompt, examples, Question(verbalizers, after))


@torch.inference_mode(False)
@torch.no_grad()
def measure(
    model: LanguageModel, prompt: str, examples: Sequence[Example], question: Question
) -> Measure:
    """The measure of `score_text`, for a question."""
    labels, answers = question.labels_of(examples), question.answers(model)
    question.check(examples)
    sequences = [model.encode(question.full_text(prompt, e.text)) for e in examples]
    order = sorted(range(len(sequences)), key=lambda i: len(sequences[i]))
    loss, right = 0.0, 0
    for first in range(0, len(order), BATCH_SIZE):
        batch = order[first : first + BATCH_SIZE]
        logits = model.answer_logits([sequences[i] for i in batch], answers).cpu()  # (B, C)
        logits = logits if logits.dtype == torch.float64 else logits.float()
        loss += F.cross_entropy(logits, labels[batch], reduction="sum").item()
        right += int((logits.argmax(dim=1) == labels[batch]).sum())
    return Measure(loss / len(examples), right / len(examples), len(examples))


@torch.inference_mode(False)
@torch.no_grad()
def unlikeliness(model: LanguageModel, prompt: str) -> float:
    """The mean negative log likelihood of a prompt's tokens, in nats; 0 if no token counts. The
    first token counts only if the model reads a start token before it."""
    ids = torch.tensor([model.encode(prompt)], device=model.device)
    first = max(1, len(model.prefix))
    if ids.shape[1] <= first:
        return 0.0
    logits = model.network(input_ids=ids, use_cache=False).logits.float()
    return F.cross_entropy(logits[0, first - 1 : -1], ids[0, first:]).item()
