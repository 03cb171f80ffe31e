"""What `learn_prompt` returns is true: each similarity is what open_clip's own model gives for
the text."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pez_core import (
    ClipModel,
    LearnedPrompt,
    SearchConfig,
    Targets,
    TokenMask,
    join_targets,
    learn_prompt,
    make_mask,
    make_targets,
)
from pez_core.errors import PezError, TargetError, TemplateError
from tests.support.oracle import DemoOracle

SHORT = SearchConfig(steps=5, restarts=3, rounds=1, swaps=3, patience=None)


@pytest.fixture(scope="module")
def apple(demo: ClipModel) -> Targets:
    """One target."""
    return make_targets(demo.encode_texts(["a red apple on a table"]), labels=["apple"])


@pytest.fixture(scope="module")
def several(demo: ClipModel) -> Targets:
    """Two texts to come near to, and one to keep away from."""
    near = demo.encode_texts(["a red apple", "a green leaf"])
    away = make_targets(demo.encode_texts(["a smiling face"]), [-0.5])
    return join_targets([make_targets(near, [1.0, 2.0]), away])


def assert_exact(result: LearnedPrompt, targets: Targets, oracle: DemoOracle) -> None:
    """Text, ids and similarity belong together; candidates are distinct and best first."""
    assert result.candidates
    for candidate in result.candidates:
        assert list(candidate.ids) == oracle.tokenizer.encode(candidate.text)
        assert candidate.similarity == pytest.approx(
            oracle.similarity(candidate.text, targets), abs=1e-5
        )
    similarities = [candidate.similarity for candidate in result.candidates]
    assert similarities == sorted(similarities, reverse=True)
    assert len({candidate.text for candidate in result.candidates}) == len(similarities)
    assert len({candidate.ids for candidate in result.candidates}) == len(similarities)
    assert result.best == result.candidates[0]


RUNS: dict[str, dict[str, Any]] = {
    "plain PEZ": {"config": SHORT.replace(refine=0)},
    "refined": {},
    "two refined": {"config": SHORT.replace(refine=2)},
    "two rounds": {"config": SHORT.replace(rounds=2)},
    "one candidate": {"config": SHORT.replace(candidates=1)},
    "many candidates": {"config": SHORT.replace(candidates=50)},
    "the paper's way": {"config": SHORT.replace(restarts=1, batch_size=1, refine=0, steps=12)},
    "mini-batches": {"config": SHORT.replace(batch_size=2)},
    "a template": {"template": "a photo of {3}, by {2}."},
    "a template with marks": {"template": "({1}) & {{{2}}}: café!"},
    "a full context": {"template": "{75}", "config": SHORT.replace(refine=0)},
    "bfloat16": {"dtype": torch.bfloat16},
}


@pytest.mark.parametrize("run", RUNS)
def test_every_similarity_is_that_of_the_text(
    run: str, demo: ClipModel, several: Targets, oracle: DemoOracle
) -> None:
    """open_clip, given the text alone, finds the same ids and the same similarity to 1e-5."""
    arguments = {"config": SHORT, **RUNS[run]}
    result = learn_prompt(demo, several, **arguments)
    assert_exact(result, several, oracle)
    assert len(result.candidates) <= arguments["config"].candidates


@pytest.mark.parametrize("kind", ["ascii", "words", "all"])
@pytest.mark.parametrize("ban", [[], ["*apple*", "red"]])
def test_each_vocabulary_keeps_the_promise(
    kind: str, ban: list[str], demo: ClipModel, apple: Targets, oracle: DemoOracle
) -> None:
    """Also where word pieces and broken characters may be learned; banned words never appear."""
    mask = make_mask(demo.vocabulary, kind, ban=ban)
    result = learn_prompt(demo, apple, config=SHORT, mask=mask, template="{4} on {2}")
    assert_exact(result, apple, oracle)
    for candidate in result.candidates:
        assert not ban or ("apple" not in candidate.text and "red" not in candidate.text.split())
        if mask.closed:
            on = demo.vocabulary.encode("on")
            assert set(candidate.ids) - {*on} <= set(mask.ids)


def test_without_a_ban_the_banned_words_would_have_appeared(
    demo: ClipModel, apple: Targets
) -> None:
    """So the ban above does something."""
    result = learn_prompt(demo, apple, config=SHORT, template="{4} on {2}")
    assert any("apple" in c.text or "red" in c.text.split() for c in result.candidates)


def test_an_allowed_list_is_kept_to(demo: ClipModel, apple: Targets) -> None:
    """Every learned token is one of the list."""
    bank = ["apple", "leaf", "table", "red", "a", "big"]
    mask = make_mask(demo.vocabulary, allow=bank)
    result = learn_prompt(demo, apple, config=SHORT, mask=mask)
    assert all(set(c.text.split()) <= set(bank) for c in result.candidates)


def test_the_templates_words_stay(demo: ClipModel, several: Targets) -> None:
    """Fixed words are in every candidate, in their place, with the learned number of tokens."""
    result = learn_prompt(demo, several, "a photo of {2} by {1}", config=SHORT)
    a, photo, of, by = demo.vocabulary.encode("a photo of by")
    for candidate in result.candidates:
        assert candidate.text.startswith("a photo of ") and " by " in candidate.text
        assert candidate.ids[:3] == (a, photo, of) and candidate.ids[5] == by
        assert len(candidate.ids) == 7


def test_the_same_seed_gives_the_same_result_and_another_seed_another(
    demo: ClipModel, several: Targets
) -> None:
    """Candidates, similarities and history are reproduced to the bit."""
    first, again, other = (
        learn_prompt(demo, several, config=SHORT.replace(rounds=2), seed=seed) for seed in (4, 4, 5)
    )
    assert first.candidates == again.candidates
    assert [(n, s) for n, _, s in first.history] == [(n, s) for n, _, s in again.history]
    assert first.steps == again.steps
    assert first.candidates != other.candidates


@pytest.mark.parametrize("seed", range(2))
def test_more_rounds_never_give_a_worse_prompt(
    seed: int, demo: ClipModel, several: Targets
) -> None:
    """A longer search begins as the shorter one does, and keeps what it has found."""
    bests = [
        learn_prompt(demo, several, config=SHORT.replace(rounds=rounds), seed=seed).best.similarity
        for rounds in (1, 2, 3)
    ]
    assert bests[0] <= bests[1] + 1e-6
    assert bests[1] <= bests[2] + 1e-6


def test_refinement_never_gives_a_worse_prompt(demo: ClipModel, several: Targets) -> None:
    """One round with refinement against the same round without."""
    plain = learn_prompt(demo, several, config=SHORT.replace(refine=0))
    refined = learn_prompt(demo, several, config=SHORT)
    assert refined.best.similarity > plain.best.similarity


def test_the_history_rises_to_the_best(demo: ClipModel, several: Targets) -> None:
    """Steps and seconds never fall, similarities rise, and the last is that of the best."""
    result = learn_prompt(demo, several, config=SHORT)
    steps, seconds, similarities = zip(*result.history, strict=True)
    assert list(steps) == sorted(steps) and steps[-1] <= result.steps
    assert list(seconds) == sorted(seconds) and seconds[-1] <= result.seconds
    assert all(a < b for a, b in zip(similarities, similarities[1:], strict=False))
    assert similarities[-1] == pytest.approx(result.best.similarity, abs=1e-6)
    assert len(similarities) > 1


def test_a_result_says_how_it_was_made(demo: ClipModel, several: Targets) -> None:
    """Model, seed, template, every setting, and what the caller adds."""
    result = learn_prompt(demo, several, "{3} x", config=SHORT, seed=9, settings={"who": "me"})
    assert (result.model, result.seed, result.settings["who"]) == ("demo", 9, "me")
    assert result.settings["template"] == "{3} x"
    assert SHORT.to_json().items() <= result.settings.items()


def test_targets_of_another_model_are_refused(demo: ClipModel) -> None:
    """The error states both dimensions."""
    with pytest.raises(TargetError, match="targets have 768 dimensions.*192.*the same model"):
        learn_prompt(demo, make_targets(torch.ones(1, 768)))


def test_a_template_without_slot_is_refused(demo: ClipModel, apple: Targets) -> None:
    """Before anything is searched."""
    with pytest.raises(TemplateError, match="has no slot"):
        learn_prompt(demo, apple, "a photo")


@pytest.mark.parametrize("kind", ["ascii", "all"])
def test_a_ban_does_not_concern_the_words_one_has_written(
    kind: str, demo: ClipModel, apple: Targets, oracle: DemoOracle
) -> None:
    """A banned word that the template itself holds: either the words one wrote stay, or an
    error names the contradiction; never a result without a prompt."""
    mask = make_mask(demo.vocabulary, kind, ban=["red"])
    try:
        result = learn_prompt(demo, apple, "a red {3}", config=SHORT, mask=mask)
    except PezError as error:
        assert "red" in str(error)
        return
    assert_exact(result, apple, oracle)
    assert all(c.text.split().count("red") == 1 for c in result.candidates)


@pytest.mark.parametrize("steps", [1, 4])
def test_pieces_that_spell_a_banned_word_are_never_returned(
    steps: int, demo: ClipModel, apple: Targets, oracle: DemoOracle
) -> None:
    """With two pieces whose likeliest join is banned: another prompt, or an error that says so."""
    pieces = {demo.vocabulary.symbol(i): i for i in make_mask(demo.vocabulary, "all").ids}
    ids = tuple(sorted((pieces["app"], pieces["le</w>"])))
    pattern = make_mask(demo.vocabulary, ban=["apple"]).ban
    mask = TokenMask(ids, "all", ban=pattern)
    config = SHORT.replace(restarts=1, steps=steps, refine=0)
    for seed in range(8):
        try:
            result = learn_prompt(demo, apple, "{2}", config=config, mask=mask, seed=seed)
        except PezError as error:
            assert "ban" in str(error)
            continue
        assert_exact(result, apple, oracle)
        assert all("apple" not in c.text.split() for c in result.candidates)


def test_a_single_allowed_token_is_a_prompt(
    demo: ClipModel, apple: Targets, oracle: DemoOracle
) -> None:
    """There is one prompt, and it is found."""
    mask = make_mask(demo.vocabulary, allow=["apple"])
    result = learn_prompt(demo, apple, "{2}", config=SHORT, mask=mask)
    assert_exact(result, apple, oracle)
    assert [c.text for c in result.candidates] == ["apple apple"]
