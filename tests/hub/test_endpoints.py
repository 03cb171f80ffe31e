"""Downloads as the hub's own client makes them: mirrors, proxies, certificates, refusals."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
from inspect import signature
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from tests.support.hub_server import CONTENT, PATH, Hub, download, running_hub

FILE_THERE = "put the file open_clip_model.safetensors of {}/somebody/some-model at by-hand"
REPORTS = "tqdm_class" in signature(huggingface_hub.hf_hub_download).parameters
WHOLE = {"content": len(CONTENT), "told": [[len(CONTENT), len(CONTENT)]] if REPORTS else []}
# A session that the user has given to the hub's client; `arguments` are of either transport.
SESSION = """
import ssl, huggingface_hub as hub
if hasattr(hub, "set_client_factory"):
    kind = type(hub.get_session())
    hub.set_client_factory(lambda: kind(follow_redirects=True, {client}))
else:
    import requests
    def session():
        made = requests.Session()
        {session}
        return made
    hub.configure_http_backend(session)
"""


def assert_told(error: str, reason: str, endpoint: str) -> None:
    """One line with the reason, and the advice with the endpoint in use."""
    assert re.search(rf"some is not on this machine and .* downloaded \(.*{reason}", error)
    assert FILE_THERE.format(endpoint) in error
    assert "\n" not in error and "https://huggingface.co/somebody" not in error


@pytest.mark.parametrize(
    "faults",
    [{}, {"silent_root": True}, {"moved": "/moved"}],
    ids=["as it should be", "a mirror that serves only files", "redirected"],
)
def test_a_mirror_serves_the_file(tmp_path: Path, faults: dict[str, Any]) -> None:
    with running_hub(Hub(**faults)) as hub:
        assert download(tmp_path, hub.address) == WHOLE
        assert {line.split()[1] for line in hub.asked} <= {PATH, "/moved"}


@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        ({"status": 401}, "401"),
        ({"status": 404, "code": "RepoNotFound"}, "Repository Not Found for url: {url}"),
        ({"status": 404, "code": "EntryNotFound"}, "Entry Not Found for url: {url}"),
        ({"status": 403, "code": "GatedRepo"}, "Cannot access gated repo for url {url}"),
        ({"status": 503}, "{url} answers 503"),
        ({"portal": True}, "does not seem to be|is missing the"),
    ],
)
def test_a_refusal_is_one_line(tmp_path: Path, faults: dict[str, Any], reason: str) -> None:
    with running_hub(Hub(**faults)) as hub:
        error = download(tmp_path, hub.address)["error"]
    assert_told(error, reason.format(url=hub.address + PATH), hub.address)


def test_a_download_that_breaks_off_is_made_again(tmp_path: Path) -> None:
    """By the client itself or by the next call. Half a file is never taken for a whole one."""
    with running_hub(Hub(breaks=True)) as hub:
        found = download(tmp_path, hub.address)
        if found != WHOLE:
            assert_told(found["error"], "50000", hub.address)
            hub.faults.clear()
            assert download(tmp_path, hub.address) == WHOLE


def test_without_a_network_it_fails_at_once(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    assert_told(download(tmp_path, address)["error"], "refused", address)


def test_a_hub_that_is_silent_is_asked_once(tmp_path: Path) -> None:
    """The client itself would ask six times, and wait longer each time."""
    with running_hub(Hub(silent=True)) as hub:
        error = download(tmp_path, hub.address, HF_HUB_ETAG_TIMEOUT="1")["error"]
        assert_told(error, "timed out", hub.address)
        assert hub.asked == [f"HEAD {PATH}"]


def test_offline_mode_is_named(tmp_path: Path) -> None:
    with running_hub(Hub()) as hub:
        error = download(tmp_path, hub.address, HF_HUB_OFFLINE="1")["error"]
        assert_told(error, "offline mode is enabled", hub.address)
        assert not hub.asked


@pytest.mark.parametrize("known", ["of the environment", "of the session"])
def test_a_proxy_with_a_password(tmp_path: Path, known: str) -> None:
    """The address of the hub is known only to the proxy."""
    with running_hub(Hub(password=True)) as hub:
        proxy = hub.address.replace("//", "//somebody:secret@")
        first, environment = "", {"HTTP_PROXY": proxy, "http_proxy": proxy}
        if known == "of the session":
            environment = {}
            first = SESSION.format(
                client=f"proxy={proxy!r}", session=f"made.proxies['http'] = {proxy!r}"
            )
        assert download(tmp_path, "http://hub.invalid", first, **environment) == WHOLE


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of 127.0.0.1 with its key, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificate, is not installed")
    file = tmp_path_factory.mktemp("certificate") / "own.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
            "-keyout", str(file), "-out", str(file.with_suffix(".crt")),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    file.write_bytes(file.read_bytes() + file.with_suffix(".crt").read_bytes())
    return file


@pytest.mark.parametrize("trusted", [True, False])
def test_a_certificate_that_only_the_session_trusts(
    tmp_path: Path, certificate: Path, trusted: bool
) -> None:
    hub = Hub()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    hub.socket = context.wrap_socket(hub.socket, server_side=True)
    address = hub.address.replace("http", "https")
    first = SESSION.format(
        client=f"verify=ssl.create_default_context(cafile={str(certificate)!r})",
        session=f"made.verify = {str(certificate)!r}",
    )
    with running_hub(hub):
        found = download(tmp_path, address, first if trusted else "")
    if trusted:
        assert found == WHOLE
    else:
        assert_told(found["error"], "certificate", address)


def test_a_disk_that_is_full_or_closed(tmp_path: Path) -> None:
    """A limit on the size of files stands for the first, a file in the folder's place for the
    second."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))"
    with running_hub(Hub()) as hub:
        error = download(tmp_path / "home", hub.address, limit)["error"]
        assert_told(error, "too large", hub.address)
        (tmp_path / "file").touch()
        error = download(tmp_path / "file", hub.address)["error"]
        assert_told(error, "Not a directory|exists", hub.address)
