"""What a user can do wrong with a language model, and the errors."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from pez_core.errors import ConfigError, ModelError, TargetError
from pez_core.language_model import (
    Example,
    LanguageModel,
    TextConfig,
    learn_text_prompt,
    load_language_model,
    read_examples,
    score_text,
)
from pez_core.language_model.examples import split
from tests.support.language_support import VERBALIZERS, reviews
from training.instructed import train

pytest_plugins = ("tests.support.language_fixtures",)


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has seen one batch: enough to be refused by."""
    folder = tmp_path_factory.mktemp("untrained")
    train(folder, seed=1, steps=1, vocabulary=420)
    return folder


@pytest.fixture(scope="module")
def model(untrained: Path) -> LanguageModel:
    return load_language_model(str(untrained))


def test_without_transformers_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ModelError, match="need transformers: pip install 'transformers"):
        load_language_model("gpt2")


def test_importing_the_package_does_not_import_transformers() -> None:
    import subprocess

    code = "import sys; from pez_core.language_model import *; " \
           "print('torch' in sys.modules, 'transformers' in sys.modules)"  # fmt: skip
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "True False"


def test_a_pickle_is_not_read(untrained: Path, tmp_path: Path) -> None:
    for file in untrained.iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save({"a": torch.zeros(1)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match="no safetensors file, and pickle files are not read"):
        load_language_model(str(tmp_path))


@pytest.mark.parametrize("name", ["./nowhere", "/no/where", "a/b/c", "~/nowhere"])
def test_a_missing_folder_is_not_looked_for_on_the_hub(name: str) -> None:
    with pytest.raises(ModelError, match="no such folder: give one"):
        load_language_model(name)


def test_what_is_not_a_model_is_refused(untrained: Path, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes((untrained / "model.safetensors").read_bytes())
    with pytest.raises(ModelError, match="cannot be read as a language model: "):
        load_language_model(str(tmp_path))


def test_verbalizers_must_fit_the_labels_and_the_tokenizer(model: LanguageModel) -> None:
    data = reviews("food", 8, seed=1)
    with pytest.raises(
        TargetError, match="'maybe' has no verbalizer word; only true, false have one"
    ):
        score_text(model, "", [*data, Example("x", "maybe")], VERBALIZERS)
    with pytest.raises(
        TargetError, match=r"'incomprehensible' is \d+ tokens of .* must be one token"
    ):
        score_text(model, "", data, {"true": "incomprehensible", "false": "no"})
    with pytest.raises(TargetError, match="at least two labels"):
        score_text(model, "", data, {"true": "yes"})
    with pytest.raises(TargetError, match="a different verbalizer word, got"):
        score_text(model, "", data, {"true": "yes", "false": "yes"})
    with pytest.raises(TargetError, match="there are no examples"):
        score_text(model, "", [], VERBALIZERS)


def test_an_example_must_leave_something_to_read(model: LanguageModel) -> None:
    data = [*reviews("food", 8, seed=1), Example("", "true")]
    with pytest.raises(TargetError, match="example 9 of the examples has an empty text"):
        score_text(model, "word", data, VERBALIZERS)
    with pytest.raises(TargetError, match="has an empty text.*remove the example, or give"):
        learn_text_prompt(model, data, VERBALIZERS, holdout=data)
    assert score_text(model, "", data, VERBALIZERS, after=" It was").count == 9


def test_an_example_must_fit_the_context(model: LanguageModel) -> None:
    data = [*reviews("food", 8, seed=1), Example("the soup was good " * 20, "true")]
    with pytest.raises(
        TargetError, match=r"'the soup was good the soup was' has \d+ tokens, .* at most 64"
    ):
        learn_text_prompt(model, data, VERBALIZERS, holdout=data[:4])


@pytest.mark.parametrize("change", [
    {"fluency": 1.0}, {"fluency": -0.1}, {"look_every": 0}, {"look_examples": True}, {"lr": 0.0},
    {"vocabulary": "ascii"}, {"optimizer": "adam"}, {"batch_size": 0},
])  # fmt: skip
def test_settings_out_of_range_are_refused(change: dict[str, object]) -> None:
    (name,) = change
    with pytest.raises(ConfigError, match=name):
        TextConfig(**change)  # type: ignore[arg-type]


def test_numbers_out_of_range_are_refused(model: LanguageModel) -> None:
    with pytest.raises(ConfigError, match="tokens must be a whole number of at least 1, got 0"):
        learn_text_prompt(model, reviews("food", 8, seed=1), VERBALIZERS, tokens=0)
    with pytest.raises(ConfigError, match="seed must be between"):
        learn_text_prompt(model, reviews("food", 8, seed=1), VERBALIZERS, seed=-1)
    with pytest.raises(TargetError, match="1 examples cannot be split with a share of 0.25"):
        learn_text_prompt(model, reviews("food", 1, seed=1), VERBALIZERS)


def test_both_kinds_of_files_are_read(tmp_path: Path) -> None:
    expected = [Example('a "quoted", text', "true"), Example("zwei\nZeilen é", "0")]
    lines = [json.dumps({"text": e.text, "label": e.label, "more": 1}) for e in expected]
    (tmp_path / "a.jsonl").write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    table = 'label,text\ntrue,"a ""quoted"", text"\n0,"zwei\nZeilen é"\n'
    (tmp_path / "a.csv").write_text(table, encoding="utf-8-sig", newline="")
    assert read_examples(tmp_path / "a.jsonl") == read_examples(tmp_path / "a.csv") == expected


@pytest.mark.parametrize(("name", "content", "message"), [
    ("a.jsonl", '{"text": "x"}\n', "example 1 needs a text and a label"),
    ("a.jsonl", '{"text": "x", "label": "y"}\n[1]\n', "example 2 needs a text and a label"),
    ("a.jsonl", "{oops\n", "a line is not JSON"),
    ("a.csv", "text,class\nx,y\n", "example 1 needs a text and a label"),
    ("a.jsonl", b"\xff\xfe\xff", "cannot be read"),
    ("a.jsonl", "\n", "has no examples"),
    ("a.csv", "text,label\n", "has no examples"),
    ("a.jsonl", "[" * 200_000, "a line is nested too deeply"),
    ("a.csv", f"text,label\n{'x' * 140_000},y\n", "cannot be read: field larger"),
])  # fmt: skip
def test_files_that_cannot_be_read_are_reported(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(TargetError, match=f"{name}.*{message}"):
        read_examples(path)
    with pytest.raises(TargetError, match="cannot be read"):
        read_examples(tmp_path / "missing.csv")


def test_a_split_loses_and_doubles_nothing() -> None:
    data = reviews("food", 21, seed=1)
    training, held = split(data, 0.25, seed=3)
    assert len(held) == 5 and sorted(e.text for e in training + held) == sorted(
        e.text for e in data
    )
    assert split(data, 0.25, seed=3) == (training, held) != split(data, 0.25, seed=4)
