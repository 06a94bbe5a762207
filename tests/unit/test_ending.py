"""Watches end when they are told to, also one that waits for an API server that has nothing to tell."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fixtures.api import PODS, Api
from fixtures.ending import Ending

ENDS_WITHIN_S = 8
"""Less than the API server would let a watch last (WATCH_S)."""


def certificate(folder: Path) -> tuple[Path, str]:
    """A self-signed certificate for loopback with its key in one file, and the certificate as a kubeconfig has it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
    alternatives = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = builder.add_extension(alternatives, critical=False)
    signed = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    form = serialization.PrivateFormat.PKCS8
    secret = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    (folder / "both.pem").write_bytes(signed + secret)
    return folder / "both.pem", base64.b64encode(signed).decode()


class Silent(BaseHTTPRequestHandler):
    """An API server with one pod, whose watches tell of one change and then of nothing until the client leaves."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """A list, or a watch."""
        pod = {"metadata": {"uid": "a", "name": "a", "resourceVersion": "11"}}
        watch = "watch=true" in self.path
        answer = {"type": "MODIFIED", "object": pod} if watch else {"metadata": {"resourceVersion": "10"}, "items": []}
        text = json.dumps(answer).encode() + b"\n"
        self.send_response(200)
        if watch:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
            self.rfile.read(1)
        else:
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)


@pytest.fixture(params=["http", "https"])
def kubeconfig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Of the silent API server, in clear and with TLS: Python ends a socket with TLS in another way."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
        cluster = {"server": f"{request.param}://127.0.0.1:{server.server_port}"}
        if request.param == "https":
            both, cluster["certificate-authority-data"] = certificate(tmp_path)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(both)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        config = {
            "current-context": "x",
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": "secret"}}],
        }
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config), "utf-8")
        yield tmp_path / "kubeconfig"
        server.shutdown()


@pytest.mark.parametrize("who", ["stopped", "over"])
def test_a_watch_that_waits_is_ended(kubeconfig: Path, who: str) -> None:
    ending, told = Ending(), threading.Event()
    api, stopped = (Api(kubeconfig, ending), None) if who == "over" else (Api(kubeconfig), ending)
    seen: list[str] = []

    def watch() -> None:
        for change, _ in api.watch(PODS, timeout_s=60, stopped=stopped):
            seen.append(change)
            if change == "MODIFIED":
                told.set()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    assert told.wait(ENDS_WITHIN_S)
    ending.set()
    watcher.join(ENDS_WITHIN_S)
    assert not watcher.is_alive()
    assert seen == ["LIST", "LISTED", "MODIFIED"]


def test_who_is_registered_is_called_once_and_who_has_left_is_not() -> None:
    called: list[str] = []
    ending = Ending()

    def call(name: str) -> Callable[[], None]:
        return lambda: called.append(name)

    with ending.calling(call("left")):
        pass
    with ending.calling(call("early")):
        ending.set()
    with ending.calling(call("late")):
        assert called == ["early", "late"]
    assert ending.is_set()
