"""A small language model that follows instructions, trained once for all tests that ask for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pez_core.language_model import LanguageModel, load_language_model
from training.instructed import train


@pytest.fixture(scope="session")
def instructed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("instructed")
    train(folder, seed=0)
    return folder


@pytest.fixture(scope="session")
def instructed(instructed_folder: Path) -> LanguageModel:
    return load_language_model(str(instructed_folder))


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of another model, hardly trained, to which many words are several tokens."""
    folder = tmp_path_factory.mktemp("other")
    train(folder, seed=7, steps=20, width=32, vocabulary=380)
    return str(folder)
