"""What the agent sees and says, over real sockets on loopback."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from fixtures.clusters import IPFamily
from fixtures.prober.agent.engine import Run
from tests.unit.probing import backend, free_port, plan, probe, run_here, target

FAMILIES = {IPFamily.IPV4: "127.0.0.1", IPFamily.IPV6: "::1"}
HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
SENT_AGAIN_S = 1.2
"""By then Linux has sent an unanswered SYN a second time."""
STOP_AND_RESET = struct.pack("ii", 1, 0)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Of a backend."""
    with backend() as (port, _, _):
        yield port


@contextmanager
def scripted(*scenes: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server whose connections each run the next of the scenes; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def play() -> None:
            for scene in scenes:
                peer, _ = server.accept()
                with peer:
                    scene(peer)

        actor = threading.Thread(target=play, daemon=True)
        actor.start()
        yield server.getsockname()[1]


def reset(peer: socket.socket) -> None:
    """Read and reset."""
    peer.recv(1000)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, STOP_AND_RESET)


def identity(nonce: str) -> bytes:
    """What a backend says, in a line."""
    said = '"node": "n", "ips": [], "token": "t", "version": "v", "protocol": "tcp", "port": 1, "peer": "a:1"'
    return f'{{"pod": "p", {said}, "nonce": "{nonce}"}}\n'.encode()


def answer_one(peer: socket.socket) -> None:
    """Answer the first line, in two pieces, and close."""
    said = identity(peer.recv(1000).split()[0].decode())
    peer.sendall(said[:20])
    threading.Event().wait(0.02)
    peer.sendall(said[20:])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("protocol", ["http", "tcp", "udp"])
def test_a_backend_says_who_it_is(port: int, family: IPFamily, protocol: str) -> None:
    batch = probe(target(port, protocol, address=FAMILIES[family], family=family))
    assert [p.outcome for p in batch.probes] == ["ok"] * 3, batch
    # On a busy machine one may be answered after the next.
    assert [p.connection for p in sorted(batch.probes, key=lambda p: p.index)] == [1, 2, 3]
    for p in batch.probes:
        assert p.answer
        assert (p.answer.pod, p.answer.node, p.answer.token, p.answer.protocol) == ("web-1", "node-1", "t", protocol)
        assert (p.answer.ips, p.request) == (("10.0.0.1", "fd00::1"), 1)
        host = f"[{FAMILIES[family]}]" if family is IPFamily.IPV6 else FAMILIES[family]
        assert p.peer == f"{host}:{p.local_port}"
        times = (p.scheduled_s, p.started_s, p.sent_s, p.first_byte_s, p.done_s)
        assert None not in times
        assert list(times) == sorted(times)  # type: ignore[type-var]
        assert p.connected_s is not None
        assert p.started_s <= p.connected_s <= p.done_s


@pytest.mark.parametrize("protocol", ["http", "tcp", "udp"])
def test_connections_are_reused(port: int, protocol: str) -> None:
    probes = run_here(plan(target(port, protocol, connection="reused", connections=2), count=6, rate_per_s=20))
    assert [p.outcome for p in probes] == ["ok"] * 6
    assert [(p.connection, p.request) for p in probes] == [(1, 1), (2, 1), (1, 2), (2, 2), (1, 3), (2, 3)]
    assert len({p.local_port for p in probes}) == 2
    assert [p.connected_s is None for p in probes] == [False] * 2 + [True] * 4


@pytest.mark.parametrize("protocol", ["http", "tcp", "udp"])
def test_a_closed_port_is_refused_at_once(protocol: str) -> None:
    for p in run_here(plan(target(free_port(), protocol))):
        assert p.outcome == "refused"
        assert p.done_s - p.started_s < 0.4


def test_what_is_no_answer_of_ours() -> None:
    def hello(peer: socket.socket) -> None:
        peer.recv(1000)
        peer.sendall(HELLO)

    scenes = (hello, reset, lambda peer: peer.recv(1000), lambda peer: peer.sendall(identity("other")))
    with scripted(*scenes) as port:
        first = run_here(plan(target(port, "http"), count=1))
        probes = [*first, *(run_here(plan(target(port), count=1))[0] for _ in range(3))]
    assert [(p.outcome, p.detail) for p in probes] == [
        ("wrong_answer", f"not one of our backends: {HELLO!r}"),
        ("reset", "Connection reset by peer"),
        ("wrong_answer", "closed without an answer"),
        ("wrong_answer", "the answer to another question"),
    ]


def test_silence_is_a_timeout_and_probes_are_open_loop() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        probes = run_here(plan(target(silent.getsockname()[1]), count=30, timeout_ms=600))
    assert {(p.outcome, p.detail) for p in probes} == {("timeout", "no answer within 600 ms")}
    assert max(p.started_s for p in probes) < 0.59, "the last probe must not wait for the first one's timeout"
    assert min(p.done_s - p.started_s for p in probes) >= 0.59


def test_no_connection_is_told_from_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            probes = run_here(plan(target(port), count=1, connect_timeout_ms=150))
    assert [(p.outcome, p.detail, p.connected_s) for p in probes] == [("timeout", "no connection within 150 ms", None)]


def test_time_in_which_the_prober_does_not_run_is_no_timeout() -> None:
    def late(peer: socket.socket) -> None:
        nonce = peer.recv(1000).split()[0].decode()
        asleep.wait(5)
        threading.Event().wait(0.35)
        peer.sendall(identity(nonce))

    def starve(run: Run) -> None:
        if len(run.lines) == 1 and run.now() > 0.02 and not asleep.is_set():
            asleep.set()
            time.sleep(0.5)  # not for something to happen: the machine does not let the prober run

    asleep = threading.Event()
    with scripted(late) as port:
        probes = run_here(plan(target(port), count=1, timeout_ms=200), meanwhile=starve)
    assert asleep.is_set()
    assert [p.outcome for p in probes] == ["ok"], probes


