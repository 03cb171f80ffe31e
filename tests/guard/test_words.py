"""The words that say a concept outright: which they are, and that no search uses them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pez_core import (
    ClipModel,
    Guard,
    Targets,
    TokenMask,
    learn_prompt,
    make_guard,
    make_mask,
    make_targets,
    open_picture,
)
from pez_core.applications.distillation import distill
from pez_core.applications.mixing import learn_apart
from pez_core.config import DEFAULT
from pez_core.errors import VocabularyError
from tests.support.oracle import DemoOracle

QUICK = DEFAULT.replace(steps=5, refine=0, restarts=4)


@pytest.fixture(scope="module")
def guard(demo: ClipModel) -> Guard:
    return make_guard(demo, ["pizza"])


@pytest.fixture(scope="module")
def pizza(demo: ClipModel, root: Path) -> Targets:
    return make_targets(demo.encode_pictures([open_picture(root / "examples" / "pizza.png")]))


def test_they_are_those_that_alone_are_near(demo: ClipModel, oracle: DemoOracle) -> None:
    """By open_clip's features: each alone is above the threshold; no other word of the concept is,
    and of the vocabulary's words none that begins with one of them."""
    concepts = ["cat", "text watermark", "a dog in the snow"]
    guard = make_guard(demo, concepts)
    assert guard.words == {
        "cat": ("cat", "cats"), "text watermark": ("watermark",), "a dog in the snow": (),
    }  # fmt: skip
    tried = ["cat", "cats", "category", "cathedral", "cattle", "text", "watermark", "dog", "snow"]
    near = dict(zip(tried, guard.near(oracle.texts(tried)).tolist(), strict=True))
    assert [word for word in tried[:5] if near[word][0]] == ["cat", "cats"]
    assert [word for word in tried[5:7] if near[word][1]] == ["watermark"]
    assert not any(near[word][2] for word in tried[7:])


@pytest.mark.parametrize(
    ("concept", "words"),
    [
        ("nude", {"nude"}),  # the model does not know it
        ("\N{SLICE OF PIZZA}", {"\N{SLICE OF PIZZA}"}),
        ("C*", {"c*"}),
        ("Castle!", {"castle!", "castle", "castles"}),
        ("the", {"the"}),
        ("Dogs", {"dogs", "dog"}),
    ],
)
def test_the_word_of_a_single_word_is_always_there(
    concept: str, words: set[str], demo: ClipModel
) -> None:
    guard = make_guard(demo, [concept])
    assert words <= set(guard.words[concept])
    assert guard.says(f"so {concept} it is")
    mask = make_mask(demo.vocabulary, "all").less(demo.vocabulary, guard.ban)
    assert not mask.permits(f"so {concept} it is") and mask.permits("so be it")


def test_only_inflections_go_with_a_word(demo: ClipModel) -> None:
    """Words that merely begin alike are other words."""
    guard = make_guard(demo, ["man", "post office", "bear", "a walking dog", "t-shirt"])
    words = {word for some in guard.words.values() for word in some}
    assert not words & {"manage", "office's", "off", "beard", "t", "mand"}
    assert "bears" in guard.words["bear"]


def test_short_words_and_function_words_go_where_they_are_all_there_is(demo: ClipModel) -> None:
    """A word of two letters is a word; of two function words one may say it."""
    words = make_guard(demo, ["a TV", "an ox", "to be"]).words
    assert "tv" in words["a TV"] and "a" not in words["a TV"]
    assert "ox" in words["an ox"] and "be" in words["to be"]


def test_of_what_the_model_does_not_know_all_words_go(demo: ClipModel) -> None:
    """Nearness says nothing there."""
    guard = make_guard(demo, ["logo of a brand"])
    assert guard.unknown == {"logo of a brand"}
    assert guard.words == {"logo of a brand": ("logo", "brand")}


def test_function_words_and_pictures_have_none(demo: ClipModel, root: Path) -> None:
    """ "the" alone is near "the cat" to this model."""
    picture = open_picture(root / "examples" / "pizza.png")
    guard = make_guard(demo, ["the cat"], {"a pizza": picture})
    assert guard.near(demo.encode_texts(["the"]))[0, 0]
    assert guard.words == {"the cat": ("cat", "cats")}
    assert not guard.says("the pizza") and guard.says("Cats, or so") == {"the cat": ("cats",)}


def test_no_candidate_says_one_where_the_meaning_alone_leaves_it_in(
    demo: ClipModel, guard: Guard, pizza: Targets
) -> None:
    """A template that pulls away from the meaning leaves room for the word."""
    config = DEFAULT.replace(candidates=8)
    template = "a castle and a {2} behind a tree"
    mute = replace(guard, words={})
    plain = learn_prompt(demo, pizza, template, config=config, guard=mute)
    assert not plain.best.near and guard.says(plain.best.text)
    result = learn_prompt(demo, pizza, template, config=config, guard=guard)
    assert not any(c.near or guard.says(c.text) for c in result.candidates)
    assert result.settings["avoided_words"] == {"pizza": ["pizza", "pizzas"]}
    assert plain.settings["avoided_words"] == {}


def test_word_pieces_do_not_spell_one(demo: ClipModel) -> None:
    """The target is the word itself, of two tokens, and no meaning is kept away from."""
    guard = make_guard(demo, ["watermark"])
    deaf = replace(guard, thresholds=guard.thresholds + 2)
    ids = [*demo.vocabulary.encode("watermark"), *demo.vocabulary.encode("mark sign")]
    mask = TokenMask(tuple(sorted(set(ids))), "all")
    targets = make_targets(demo.encode_texts(["watermark"]))
    plain = learn_prompt(demo, targets, "{2}", mask=mask, guard=replace(deaf, words={}))
    assert plain.best.text == "watermark" and guard.words["watermark"] == ("watermark",)
    result = learn_prompt(demo, targets, "{2}", mask=mask, guard=deaf)
    assert not any(guard.says(candidate.text) for candidate in result.candidates)


def test_bans_of_both_hold_and_nothing_left_is_an_error(
    demo: ClipModel, guard: Guard, pizza: Targets
) -> None:
    mask = make_mask(demo.vocabulary, ban=["cheese*"], words=demo.source.words)
    less = mask.less(demo.vocabulary, guard.ban)
    assert not any(less.permits(word) for word in ("cheese", "cheesecake", "pizza", "Pizzas!"))
    assert less.permits("pizzeria") and set(less.ids) < set(mask.ids)
    assert {t.text for t in less.removed} >= {"cheese", "pizza"}
    one = make_mask(demo.vocabulary, allow=["pizza"])
    with pytest.raises(VocabularyError, match="no token is left .* 1 tokens banned or avoided"):
        learn_prompt(demo, pizza, mask=one, guard=guard)


def test_distilled_and_mixed_prompts_do_not_say_them(
    demo: ClipModel, guard: Guard, pizza: Targets
) -> None:
    """In a mix the words of a text that was given go as well, as with a ban."""
    text = "a hot slice of pizza on a wooden table with a glass of red wine"
    result = distill(demo, text, "{4}", config=QUICK, guard=guard)
    assert not any(guard.says(c.text) for c in result.candidates)
    both = make_targets(demo.encode_texts(["pizza on a table", "a red heart"]))
    mixed = learn_apart(demo, both, ["pizza on a table", None], 8, config=QUICK, guard=guard)
    assert not guard.says(mixed.best.text) and "table" in mixed.best.text
    assert mixed.settings["avoided_words"] == {"pizza": ["pizza", "pizzas"]}
