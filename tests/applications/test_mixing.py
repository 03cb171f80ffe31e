"""Prompts joined within a budget of tokens: their own words, those that say most."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pez_core import ClipModel, Targets, load_model, make_mask, make_targets
from pez_core.applications.mixing import concatenate
from pez_core.errors import ConfigError
from tests.support.oracle import DemoOracle

PROMPTS = ["A big red fire truck, on fire!", "two watermelons ( striped )", "it's a dog's life..."]
DEMO = load_model("demo")


def pieces(text: str) -> list[str]:
    """What the tokeniser splits the text into, pieces of words joined."""
    words, word = [], ""
    for token in DEMO.vocabulary.tokens(DEMO.vocabulary.encode(text)):
        word += token.text
        if token.ends_word:
            words.append(word)
            word = ""
    return words


def tokens(text: str) -> int:
    return len(DEMO.vocabulary.encode(text))


def is_subsequence(some: Sequence[str], of: Sequence[str]) -> bool:
    rest = iter(of)
    return all(piece in rest for piece in some)


def near(model: ClipModel, *texts: str) -> Targets:
    return make_targets(model.encode_texts(texts))


SHORT = ["cat", "a, b, c", "watermelonish"]


@settings(max_examples=30)
@given(
    st.lists(st.sampled_from(PROMPTS + SHORT), min_size=1, max_size=3),
    st.integers(1, 30),
)
def test_the_result_is_within_the_budget_and_of_the_prompts(
    prompts: list[str], budget: int
) -> None:
    """What is written in them in their order, commas between the prompts; nothing is dropped that
    fits."""
    targets = near(DEMO, "a watermelon")
    whole = pieces(" , ".join(prompts))
    try:
        text = concatenate(DEMO, prompts, targets, budget)
    except ConfigError:
        assert not [w for w in whole if len(DEMO.vocabulary.encode(w)) <= budget]
        return
    count = len(DEMO.vocabulary.encode(text))
    assert 0 < count <= budget and is_subsequence("".join(pieces(text)), "".join(whole))
    assert text == text.strip(" ,") != ""
    if len(DEMO.vocabulary.encode(" , ".join(prompts))) <= budget:
        assert "".join(pieces(text)) == "".join(whole)


@pytest.mark.parametrize(
    ("prompt", "gone"),
    [("two (striped) cats", "("), ("a fire-truck", "-"), ("red,blue", ","), ("a, b, c", "b")],
)
def test_a_word_that_goes_leaves_its_neighbours_apart(prompt: str, gone: str) -> None:
    """They stay the words they were."""
    kept = [word for word in pieces(prompt) if word != gone]
    text = concatenate(DEMO, [prompt], near(DEMO, "a cat"), 75, permits=lambda w: w != gone)
    assert is_subsequence(pieces(text), kept)


def test_the_comma_between_two_prompts_is_a_word() -> None:
    text = concatenate(DEMO, ["on fire!", "a cat"], near(DEMO, "a cat"), 75)
    assert pieces(text) == ["on", "fire", "!", ",", "a", "cat"]


@pytest.mark.parametrize("budget", [1, 2, 3])
def test_a_comma_between_prompts_never_stays_alone(budget: int) -> None:
    """However little of two prompts it says; nor does it stand at an end."""
    targets = near(DEMO, ",", "a house")
    text = concatenate(DEMO, ["penguin", "strawberry", "ghost"], targets, budget)
    assert text and text[0].isalpha() and text[-1].isalpha() and ", ," not in text
    with pytest.raises(ConfigError, match="nothing but commas"):
        concatenate(DEMO, [", ,", ","], targets, budget)


def test_of_long_words_one_always_stays() -> None:
    """Far more tokens than fit, in few words."""
    word = "supercalifragilisticexpialidocious"
    prompt = f"{word} hippopotomonstrosesquippedaliophobia {word}ness"
    longest = max(tokens(word) for word in prompt.split())
    assert concatenate(DEMO, [prompt], near(DEMO, "a house"), longest) in prompt.split()


def test_what_fits_stays_as_it_is_written() -> None:
    text = concatenate(DEMO, PROMPTS, near(DEMO, "a dog"), 75)
    assert (
        text
        == "A big red fire truck, on fire! , two watermelons ( striped ) , it's a dog's life..."
    )


def test_a_single_word_goes_as_brute_force_would_have_it(oracle: DemoOracle) -> None:
    """One token too many: the word is left out without which the text is most similar."""
    words = ["green", "striped", "penguin", "watermelon", "slice"]
    targets = near(DEMO, "a green striped watermelon slice")
    without = [" ".join(words[:i] + words[i + 1 :]) for i in range(len(words))]
    best = max(without, key=lambda text: oracle.similarity(text, targets))
    assert concatenate(DEMO, [" ".join(words)], targets, 4) == best
    assert "penguin" not in best


def test_a_word_that_says_nothing_goes_first() -> None:
    """Of two prompts: the budget is of both, not of each."""
    targets = near(DEMO, "a watermelon")
    text = concatenate(DEMO, ["penguin", "watermelon"], targets, 1)
    assert text == "watermelon"
    away = make_targets(DEMO.encode_texts(["a watermelon"]), [-1.0])
    assert concatenate(DEMO, ["penguin", "watermelon"], away, 1) == "penguin"


def test_longer_prompts_than_clip_reads() -> None:
    """Each keeps a share at first, so the last is not lost unread."""
    filler = "the sea and the " * 12
    prompts = [filler, filler, "a watermelon"]
    text = concatenate(DEMO, prompts, near(DEMO, "a watermelon"), 5)
    assert len(DEMO.vocabulary.encode(text)) <= 5 and "watermelon" in text


def test_words_that_are_not_permitted_go(demo: ClipModel) -> None:
    permits = make_mask(demo.vocabulary, "all", ban=["cat*", "red"]).permits
    targets = near(demo, "a red cat")
    text = concatenate(demo, ["Red cats", "a category of red cat, or dog"], targets, 75,
                       permits=permits)  # fmt: skip
    assert text == "a of, or dog"
    with pytest.raises(ConfigError, match="no prompt holds a permitted word of at most 3 tokens"):
        concatenate(demo, ["red cat"], targets, 3, permits=permits)


@pytest.mark.parametrize("budget", [0, -1, 76])
def test_a_budget_out_of_range(demo: ClipModel, budget: int) -> None:
    with pytest.raises(ConfigError, match=f"between 1 and 75, got {budget}"):
        concatenate(demo, ["a cat"], near(demo, "a cat"), budget)


@pytest.mark.parametrize("prompts", [[], [""], [" ", "\n"], ["watermelonish"]])
def test_nothing_to_join(demo: ClipModel, prompts: list[str]) -> None:
    with pytest.raises(ConfigError, match="nothing to join"):
        concatenate(demo, prompts, near(demo, "a cat"), 2)


def test_it_is_asked_whether_to_go_on(demo: ClipModel) -> None:
    asked = []
    targets = near(demo, "a cat")
    concatenate(demo, PROMPTS, targets, 3, check_interrupt=lambda: asked.append(1))
    assert len(asked) > 5

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        concatenate(demo, PROMPTS, targets, 3, check_interrupt=stop)


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
def test_comfyuis_modes_change_nothing(mode: type, demo: ClipModel) -> None:
    expected = concatenate(demo, PROMPTS, near(demo, "a watermelon"), 4)
    with mode():
        assert concatenate(demo, PROMPTS, near(demo, "a watermelon"), 4) == expected
