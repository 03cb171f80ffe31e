"""What the tests share: the embedded model, open_clip's own reading of it, and how pytest sees the
repository."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import torch
from hypothesis import settings

import pez_core
from pez_core import ClipModel
from pez_core.cli import main
from pez_core.text.vocabulary import Vocabulary, clip_vocabulary
from tests.support.clocks import TickingClock
from tests.support.commands import Pez
from tests.support.oracle import DemoOracle

ROOT = Path(__file__).resolve().parent.parent

# Processes that the whole suite is shared out to, where there are as many cores: each takes about
# a gigabyte, and with a model of true size, four.
MOST_WORKERS = 4
# One node id a line, of a file or of a test: what the first tier leaves out.
SLOW = frozenset((ROOT / "tests" / "slow.txt").read_text(encoding="utf-8").split())
TRAINED = frozenset(("instructed_folder", "other"))  # fixtures that train a language model

# No deadline: how long an example takes says more about the machine than about the code.
settings.register_profile("tests", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("tests")


class RootIsNoPackage:
    """Keeps pytest from importing the root `__init__.py`, which is ComfyUI's door and needs
    ComfyUI.

    pytest 8 and newer take a folder with an `__init__.py` for a package and import it before its
    tests; where the checkout's name is a Python identifier this even passes the guard in that file.
    """

    @pytest.hookimpl(tryfirst=True)
    def pytest_collect_directory(self, path: Path, parent: pytest.Collector) -> object:
        return pytest.Dir.from_parent(parent, path=path) if path == ROOT else None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--inference-mode",
        action="store_true",
        help="call every test under torch.inference_mode(), where ComfyUI calls its nodes",
    )


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object:
    if not pyfuncitem.config.getoption("--inference-mode"):
        return (yield)
    if pyfuncitem.get_closest_marker("own_autograd"):
        pytest.skip("differentiates in the test itself")
    with torch.inference_mode():
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Shares the whole suite out to several processes, where pytest-xdist is installed: a file is
    run by one of them. `-n 0` runs all in one, as do tests that are named.

    So do models of true size for themselves, for their memory, and a ComfyUI, which is started once
    a process.
    """
    option = config.option
    if (
        not config.pluginmanager.hasplugin("xdist")
        or "PYTEST_XDIST_WORKER" in os.environ
        or option.numprocesses is not None
        or option.collectonly
        or option.usepdb
        or config.args_source is not pytest.Config.ArgsSource.TESTPATHS
        or "COMFYUI_PATH" in os.environ
        or re.search(r"(?<!not )\b(models|comfyui)\b", option.markexpr)
    ):
        return
    workers = min(os.cpu_count() or 1, MOST_WORKERS)
    if workers > 1:
        option.numprocesses, option.dist = workers, "loadfile"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        test = item.nodeid.partition("[")[0]
        named = {test, test.partition("::")[0]} & SLOW
        trained = TRAINED & set(getattr(item, "fixturenames", ()))
        if named or trained or item.get_closest_marker("models"):
            item.add_marker("slow")


def pytest_configure(config: pytest.Config) -> None:
    torch.set_num_threads(1)  # the tensors are tiny: threads would only wait for each other
    config.pluginmanager.register(RootIsNoPackage())


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    return clip_vocabulary()


@pytest.fixture(scope="session")
def demo() -> ClipModel:
    """The embedded model."""
    return pez_core.load_model("demo")


@pytest.fixture(scope="session")
def oracle() -> DemoOracle:
    """The embedded model as open_clip itself loads and runs it."""
    return DemoOracle()


@pytest.fixture
def pez(capsys: pytest.CaptureFixture[str]) -> Pez:
    """Runs a command line in this process; exit code, stdout and stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main(arguments)
        except SystemExit as stop:  # argparse's own way to end
            code = int(stop.code or 0)
        return (code, *capsys.readouterr())

    return call


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> TickingClock:
    """The clock by which searches measure their time: a hundredth of a second a look."""
    clock = TickingClock()
    monkeypatch.setattr("time.perf_counter", clock)
    return clock


@pytest.fixture(autouse=True)
def grad_mode_is_left_alone() -> object:
    """No test may leave torch in another mode than it found."""
    yield
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
