"""`pez explain`: what tokens add and which tokens could replace them, as a table and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pez_core import ClipModel, make_targets, open_picture
from pez_core.applications.attribution import contributions, estimated_contributions
from tests.support.commands import Pez
from tests.support.oracle import DemoOracle

TEXT = "a Green striped watermelonish thing"


@pytest.fixture
def picture(root: Path) -> str:
    return str(root / "examples" / "watermelon.png")


def test_the_json_has_what_was_measured(
    pez: Pez, picture: str, demo: ClipModel, oracle: DemoOracle
) -> None:
    """The similarity by open_clip; a contribution for each token, alternatives for each word."""
    code, out, err = pez("explain", TEXT, "--picture", picture, "--alternatives", "2", "--json")
    assert (code, err) == (0, "")
    result = json.loads(out)
    targets = make_targets(oracle.pictures([open_picture(picture)]))
    assert list(result) == ["schema", "text", "similarity", "model", "estimated", "words"]
    assert (result["schema"], result["text"], result["estimated"]) == (1, TEXT, False)
    assert result["similarity"] == pytest.approx(oracle.similarity(TEXT, targets), abs=1e-4)
    assert [word["text"] for word in result["words"]] == TEXT.split()
    tokens = [token for word in result["words"] for token in word["tokens"]]
    ids = demo.vocabulary.encode(TEXT)
    assert [token["id"] for token in tokens] == ids
    added = [token["contribution"] for token in tokens]
    assert added == pytest.approx(contributions(demo, ids, targets), abs=1e-4)
    for place, word in enumerate(result["words"]):
        assert len(word["alternatives"]) == 2
        other = word["alternatives"][0]
        words = TEXT.split()
        words[place] = other["text"]
        true = oracle.similarity(" ".join(words), targets)
        assert other["similarity"] == pytest.approx(true, abs=1e-4)


def test_estimates_are_asked_for(pez: Pez, picture: str, demo: ClipModel) -> None:
    arguments = ("--picture", picture, "--estimate", "--alternatives", "0", "--json")
    code, out, _ = pez("explain", TEXT, *arguments)
    result = json.loads(out)
    targets = make_targets(demo.encode_pictures([open_picture(picture)]))
    expected = estimated_contributions(demo, demo.vocabulary.encode(TEXT), targets)
    found = [token["contribution"] for word in result["words"] for token in word["tokens"]]
    assert code == 0 and result["estimated"] is True
    assert found == pytest.approx(expected, abs=1e-5)
    assert all(word["alternatives"] == [] for word in result["words"])


def test_the_table_has_a_line_for_each_token(pez: Pez, picture: str) -> None:
    """The alternatives of a word of several tokens once; what CLIP does not read is said."""
    code, out, err = pez("explain", "red watermelonish", "--picture", picture)
    lines = out.splitlines()
    assert (code, err) == (0, "") and lines[0].split() == ["adds", "token", "in", "its", "place"]
    assert [line.split()[1] for line in lines[1:6]] == ["red", "water", "mel", "on", "ish"]
    assert [line.count(",") for line in lines[1:6]] == [2, 2, 0, 0, 0]
    assert lines[-1].startswith("similarity 0.")
    _, out, _ = pez("explain", "red " * 77, "--picture", picture, "--alternatives", "0")
    assert out.count("unread") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((" ",), "nothing to explain"),
        (("cat", "--alternatives", "-1"), "at least 0, got -1"),
    ],
)
def test_wrong_use_is_reported(
    pez: Pez, picture: str, arguments: tuple[str, ...], message: str
) -> None:
    code, out, err = pez("explain", *arguments, "--picture", picture)
    assert (code, out) == (2, "") and message in err and err.count("\n") == 1


def test_a_painter_says_what_words_add(pez: Pez, root: Path) -> None:
    pytest.importorskip("diffusers")
    given = ["explain", "a watermelon", "--picture", str(root / "examples" / "watermelon.png")]
    code, out, err = pez(*given, "--painter", "demo")
    assert (code, err) == (0, "")
    head, first, second, _, last = out.splitlines()
    assert head.split()[-4:] == ["word", "in", "its", "place"] and first.split()[4] == "a"
    assert second.split()[4] == "watermelon" and float(second.split()[0]) > 0.05
    assert last.startswith("error 0.") and last.endswith("of that without words")
    found = json.loads(pez(*given, "--painter", "demo", "--json")[1])
    assert [word["word"] for word in found["words"]] == ["a", "watermelon"]
    assert found["words"][1]["low"] > 0 and found["painter"]["pipeline"] == "demo"
    for word in found["words"]:
        errors = [other["error"] for other in word["alternatives"]]
        assert len(errors) == 3 and errors == sorted(errors)
        for other in word["alternatives"]:
            assert other["gain"] == pytest.approx(found["error"] - other["error"], abs=1e-5)
            assert other["low"] <= other["gain"] <= other["high"]
    none = json.loads(pez(*given, "--painter", "demo", "--alternatives", "0", "--json")[1])
    assert [word["alternatives"] for word in none["words"]] == [[], []]
    code, out, err = pez(*given, "--picture", given[-1], "--painter", "demo")
    assert code == 2 and not out and "give --picture once" in err
    code, out, err = pez(*given, "--estimate", "--painter", "demo")
    assert code == 2 and not out and "leave out --estimate" in err
