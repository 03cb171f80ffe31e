"""`pez evaluate` as a process that is killed and started again."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.support.commands import Pez
from tests.support.evaluation_support import Command, contents
from tests.support.processes import Moment, ended, start, whole

pytest_plugins = ("tests.support.evaluation_fixtures",)
SLOW = (
    "pez_core.evaluation.phases",
    "pez_core.evaluation.sheet",
    "diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion",
    "transformers.models.clip.modeling_clip",
)
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and forks of POSIX")


def test_a_kill_in_each_phase_loses_nothing(pez: Pez, evaluate: Command, tmp_path: Path) -> None:
    """Killed three times and interrupted once, each time at a line of a phase: all is in the end
    as in a run that was let alone, and the lines that were there have not been moved."""
    calm, out = tmp_path / "calm", tmp_path / "killed"
    assert pez(*evaluate("calm"))[0] == 0
    kept: dict[str, bytes] = {}
    for folder, moment in (
        ("prompts", Moment("pez.jsonl")),
        ("", Moment("regenerated.jsonl", at="torn")),
        ("", Moment("regenerated.jsonl", signal=signal.SIGINT)),
        ("", Moment("results.jsonl")),
    ):
        stopped = 130 if moment.signal == signal.SIGINT else -moment.signal
        assert ended(start(evaluate("killed"), moment, preload=SLOW)) == stopped, moment
        found = {path.relative_to(out).as_posix(): whole(path) for path in out.rglob("*.jsonl")}
        for path, before in kept.items():
            assert found[path].startswith(before)
        name = Path(folder, moment.file).as_posix()
        before = kept.get(name, b"").count(b"\n")
        assert found[name].count(b"\n") == before + moment.whole, moment
        kept = found
    assert ended(start(evaluate("killed"), preload=SLOW)) == 0
    assert contents(out) == contents(calm)
