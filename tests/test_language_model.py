"""Prompts for a language model: against transformers' own forward, example by example, and against
no prompt and random ones."""

from __future__ import annotations

import copy
import math
import random

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from pez_core.config import OPTIMIZERS as NAMES
from pez_core.config import SearchConfig
from pez_core.language_model import (
    Example,
    LanguageModel,
    TextConfig,
    TextStep,
    learn_text_prompt,
    score_text,
)
from pez_core.language_model.examples import Question
from pez_core.language_model.label_loss import LabelLoss
from pez_core.language_model.measure import unlikeliness
from pez_core.language_model.tokens import handed_out, learnable
from pez_core.optimizers import OPTIMIZERS, Optimizer
from pez_core.projection import TokenTable, token_table
from tests.language_support import VERBALIZERS, reviews
from training.instructed import AFTER, KEYS

pytest_plugins = ("tests.language_fixtures",)

QUESTION = Question(VERBALIZERS, AFTER)
SHORT = TextConfig(steps=40, restarts=4)


@pytest.fixture(scope="module")
def double(instructed: LanguageModel) -> LanguageModel:
    """In float64, where sums in another order are equal."""
    network = copy.deepcopy(instructed.network).double()
    return LanguageModel("double", network, instructed.tokenizer)


def table_of(model: LanguageModel) -> TokenTable:
    everything = model.embed(torch.arange(len(model.tokenizer)))
    return token_table(everything, learnable(model.tokenizer))


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
@pytest.mark.parametrize("at_once", [1, 5, 1000])
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_loss_and_gradient_are_those_of_a_plain_forward(
    double: LanguageModel, share: float, at_once: int
) -> None:
    """Whatever the lengths of the examples, and in however many passes."""
    table = table_of(double)
    objective = LabelLoss(double, EXAMPLES, QUESTION, table, tokens=4, fluency=share)
    objective._at_once = at_once
    assert len(set(objective._lengths.tolist())) > 1
    rows = torch.randint(len(table.ids), (3, 4), generator=torch.Generator().manual_seed(1))
    objective.begin(SearchConfig(), [])
    step = torch.zeros(1, dtype=torch.long)
    reading = objective.read(table.rows[rows], step)
    for place, row in enumerate(rows):
        prompt = table.rows[row].clone().requires_grad_()
        loss = plain_loss(double, prompt, table.ids[row], share)
        loss.backward()
        assert reading.goals[place].item() == pytest.approx(-loss.item(), abs=1e-12)
        torch.testing.assert_close(reading.gradient[place], prompt.grad, atol=1e-12, rtol=1e-9)
    scores, goals = objective.scores(table.rows[rows][:, None], step)
    torch.testing.assert_close(scores[:, 0], reading.goals, atol=1e-12, rtol=0)
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


@pytest.mark.parametrize("task", KEYS)
def test_a_learned_prompt_beats_none_and_random_ones(instructed: LanguageModel, task: str) -> None:
    """On held-out examples, by more than four standard deviations of a binomial share."""
    data = reviews(task, 420, seed=5)  # all different
    training, held = data[:120], data[120:]
    result = learn_text_prompt(
        instructed, training, VERBALIZERS, holdout=held, after=AFTER, tokens=4, config=SHORT
    )
    table, draw = table_of(instructed), torch.Generator().manual_seed(9)
    texts = [
        handed_out(instructed.tokenizer, ids)
        for ids in table.ids[torch.randint(len(table.ids), (8, 4), generator=draw)].tolist()
    ]
    others = [
        score_text(instructed, t, held, VERBALIZERS, after=AFTER).accuracy for t in ["", *texts]
    ]
    assert others[0] == result.empty.accuracy
    for other in (others[0], sum(others[1:]) / 8):
        deviation = math.sqrt(other * (1 - other) / len(held))
        assert result.best.holdout.accuracy > other + 4 * deviation


def test_what_is_told_is_the_texts_own(instructed: LanguageModel) -> None:
    held, training = reviews("food", 50, seed=6), reviews("food", 60, seed=5)
    result = learn_text_prompt(
        instructed, training, VERBALIZERS, holdout=held, after=AFTER, tokens=3, config=SHORT
    )
    texts = [candidate.text for candidate in result.candidates]
    assert 1 < len(texts) == len(set(texts)) <= SHORT.candidates
    for candidate in result.candidates:
        assert candidate.text == candidate.text.strip()
        assert candidate.ids == tuple(instructed.encode(candidate.text))
        for told, examples in ((candidate.training, training), (candidate.holdout, held)):
            again = score_text(instructed, candidate.text, examples, VERBALIZERS, after=AFTER)
            assert told.accuracy == again.accuracy
            assert told.loss == pytest.approx(again.loss, abs=1e-5)
    losses = [candidate.training.loss for candidate in result.candidates]
    assert losses == sorted(losses)
    told = [loss for _, _, loss, _ in result.history]
    assert told == sorted(told, reverse=True) and told[-1] == losses[0]


