"""A ComfyUI server of the checkout that COMFYUI_PATH names, in a temporary base folder.

`--base-directory` moves models, custom nodes, input, output, temp and user folder away from the
checkout, so that whatever lies in its `custom_nodes` (perhaps this very repository) is not loaded
and nothing is written into it. Both 0.3.64 and 0.8.0 have the option.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from tests.comfyui.checkpoint import FOLDERS
from tests.support.processes import SAFETY

PACK = "pez-prompts"
OTHER_PACK = Path(__file__).with_name("other_pack.py")
START_LIMIT = 2 * SAFETY  # seconds


@dataclass(frozen=True)
class Server:
    """A running server, and where its files are."""

    url: str
    base: Path
    log: Path
    pid: int

    def folder(self, name: str) -> Path:
        """`input`, `output`, `temp` or `user`."""
        return self.base / name


@contextmanager
def running_server(
    checkout: Path, pack: Path, models: Path, base: Path, names: Sequence[str] = (PACK,)
) -> Iterator[Server]:
    """A server with the pack and "other-pack"; ended by its own process id.

    models: a folder as `write_models` fills it; base: an empty folder; names: of the folders in
    which the pack is installed.
    """
    lay_out(pack, models, base, names)
    port, log = _free_port(), base / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "main.py", *_arguments(base, port)],
            cwd=checkout, env=_environment(checkout, base), stdout=output, stderr=output,
        )  # fmt: skip
    server = Server(f"http://127.0.0.1:{port}", base, log, process.pid)
    try:
        _wait_until_ready(server, process)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def lay_out(pack: Path, models: Path, base: Path, names: Sequence[str]) -> None:
    """Fills the base folder: the pack as links, other-pack as a copy, the paths of the models."""
    for name in ("custom_nodes", "models", "input", "output", "temp", "user"):
        (base / name).mkdir(parents=True)
    for name in names:
        (base / "custom_nodes" / name).symlink_to(pack)
    other = base / "custom_nodes" / "other-pack"
    other.mkdir()
    # Kept under another name in this repository, where an __init__.py would make a package of it.
    shutil.copy(OTHER_PACK, other / "__init__.py")
    (other / "pez_core").mkdir()
    (other / "pez_core" / "__init__.py").write_text('OWNER = "other-pack"\n')
    paths = [f"  {name}: {name}" for name in FOLDERS]
    (base / "extra_model_paths.yaml").write_text(
        "\n".join(["tests:", f"  base_path: {models}", *paths, ""])
    )


def _arguments(base: Path, port: int) -> list[str]:
    return [
        "--cpu", "--port", str(port), "--disable-auto-launch", "--disable-api-nodes",
        "--base-directory", str(base),
        "--extra-model-paths-config", str(base / "extra_model_paths.yaml"),
        "--database-url", f"sqlite:///{base / 'user' / 'comfyui.db'}",
    ]  # fmt: skip


def _environment(checkout: Path, base: Path) -> dict[str, str]:
    """One thread, no network, no GPU, no search path but the checkout's, and a cache of its own."""
    changes = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    environment = {**os.environ, **changes}
    environment["XDG_CACHE_HOME"] = str(base / "cache")  # where the pack remembers its files
    # This repository on the path would give other-pack the `pez_core` of ours.
    environment["PYTHONPATH"] = str(_stand_in(checkout, base))
    return environment


def _stand_in(checkout: Path, base: Path) -> Path:
    """A folder for PYTHONPATH: an empty `comfyui_workflow_templates` if the checkout is so old
    (0.3.64) that the installed package has another layout than it starts with."""
    folder = base / "python"
    required = re.search(
        r"comfyui-workflow-templates==0\.(\d+)", (checkout / "requirements.txt").read_text()
    )
    package = folder / "comfyui_workflow_templates"
    if required and int(required[1]) < 3:
        (package / "templates").mkdir(parents=True)
        (package / "__init__.py").touch()
    return folder


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(server: Server, process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + START_LIMIT
    while time.monotonic() < limit:
        if process.poll() is not None:
            raise RuntimeError(f"ComfyUI ended with {process.returncode}:\n{tail(server.log)}")
        try:
            with urlopen(f"{server.url}/system_stats", timeout=SAFETY):
                return
        except (URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"ComfyUI did not answer in {START_LIMIT:.0f} s:\n{tail(server.log)}")


def tail(log: Path, start: int = 0, most: int = 8000) -> str:
    """The end of a log, from byte `start` on."""
    return log.read_bytes()[start:][-most:].decode(errors="replace")
