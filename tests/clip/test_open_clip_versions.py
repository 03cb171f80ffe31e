"""Versions of open_clip that other packages hold back, and none at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import open_clip
import pytest

from pez_core.clip import model_names
from pez_core.clip.model_names import LISTED, PRESETS, find_one
from pez_core.errors import ModelError

ROOT = Path(__file__).parents[2]


def entry(architecture: str, tag: str) -> dict[str, Any]:
    found: dict[str, Any] = open_clip.get_pretrained_cfg(architecture, tag)
    return {key: value for key, value in found.items() if key != "url"}


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The lists of open_clip 2.24: pickles, without an activation. An empty folder for weights."""
    pickle = {"url": "https://somewhere/ViT.pt", "hf_hub": ""}
    parts = {
        "version": SimpleNamespace(__version__="2.24.0"),
        "pretrained": SimpleNamespace(
            get_pretrained_cfg=lambda architecture, tag: pickle if tag == "openai" else {},
            list_pretrained_tags_by_model=lambda architecture: ["openai"],
        ),
    }
    monkeypatch.setattr(model_names, "part", parts.__getitem__)
    monkeypatch.setenv("PEZ_MODELS", str(tmp_path))
    return tmp_path


def test_the_presets_are_listed_as_open_clip_lists_them() -> None:
    sources = {preset.source for preset in PRESETS.values() if preset.source}
    assert set(LISTED) == {source for source in sources if "+" not in source}
    assert all(entry(*name.split(":")) == listed for name, listed in LISTED.items())


@pytest.mark.parametrize(
    ("preset", "activation"),
    [("sd15", "quick_gelu"), ("flux", "quick_gelu"), ("sd2", "gelu"), ("sdxl-g", "gelu")],
)
def test_a_preset_does_not_depend_on_the_version(old: Path, preset: str, activation: str) -> None:
    file = old / f"{str(PRESETS[preset].source).replace(':', '-')}.safetensors"
    file.touch()
    source = find_one(preset)
    assert (source.path, source.arch.activation) == (file, activation)
    assert source.arch.preprocess["mean"] == open_clip.OPENAI_DATASET_MEAN


def test_other_weights_are_refused_without_their_activation(old: Path) -> None:
    """OpenAI's need another one than the rest, and no file says so: the features would be wrong."""
    (old / "ViT-B-32-openai.safetensors").touch()
    with pytest.raises(ModelError, match=r"open_clip 2\.24\.0 does not say which activation.*-U"):
        find_one("ViT-B-32:openai")
    with pytest.raises(ModelError, match=r"open_clip 2\.24\.0 has no weights 'nobody'"):
        find_one("ViT-B-32:nobody")


def test_without_open_clip_the_error_names_the_package() -> None:
    code = (
        "import sys\n"
        "import importlib.util as util\n"
        "real = util.find_spec\n"
        "util.find_spec = lambda name, *a: None if name == 'open_clip' else real(name, *a)\n"
        "from pez_core.cli import main\n"
        "sys.exit(main(['invert', '--text', 'a dog', '--steps', '1']))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert result.returncode == 2 and result.stdout == ""
    wanted = "pez: error: the package open_clip_torch is missing: pip install open_clip_torch"
    assert result.stderr.strip() == wanted