def test_a_texts_unlikeliness_is_the_models_own_loss(instructed: LanguageModel) -> None:
    ids = torch.tensor([instructed.encode("praise meal bolebo")])
    expected = instructed.network(input_ids=ids, labels=ids).loss.item()
    assert unlikeliness(instructed, "praise meal bolebo") == pytest.approx(expected, abs=1e-5)
    assert unlikeliness(instructed, "") == 0.0


def test_fluency_makes_prompts_likelier(instructed: LanguageModel) -> None:
    found = {}
    for share in (0.0, 0.5):
        result = learn_text_prompt(
            instructed, reviews("food", 60, seed=5), VERBALIZERS, after=AFTER, tokens=4,
            config=TextConfig(steps=40, fluency=share),
        )  # fmt: skip
        found[share] = result.best.unlikeliness
    assert found[0.5] < found[0.0] - 0.5  # nats per token


def test_equal_seeds_give_equal_prompts(instructed: LanguageModel) -> None:
    def learned(seed: int) -> list[str]:
        result = learn_text_prompt(
            instructed, reviews("food", 40, seed=5), VERBALIZERS, after=AFTER, tokens=3,
            config=TextConfig(steps=12, restarts=2, look_every=4), seed=seed,
        )  # fmt: skip
        return [candidate.text for candidate in result.candidates]

    assert learned(1) == learned(1) != learned(2)


@pytest.mark.parametrize("name", ["pez", "autoprompt_sgd", "soft"])  # the others draw in steps
def test_each_restart_moves_as_if_it_were_alone(double: LanguageModel, name: str) -> None:
    """From the same first tokens."""
    table = table_of(double)

    def make(restarts: int) -> Optimizer:
        config = SearchConfig(optimizer=name, steps=8, restarts=restarts, batch_size=None, lr=0.3)
        objective = LabelLoss(double, EXAMPLES, QUESTION, table, tokens=3)
        generator = torch.Generator().manual_seed(2)
        return OPTIMIZERS[name](objective, table, config, [generator], capture=False)

    together = make(3)
    for restart in range(3):
        alone = make(1)
        alone._embeddings.copy_(table.rows[together._start[restart]])  # type: ignore[attr-defined]
        for _ in range(8):
            alone.step()
            if restart == 0:
                together.step()
        assert together.best_rows[restart].tolist() == alone.best_rows[0].tolist()
        assert together.best_scores[restart].item() == pytest.approx(
            alone.best_scores.item(), abs=1e-9
        )


@pytest.mark.parametrize("name", NAMES)
def test_a_search_runs_with_every_optimizer(instructed: LanguageModel, name: str) -> None:
    result = learn_text_prompt(
        instructed, reviews("food", 40, seed=5), VERBALIZERS, after=AFTER, tokens=2,
        config=TextConfig(optimizer=name, steps=4, restarts=2, swaps=4, look_every=2),
    )  # fmt: skip
    assert result.settings["optimizer"] == name and result.steps == 4
    again = score_text(
        instructed, result.best.text, reviews("food", 40, seed=5), VERBALIZERS, after=AFTER
    )
    assert again.count == result.best.training.count + result.best.holdout.count


def test_learnable_words_survive_in_any_order(instructed: LanguageModel) -> None:
    tokenizer, draw = instructed.tokenizer, random.Random(1)
    ids = learnable(tokenizer).tolist()
    assert 100 < len(ids) < len(tokenizer) and not set(ids) & set(tokenizer.all_special_ids)
    assert set(ids) < set(learnable(tokenizer, "all").tolist())
    for _ in range(200):
        some = draw.choices(ids, k=6)
        text = tokenizer.decode(some)
        assert tokenizer(text)["input_ids"] == some
        assert all(word.isalpha() for word in handed_out(tokenizer, some).split())


def test_a_callback_ends_a_search_with_the_best_so_far(instructed: LanguageModel) -> None:
    seen: list[TextStep] = []

    def stop(info: TextStep) -> bool:
        seen.append(info)
        return info.step < 7

    result = learn_text_prompt(
        instructed, reviews("food", 40, seed=5), VERBALIZERS, after=AFTER, tokens=2, config=SHORT,
        callback=stop,
    )  # fmt: skip
    assert (result.stopped, result.steps, len(seen)) == ("user", 7, 7)
    assert result.best.text and seen[-1].total == SHORT.steps


def test_a_time_limit_ends_a_search(instructed: LanguageModel) -> None:
    config = TextConfig(steps=10_000, restarts=1, seconds=0.3)
    result = learn_text_prompt(
        instructed, reviews("food", 40, seed=5), VERBALIZERS, after=AFTER, tokens=2, config=config
    )
    assert result.stopped == "seconds" and result.steps < 1000 and result.best.text


def test_under_inference_mode_it_learns_as_well(instructed: LanguageModel) -> None:
    data = [Example("the soup was good", "true"), Example("the plot was bad", "false")] * 4
    config = TextConfig(steps=4, restarts=2)
    outside = learn_text_prompt(instructed, data, VERBALIZERS, tokens=2, config=config)
    with torch.inference_mode():
        inside = learn_text_prompt(instructed, data, VERBALIZERS, tokens=2, config=config)
    assert inside.candidates == outside.candidates
