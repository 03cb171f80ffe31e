"""The fixtures `pipeline`, `plan` and `evaluate`, for test modules with
`pytest_plugins = ("tests.support.evaluation_fixtures",)`."""

from __future__ import annotations

from pathlib import Path

import pytest

from pez_core import PRESETS, make_mask
from pez_core.batch.inverter import Job
from pez_core.evaluation.plan import Plan
from pez_core.painter.settings import PainterSettings
from pez_core.text.vocabulary import Vocabulary
from tests.support.evaluation_support import Command
from tests.support.many_pictures import QUICK, make_pictures
from tests.support.tiny_pipeline import save_pipeline


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small pipeline in a folder."""
    pytest.importorskip("diffusers")
    return save_pipeline(tmp_path_factory.mktemp("pipeline"))


@pytest.fixture
def plan(tmp_path: Path, vocabulary: Vocabulary, pipeline: Path, root: Path) -> Plan:
    """Two pictures, PEZ and a caption of one of them."""
    names = make_pictures(tmp_path / "pictures", 2)
    search = PRESETS["fast"].replace(steps=2, restarts=1)
    return Plan(
        tmp_path / "pictures",
        Job("demo", "{2}", search, make_mask(vocabulary), seed=3, dtype="float32"),
        captions={"human": {names[0]: "a red square"}},
        painter=PainterSettings(str(pipeline), steps=2, images=2),
        judge=str(root / "benchmarks" / "judge"),
    )


@pytest.fixture
def evaluate(tmp_path: Path, pipeline: Path, root: Path) -> Command:
    """The arguments of an evaluation of the folder `pictures` into the folder of a name."""
    make_pictures(tmp_path / "pictures", 3)

    def arguments(out: str, *more: str) -> list[str]:
        return [
            "evaluate", str(tmp_path / "pictures"), "--out", str(tmp_path / out), *QUICK,
            "--model", "demo", "--pipeline", str(pipeline),
            "--judge", str(root / "benchmarks" / "judge"), "--diffusion-steps", "2", *more,
        ]  # fmt: skip

    return arguments