def test_an_answer_may_come_in_pieces_on_a_long_lived_connection_that_then_ends() -> None:
    def answer_and_reset(peer: socket.socket) -> None:
        peer.sendall(identity(peer.recv(1000).split()[0].decode()))
        peer.recv(1000)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, STOP_AND_RESET)

    with scripted(answer_one, answer_and_reset, answer_one) as port:
        probes = run_here(plan(target(port, connection="reused"), rate_per_s=10, count=5))
    found = [(p.outcome, p.connection, p.request) for p in probes]
    assert found == [("ok", 1, 1), ("closed", 1, 2), ("ok", 2, 1), ("reset", 2, 2), ("ok", 3, 1)]
    assert probes[1].detail.startswith("closed by the peer 0.0")
    assert probes[1].sent_s is None
    assert probes[3].sent_s is not None


def test_a_lost_answer_holds_up_no_other_probe() -> None:
    def silent(_: socket.socket) -> None:
        ended.wait(5)

    ended = threading.Event()
    with scripted(silent) as port:
        kept = target(port, connection="reused")
        probes = run_here(plan(kept, rate_per_s=20, count=8, timeout_ms=300))
        ended.set()
    first = next(p for p in probes if p.index == 0)
    assert (first.outcome, first.connection) == ("timeout", 1)
    assert len({p.connection for p in probes}) == 8


def test_a_kept_http_connection_may_end_between_two_requests() -> None:
    def close_first(peer: socket.socket) -> None:
        body = identity(peer.recv(1000).split()[1].decode().strip("/"))
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    def close_at_second(peer: socket.socket) -> None:
        close_first(peer)
        peer.recv(1000)

    with scripted(close_first, close_at_second, close_first) as port:
        probes = run_here(plan(target(port, "http", connection="reused"), rate_per_s=4, count=3))
    assert [(p.outcome, p.connection, p.request) for p in probes] == [("ok", 1, 1), ("ok", 2, 1), ("ok", 3, 1)]
    assert probes[2].detail == "asked again: connection 2 ended before it answered (closed by the peer)"


def test_the_last_answer_of_a_draining_backend_ends_the_connection() -> None:
    with backend("--drain-ms", "400") as (port, _, process):
        stop = threading.Timer(0.15, process.terminate)
        stop.start()
        kept = [target(port, protocol, name=protocol, connection="reused") for protocol in ("http", "tcp")]
        probes = run_here(plan(*kept, rate_per_s=80, duration_s=0.9))
    by = {name: [p for p in sorted(probes, key=lambda p: p.index) if p.target == name] for name in ("http", "tcp")}
    assert [p.outcome for p in by["tcp"] if p.connection == 2][-1] == "closed"
    assert by["tcp"][-1].outcome == "refused"
    good = [p for p in by["http"] if p.ok]
    assert (good[1].request, good[-1].request) == (2, 1)
    assert {p.outcome for p in by["http"]} == {"ok", "refused"}


def test_an_address_without_a_way_is_unreachable() -> None:
    probes = run_here(plan(target(9, address="255.255.255.255"), target(9, "udp", address="255.255.255.255", name="u")))
    assert {p.outcome for p in probes} == {"unreachable"}


@pytest.mark.parametrize(("stopped_at_s", "outcome"), [(0.8, "timeout"), (0.1, "ok")])
def test_a_lost_syn_is_seen_by_a_prober_that_stood_still_when_it_was_sent_again(
    stopped_at_s: float, outcome: str
) -> None:
    """Unless it stood still all the while, so that an answer to the first one may have waited for it as well."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        first = socket.create_connection(("127.0.0.1", port))  # there is room for one: the next SYN is dropped

        def make_room_and_answer() -> None:
            server.accept()[0].close()
            with server.accept()[0] as peer, suppress(IndexError):  # nothing is asked
                answer_one(peer)

        actor = threading.Thread(target=make_room_and_answer, daemon=True)

        def stand_still(run: Run) -> None:
            if run.now() >= stopped_at_s and actor.ident is None:
                actor.start()
                time.sleep(SENT_AGAIN_S - run.now())

        (found,) = run_here(plan(target(port), count=1, timeout_ms=3000), meanwhile=stand_still)
        first.close()
    assert found.outcome == outcome, found
    assert found.connected_s is None or found.connected_s > 1


def test_a_host_and_a_path_are_asked_for_and_the_question_is_in_neither(port: int) -> None:
    heads: list[bytes] = []

    def forward(peer: socket.socket) -> None:
        heads.append(peer.recv(1000))
        with socket.create_connection(("127.0.0.1", port)) as behind:
            behind.sendall(heads[-1])
            while part := behind.recv(1000):
                peer.sendall(part)

    with scripted(forward, forward) as front:
        wanted = [
            target(front, "http", name="path", host="a.example", path="/b/c"),
            target(front, "http", name="root", host="a.example"),
        ]
        probes = run_here(plan(*wanted, count=1))
    assert [p.outcome for p in probes] == ["ok", "ok"]
    lines = [head.split(b"\r\n")[:2] for head in heads]
    assert [line[0].partition(b"?")[0] for line in lines] == [b"GET /b/c", b"GET /"]
    assert {line[1] for line in lines} == {b"Host: a.example"}
