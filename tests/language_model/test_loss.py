"""What a search for a language model's prompt goes by, against transformers' own forward,
example by example."""

from __future__ import annotations

import copy
import random

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from pez_core.config import SearchConfig
from pez_core.language_model import (
    LanguageModel,
    label_loss,
    score_text,
)
from pez_core.language_model.examples import Question
from pez_core.language_model.label_loss import LabelLoss
from pez_core.language_model.measure import unlikeliness
from pez_core.language_model.tokens import learnable, text_of
from pez_core.search.optimizers import OPTIMIZERS, Optimizer
from tests.support.language_support import VERBALIZERS, reviews, table_of
from training.instructed import AFTER

pytest_plugins = ("tests.support.language_fixtures",)

QUESTION = Question(VERBALIZERS, AFTER)


@pytest.fixture(scope="module")
def double(instructed: LanguageModel) -> LanguageModel:
    """In float64, where sums in another order are equal."""
    network = copy.deepcopy(instructed.network).double()
    return LanguageModel("double", network, instructed.tokenizer)


def plain(model: LanguageModel, text: str, label: str) -> tuple[float, bool]:
    """Loss and rightness of one text by transformers' forward on its ids, without padding."""
    ids = model.tokenizer(text, return_tensors="pt")["input_ids"]
    words = [model.tokenizer(f" {word}")["input_ids"] for word in VERBALIZERS.values()]
    with torch.no_grad():
        said = model.network(input_ids=ids).logits[0, -1][torch.tensor(words)[:, 0]]
    number = list(VERBALIZERS).index(label)
    return -F.log_softmax(said, dim=0)[number].item(), said.argmax().item() == number


def plain_loss(model: LanguageModel, prompt: Tensor, ids: Tensor, share: float) -> Tensor:
    """The loss of one prompt, (n, D), over EXAMPLES, one by one. ids: (n,) its tokens."""
    answers = QUESTION.answers(model)
    losses = []
    for example in EXAMPLES:
        rest = model.tokenizer(f" {example.text}{AFTER}", return_tensors="pt")["input_ids"][0]
        whole = torch.cat([prompt, model.network.get_input_embeddings()(rest)])
        said = model.network(inputs_embeds=whole[None]).logits[0, -1][answers]
        losses.append(-F.log_softmax(said, dim=0)[list(VERBALIZERS).index(example.label)])
    logits = model.network(inputs_embeds=prompt[None]).logits[0, :-1]
    return (1 - share) * torch.stack(losses).mean() + share * F.cross_entropy(logits, ids[1:])


EXAMPLES = reviews("praise", 7, seed=3)


@pytest.mark.own_autograd
@pytest.mark.parametrize("positions", [1, 150, 100_000])
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_loss_and_gradient_are_those_of_a_plain_forward(
    double: LanguageModel, share: float, positions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the lengths of the examples, and in however many passes."""
    monkeypatch.setattr(label_loss, "ON_CPU", positions)
    table = table_of(double)
    objective = LabelLoss(double, EXAMPLES, QUESTION, table, tokens=4, fluency=share)
    assert len({len(double.encode(example.text)) for example in EXAMPLES}) > 1
    rows = torch.randint(len(table.ids), (3, 4), generator=torch.Generator().manual_seed(1))
    objective.draw_batches(SearchConfig(), [])
    step = torch.zeros(1, dtype=torch.long)
    evaluation = objective.evaluate(table.embeddings[rows], step)
    for place, row in enumerate(rows):
        prompt = table.embeddings[row].clone().requires_grad_()
        loss = plain_loss(double, prompt, table.ids[row], share)
        loss.backward()
        assert evaluation.goals[place].item() == pytest.approx(-loss.item(), abs=1e-12)
        torch.testing.assert_close(evaluation.gradient[place], prompt.grad, atol=1e-12, rtol=1e-9)
    scores, goals = objective.scores(table.embeddings[rows][:, None], step)
    torch.testing.assert_close(scores[:, 0], evaluation.goals, atol=1e-12, rtol=0)
    assert torch.equal(scores, goals)


@pytest.mark.parametrize("prompt", ["", "praise", "meal meal bolebo", "what, isn't in it?!"])
def test_a_texts_figures_are_those_of_its_whole_strings(
    instructed: LanguageModel, prompt: str
) -> None:
    examples = reviews("praise", 40, seed=4)
    found = score_text(instructed, prompt, examples, VERBALIZERS, after=AFTER)
    each = [plain(instructed, f"{prompt} {e.text}{AFTER}".lstrip(), e.label) for e in examples]
    assert found.loss == pytest.approx(sum(loss for loss, _ in each) / 40, abs=1e-5)
    assert found.accuracy == sum(right for _, right in each) / 40 and found.count == 40


def test_a_texts_unlikeliness_is_the_models_own_loss(instructed: LanguageModel) -> None:
    ids = torch.tensor([instructed.encode("praise meal bolebo")])
    expected = instructed.network(input_ids=ids, labels=ids).loss.item()
    assert unlikeliness(instructed, "praise meal bolebo") == pytest.approx(expected, abs=1e-5)
    assert unlikeliness(instructed, "") == 0.0


@pytest.mark.parametrize("name", ["pez", "autoprompt_sgd", "soft"])  # the others draw in steps
def test_each_restart_moves_as_if_it_were_alone(double: LanguageModel, name: str) -> None:
    """From the same first tokens."""
    table = table_of(double)

    def make(restarts: int) -> Optimizer:
        config = SearchConfig(optimizer=name, steps=8, restarts=restarts, batch_size=None, lr=0.3)
        objective = LabelLoss(double, EXAMPLES, QUESTION, table, tokens=3)
        generator = torch.Generator().manual_seed(2)
        return OPTIMIZERS[name](objective, table, config, [generator])

    together = make(3)
    starts = together.token_indices.clone()
    for restart in range(3):
        alone = make(1)
        alone._embeddings.copy_(table.embeddings[starts[restart]])  # type: ignore[attr-defined]
        for _ in range(8):
            alone.step()
            if restart == 0:
                together.step()
        assert together.best_token_indices[restart].tolist() == alone.best_token_indices[0].tolist()
        assert together.best_scores[restart].item() == pytest.approx(
            alone.best_scores.item(), abs=1e-9
        )


def test_learnable_words_survive_in_any_order(instructed: LanguageModel) -> None:
    tokenizer, draw = instructed.tokenizer, random.Random(1)
    ids = learnable(tokenizer).tolist()
    assert 100 < len(ids) < len(tokenizer) and not set(ids) & set(tokenizer.all_special_ids)
    assert set(ids) < set(learnable(tokenizer, "all").tolist())
    for _ in range(200):
        some = draw.choices(ids, k=6)
        text = tokenizer.decode(some)
        assert tokenizer(text)["input_ids"] == some
        assert all(word.isalpha() for word in text_of(tokenizer, some).split())
