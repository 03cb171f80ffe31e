"""A hub on this machine that has one file, and what goes wrong on the way to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
REPOSITORY, FILE = "somebody/some-model", "open_clip_model.safetensors"
PATH = f"/{REPOSITORY}/resolve/main/{FILE}"
CONTENT = bytes(range(256)) * 400  # 102,400 bytes
GATED = "Access to model somebody/some-model is restricted. Please log in."


class Hub(ThreadingHTTPServer):
    """`faults` say how it deviates from a hub that works; `asked` collects the requests."""

    daemon_threads = True

    def __init__(self, **faults: Any) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.faults = faults
        self.asked: list[str] = []
        self.end = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up needs no traceback."""


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        faults = self.server.faults
        path = self.path.removeprefix("http://hub.invalid")  # what a proxy is asked for
        self.server.asked.append(f"{self.command} {path}")
        if "silent" in faults or ("silent_root" in faults and path != PATH):
            self.server.end.wait()
        elif "password" in faults and self.headers["Proxy-Authorization"] is None:
            self._answer(407)
        elif path != PATH and path != "/moved":
            self._answer(403)
        elif "status" in faults:
            extra = {"X-Error-Code": faults["code"]} if "code" in faults else {}
            extra |= {"X-Error-Message": GATED} if faults.get("code") == "GatedRepo" else {}
            self._answer(faults["status"], extra)
        elif "moved" in faults and path != "/moved":
            self._answer(302, {"Location": faults["moved"]})
        elif "portal" in faults:
            self._answer(200, {}, b"<html>Please log in to the hotel")
        else:
            self._file()

    do_GET = do_HEAD

    def _file(self) -> None:
        whole = {"ETag": '"1234"', "X-Repo-Commit": "5" * 40}
        start = int((self.headers["Range"] or "bytes=0-").split("=")[1].rstrip("-"))
        content = CONTENT[start:]
        if start:
            whole["Content-Range"] = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
        if "breaks" in self.server.faults and self.command == "GET" and not start:
            self._answer(200, whole, content, sent=50_000)
        else:
            self._answer(206 if start else 200, whole, content)

    def _answer(
        self,
        status: int,
        headers: dict[str, str] | None = None,
        content: bytes = b"",
        sent: int | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content[:sent])

    def log_message(self, format: str, *args: Any) -> None: ...


@contextmanager
def running_hub(hub: Hub) -> Iterator[Hub]:
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.end.set()
        hub.shutdown()
        hub.server_close()


_DOWNLOAD = """
import json, sys
from pathlib import Path
{first}
from pez_core.errors import ModelError
from pez_core.hub.download import download
trained = {{"hf_hub": "{repository}/"}}
told = []
try:
    path = download("some", trained, Path("by-hand"), lambda *now: told.append(now))
    found = dict(content=len(path.read_bytes()), told=told[-1:])
except ModelError as error:
    found = dict(error=str(error))
print(json.dumps(found))
"""


def download(home: Path, endpoint: str, first: str = "", **environment: str) -> dict[str, Any]:
    """What a download says in a new process, because the hub's client reads its settings once.

    home: for the client's cache; first: Python code that the process begins with.
    """
    kept = {k: v for k, v in os.environ.items() if not k.lower().endswith(("_proxy", "_ca_bundle"))}
    given = {
        "HF_HOME": str(home), "HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0",
        "PYTHONPATH": str(ROOT), "HF_HUB_DISABLE_TELEMETRY": "1",
    }  # fmt: skip
    if "PYTHONPATH" in kept:
        given["PYTHONPATH"] += os.pathsep + kept["PYTHONPATH"]
    code = _DOWNLOAD.format(first=first, repository=REPOSITORY)
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False,
        env={**kept, **given, **environment},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found
