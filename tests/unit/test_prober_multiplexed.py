"""HTTP/2, gRPC and WebSockets as the agent speaks them, over real sockets on loopback."""

from __future__ import annotations

import io
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from h2.connection import H2Connection
from h2.events import DataReceived, TrailersReceived

from fixtures.prober.agent import plans
from fixtures.prober.agent.engine import Run
from fixtures.prober.agent.http2 import HEALTH_CHECK, NOT_SERVING, NOTHING, Http2Server
from fixtures.prober.agent.late import BEHIND, checksum, late_answer
from fixtures.prober.agent.plans import MULTIPLEXED, BadPlan, checked_plan
from fixtures.prober.agent.websocket import WebSocketServer
from fixtures.prober.libraries import library_archive
from tests.unit.probing import asked, backend, plan, probe, run_here, target

PROTOCOLS = sorted(MULTIPLEXED)
each = pytest.mark.parametrize("protocol", PROTOCOLS)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Of a backend."""
    with backend("--multiplexed") as (port, _, _):
        yield port


@each
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_backend_says_who_it_is(port: int, protocol: str, address: str) -> None:
    probes = probe(target(port, protocol, address=address)).probes
    assert [p.outcome for p in probes] == ["ok"] * 3, probes
    assert sorted(p.connection for p in probes) == [1, 2, 3]
    assert {(p.answer.pod, p.answer.protocol, p.answer.port) for p in probes if p.answer} == {("web-1", protocol, port)}
    assert all(p.peer.endswith(f":{p.local_port}") for p in probes)


def test_other_protocols_are_spoken_beside_them(port: int) -> None:
    for protocol in ("http", "tcp", "udp"):
        assert [p.outcome for p in probe(target(port, protocol)).probes] == ["ok"] * 3


@each
def test_large_questions_come_back(port: int, protocol: str) -> None:
    probes = probe(target(port, protocol, connection="reused", padding_bytes=8000), count=20).probes
    assert {(p.outcome, p.connection) for p in probes} == {("ok", 1)}, probes


@each
def test_answers_are_awaited_at_once(protocol: str) -> None:
    with backend("--multiplexed") as (port, control, _):
        asked(f"{control}/control", {"slow_ms": 400})
        reused = target(port, protocol, connection="reused", connections=2)
        probes = sorted(probe(reused, count=20, timeout_ms=5000).probes, key=lambda p: p.index)
    assert {p.outcome for p in probes} == {"ok"}
    assert [(p.connection, p.request) for p in probes] == [(n % 2 + 1, n // 2 + 1) for n in range(20)]
    assert any(later.started_s < probes[0].done_s for later in probes[2::2])


@each
def test_an_ending_backend_says_so(protocol: str) -> None:
    with backend("--multiplexed", "--finish-s", "60") as (port, _, process):

        def end(run: Run) -> None:
            if len(run.lines) > 5 and process.returncode is None:
                process.terminate()
                process.wait(30)  # not until it gives those up who were told
            if any(b'"closed"' in line for line in run.lines):
                run.stop()

        probes = run_here(plan(target(port, protocol, connection="reused"), count=10_000), meanwhile=end)
    outcomes = [p.outcome for p in sorted(probes, key=lambda p: p.index)]
    first = outcomes.index("closed")
    assert (set(outcomes[:first]), process.returncode) == ({"ok"}, 0)
    assert set(outcomes[first + 1 :]) <= {"refused"}


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server of one connection; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(65536)
                answer(peer)
                while peer.recv(65536):
                    pass

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


@each
def test_another_server_is_found_out(protocol: str) -> None:
    def refuse(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with answering(refuse) as port:
        (only,) = probe(target(port, protocol), count=1).probes
    assert only.outcome == "wrong_answer"
    assert ("status 400" if protocol == "websocket" else "not HTTP/2") in only.detail


def test_grpc_health_checks_are_answered_with_trailers() -> None:
    served = Http2Server()
    client = H2Connection()
    client.initiate_connection()
    headers = [(":method", "POST"), (":path", HEALTH_CHECK), (":scheme", "http"), (":authority", "x"), ("nonce", "n")]
    client.send_headers(1, headers)
    client.send_data(1, NOTHING, end_stream=True)
    (question,) = served.received(client.data_to_send())
    assert (question.protocol, question.nonce) == ("grpc", "n")
    served.answer(question, b"{}\n", serving=False)
    events = client.receive_data(served.out())
    assert [event.data for event in events if isinstance(event, DataReceived)] == [NOT_SERVING]
    (trailers,) = [event.headers for event in events if isinstance(event, TrailersReceived)]
    assert trailers is not None
    assert (b"grpc-status", b"0") in list(trailers)


@pytest.mark.parametrize("server", [Http2Server, WebSocketServer])
def test_what_is_no_such_protocol_is_one_line(server: type[Http2Server | WebSocketServer]) -> None:
    with pytest.raises(ValueError, match=r"^not (HTTP/2|a WebSocket): [^\n]+$"):
        server().received(b"\0" * 100)


@each
def test_without_its_library_a_plan_is_refused(monkeypatch: pytest.MonkeyPatch, protocol: str) -> None:
    monkeypatch.setattr(plans, "find_spec", lambda _: None)
    with pytest.raises(BadPlan, match=rf"targets\[0\].protocol: found \"{protocol}\", without its library"):
        checked_plan(plan(target(80, protocol)).wire("outside"))


def test_pods_import_the_libraries_from_one_archive(tmp_path: Path) -> None:
    file = tmp_path / "libraries.zip"
    file.write_bytes(library_archive())
    assert file.stat().st_size < 400_000, "a ConfigMap may have 1 MiB"
    assert not [name for name in zipfile.ZipFile(io.BytesIO(library_archive())).namelist() if "/tests/" in name]
    code = f"import sys; sys.path.append({str(file)!r}); import h2.connection, wsproto; print(h2.__file__)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str(file))


def packet(data: bytes, port: int = 80) -> bytes:
    """An IPv4 packet of TCP from 10.0.0.2:40000 to 10.0.0.1, with options in both headers."""
    tcp = b"\x9c\x40" + port.to_bytes(2, "big") + (7).to_bytes(4, "big") + (0xFFFFFFF0).to_bytes(4, "big")
    tcp += b"\x80\x18" + bytes(6) + bytes(12)
    ip = b"\x46" + bytes(8) + b"\6" + bytes(2) + bytes([10, 0, 0, 2]) + bytes([10, 0, 0, 1]) + bytes(4)
    return ip + tcp + data


def test_a_late_packet_is_of_the_connection_and_far_behind() -> None:
    answer = late_answer(packet(b"hello"), 80)
    assert answer
    segment, there = answer
    assert there == "10.0.0.2"
    assert segment[:4] == b"\0\x50\x9c\x40"
    assert int.from_bytes(segment[4:8], "big") == 0xFFFFFFF0 - BEHIND
    assert int.from_bytes(segment[8:12], "big") == 7 + len(b"hello")
    pseudo = bytes([10, 0, 0, 1, 10, 0, 0, 2, 0, 6, 0, len(segment)])
    assert checksum(pseudo + segment) == 0, "the checksum over all is zero (RFC 1071)"


def test_late_packets_answer_data_to_the_backend_alone() -> None:
    assert late_answer(packet(b""), 80) is None
    assert late_answer(packet(b"hello", port=8079), 80) is None
