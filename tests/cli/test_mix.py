"""`pez mix`: concepts with weights into one prompt, learned at once or one by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from pez_core import ClipModel, SearchConfig, Targets, learn_prompt, make_targets, open_picture
from pez_core.applications.mixing import learn_apart
from pez_core.cli.mix import split_weight
from pez_core.errors import ConfigError, PictureError, TargetError
from tests.support.clocks import TickingClock
from tests.support.commands import Pez
from tests.support.oracle import DemoOracle

QUICK = ["--steps", "3", "--restarts", "2", "--preset", "fast", "--dtype", "float32"]
CONFIG = SearchConfig(steps=3, restarts=2, refine=0)


@pytest.fixture
def penguin(root: Path) -> str:
    return str(root / "examples" / "penguin.png")


def mix(pez: Pez, *arguments: str) -> dict[str, Any]:
    code, out, err = pez("mix", *arguments, *QUICK, "--json")
    assert (code, err) == (0, "")
    result: dict[str, Any] = json.loads(out)
    return result


@pytest.mark.parametrize("mode", ["learn", "concatenate"])
def test_the_similarity_is_that_to_the_weighted_concepts(
    mode: str, pez: Pez, penguin: str, oracle: DemoOracle
) -> None:
    """Of a picture, a text and one to keep away from, by open_clip."""
    names = (f"{penguin}@2", "a red heart@0.5", "snow@-1")
    result = mix(pez, *names, "--mode", mode, "--tokens", "6")
    features = torch.cat(
        [oracle.pictures([open_picture(penguin)]), oracle.texts(["a red heart", "snow"])]
    )
    targets = Targets(features, torch.tensor([2.0, 0.5, -1.0]), ("", "", ""))
    for candidate in result["candidates"]:
        expected = oracle.similarity(candidate["prompt"], targets)
        assert candidate["similarity"] == pytest.approx(expected, abs=1e-5)
        assert candidate["ids"] == oracle.tokenizer.encode(candidate["prompt"])
        assert len(candidate["ids"]) <= 6
    settings = result["settings"]
    assert (settings["mode"], settings["weights"]) == (mode, [2.0, 0.5, -1.0])
    assert settings["pictures"] == [penguin] and settings["texts"] == ["a red heart", "snow"]
    assert settings["negatives"] == ["snow"]


@pytest.mark.parametrize("mode", ["learn", "concatenate"])
def test_the_json_is_that_of_invert(mode: str, pez: Pez, penguin: str) -> None:
    learned = json.loads(pez("invert", penguin, *QUICK, "--json")[1])
    result = mix(pez, penguin, "a red heart", "--mode", mode)
    assert list(result) == list(learned)
    assert set(result["settings"]) >= set(learned["settings"])


def test_learned_at_once_it_is_inverts_own_search(pez: Pez, penguin: str) -> None:
    learned = json.loads(pez("invert", penguin, "--text", "a red heart", *QUICK, "--json")[1])
    assert mix(pez, penguin, "a red heart")["candidates"] == learned["candidates"]


def test_learned_apart_each_has_the_words_it_has_alone(demo: ClipModel, root: Path) -> None:
    """Its share of the tokens by weight; a text has its own words; what is kept away from none."""
    seen = demo.encode_pictures(
        [open_picture(root / "examples" / name) for name in ("penguin.png", "pizza.png")]
    )
    features = torch.cat([seen, demo.encode_texts(["two red hearts", "snow"])])
    targets = make_targets(features, [3.0, 1.0, 2.0, -1.0])
    words = [None, None, "two red hearts", "snow"]
    result = learn_apart(demo, targets, words, 12, config=CONFIG, seed=4)
    alone = [
        learn_prompt(demo, make_targets(seen[[place]]), f"{{{share}}}", config=CONFIG, seed=4).best
        for place, share in ((0, 6), (1, 2))
    ]
    parts = result.settings["parts"]
    assert parts == [alone[0].text, alone[1].text, "two red hearts"]
    kept = result.best.text.replace(",", " ").split()
    rest = iter(" ".join(parts).split())
    assert kept and all(word in rest for word in kept)  # in their order
    assert len(result.best.ids) <= 12 and result.steps == 2 * CONFIG.steps


def test_a_stop_ends_each_search_and_has_words_of_all(demo: ClipModel, root: Path) -> None:
    seen = demo.encode_pictures(
        [open_picture(root / "examples" / name) for name in ("penguin.png", "pizza.png")]
    )
    result = learn_apart(
        demo, make_targets(seen), [None, None], 6, config=CONFIG, callback=lambda info: False
    )
    assert (result.stopped, result.steps) == ("user", 2)
    assert [len(part.split()) for part in result.settings["parts"]] == [3, 3]


def test_pictures_learned_apart_share_the_seconds(
    demo: ClipModel, root: Path, clock: TickingClock
) -> None:
    seen = demo.encode_pictures([open_picture(root / "examples" / "penguin.png")] * 2)
    config = CONFIG.replace(steps=100_000, seconds=0.4)
    result = learn_apart(demo, make_targets(seen), [None, None], 6, config=config)
    assert result.stopped == "seconds" and 0.4 <= result.seconds < 0.6
    assert result.settings["seconds"] == 0.4


def test_without_something_to_come_near_to_nothing_is_joined(demo: ClipModel) -> None:
    targets = make_targets(demo.encode_texts(["snow"]), [-1.0])
    with pytest.raises(ConfigError, match="nothing to concatenate: give something of a positive"):
        learn_apart(demo, targets, ["snow"], 4)
    with pytest.raises(ConfigError, match="between 1 and 75, got 0"):
        learn_apart(demo, make_targets(targets.features), ["snow"], 0)


@pytest.mark.parametrize(
    ("concept", "name", "weight"),
    [
        ("fox.png", "fox.png", 1.0),
        ("fox.png@0.7", "fox.png", 0.7),
        ("an oil painting@-2", "an oil painting", -2.0),
        ("me@home", "me@home", 1.0),
        ("a@b@.5", "a@b", 0.5),
        ("x@", "x@", 1.0),
    ],
)
def test_a_weight_stands_after_a_name(concept: str, name: str, weight: float) -> None:
    assert split_weight(concept) == (name, weight)


def test_a_weight_that_is_not_a_number_after_a_file_is_refused(tmp_path: Path) -> None:
    """A text may hold an @; after the name of a picture it means a weight."""
    path = tmp_path / "fox.png"
    path.write_bytes(b"")
    for number in ("0,7", "", "heavy"):
        with pytest.raises(TargetError, match=f"must be a number such as 0.7, got '{number}'"):
            split_weight(f"{path}@{number}")
    assert split_weight("a fox@home") == ("a fox@home", 1.0)
    with pytest.raises(PictureError, match="no such picture"):
        split_weight(f"{tmp_path}/wolf.png@0,7")


def test_a_file_that_is_called_so_is_that_file(tmp_path: Path) -> None:
    path = tmp_path / "fox@2"
    path.write_bytes(b"")
    assert split_weight(str(path)) == (str(path), 1.0)
    assert split_weight(f"{path}@3") == (str(path), 3.0)


@pytest.mark.parametrize("concept", ["cat@0", "cat@inf", "cat@nan", "@2", " ", ""])
def test_an_impossible_weight_or_name_is_refused(concept: str) -> None:
    with pytest.raises(TargetError, match="must be a number other than 0|is empty"):
        split_weight(concept)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.png@2"], "none.png: no such picture"),
        (
            ["cat", "--mode", "concatenate", "--template", "a {3}"],
            "--template works only with --mode learn",
        ),
        (["cat@-1", "--mode", "concatenate"], "nothing to concatenate"),
        (["cat", "--mode", "blend"], "invalid choice: 'blend'"),
        ([], "the following arguments are required"),
    ],
)
def test_wrong_use_is_reported(pez: Pez, arguments: list[str], message: str) -> None:
    code, out, err = pez("mix", *arguments)
    assert (code, out) == (2, "") and message in err and err.count("\n") == 1
