"""The agent over real sockets on loopback."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fixtures.clusters import IPFamily
from fixtures.errors import SuiteError
from fixtures.history import ProbeBatch
from fixtures.prober import agent
from fixtures.prober.plan import Plan, Target
from fixtures.prober.vantages import AGENT, OutsideVantage

HERE = OutsideVantage(())
FAMILIES = {IPFamily.IPV4: "127.0.0.1", IPFamily.IPV6: "::1"}
IDENTITY = {"POD_NAME": "web-1", "NODE_NAME": "node-1", "POD_IPS": "10.0.0.1,fd00::1", "TOKEN": "t", "VERSION": "v1"}


def free_port() -> int:
    """A TCP port that nothing listens on."""
    with socket.create_server(("", 0)) as sock:
        return int(sock.getsockname()[1])


@contextmanager
def running(role: str, *args: str) -> Iterator[subprocess.Popen[bytes]]:
    """The agent in a role, once it accepts connections."""
    with subprocess.Popen([sys.executable, str(AGENT), role, *args], env=IDENTITY, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert json.loads(process.stdout.readline())
        yield process
        process.terminate()


@pytest.fixture(scope="module")
def backend() -> Iterator[int]:
    port, control = free_port(), free_port()
    with running("serve", "--port", str(port), "--control-port", str(control)):
        yield port


def probe(*targets: Target, count: int = 3, timeout_ms: int = 500) -> ProbeBatch:
    """Run a short plan on this machine."""
    return HERE.start(Plan(targets=targets, rate_per_s=100, count=count, timeout_ms=timeout_ms)).finish()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("protocol", ["http", "tcp", "udp"])
def test_a_backend_says_who_it_is(backend: int, family: IPFamily, protocol: str) -> None:
    batch = probe(Target(name="web", address=FAMILIES[family], port=backend, protocol=protocol, family=family))  # type: ignore[arg-type]
    assert [p.outcome for p in batch.probes] == ["ok"] * 3, batch
    for p in batch.probes:
        assert p.answer
        assert (p.answer.pod, p.answer.node, p.answer.token, p.answer.protocol) == ("web-1", "node-1", "t", protocol)
        assert p.answer.ips == ("10.0.0.1", "fd00::1")
        host = f"[{FAMILIES[family]}]" if family is IPFamily.IPV6 else FAMILIES[family]
        assert p.answer.peer == f"{host}:{p.local_port}"
        assert p.connected_s is not None
        assert p.first_byte_s is not None
        assert p.scheduled_s <= p.started_s + 0.001
        assert p.started_s <= p.connected_s <= p.first_byte_s <= p.done_s


@pytest.mark.parametrize("protocol", ["http", "tcp", "udp"])
def test_a_closed_port_is_refused_at_once(protocol: str) -> None:
    batch = probe(Target(name="x", address="127.0.0.1", port=free_port(), protocol=protocol))  # type: ignore[arg-type]
    assert {p.outcome for p in batch.probes} == {"refused"}
    assert all(p.done_s - p.started_s < 0.4 for p in batch.probes)


def test_silence_is_a_timeout_and_a_stranger_a_wrong_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.create_server(("127.0.0.1", 0)) as stranger:

        def greet() -> None:
            peer, _ = stranger.accept()
            with peer:
                peer.sendall(b"HTTP/1.1 200 OK\r\n\r\nhello")
                peer.recv(1000)

        threading.Thread(target=greet, daemon=True).start()
        ports = [sock.getsockname()[1] for sock in (silent, stranger)]
        silence, hello = (Target(name=str(p), address="127.0.0.1", port=p, protocol="http") for p in ports)
        batch = probe(silence, hello, count=1, timeout_ms=300)
    by_target = {p.target: p for p in batch.probes}
    assert by_target[str(ports[0])].outcome == "timeout"
    assert by_target[str(ports[0])].detail == "no answer within 300 ms"
    assert by_target[str(ports[1])].outcome == "wrong_answer"


def test_time_in_which_the_prober_does_not_run_is_no_timeout() -> None:
    async def scenario() -> str:
        answered = asyncio.get_running_loop().create_future()

        async def attempt() -> None:
            await answered

        waiting = asyncio.ensure_future(agent.within(200, attempt()))
        await asyncio.sleep(0)
        threading.Event().wait(0.5)
        asyncio.get_running_loop().call_later(0.06, answered.set_result, None)
        await waiting
        with pytest.raises(TimeoutError):
            await agent.within(100, asyncio.sleep(1))
        return "answered"

    assert asyncio.run(scenario()) == "answered"


def test_a_reset_is_told_apart() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def slam() -> None:
            peer, _ = server.accept()
            peer.recv(1000)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()

        threading.Thread(target=slam, daemon=True).start()
        batch = probe(Target(name="x", address="127.0.0.1", port=server.getsockname()[1], protocol="tcp"), count=1)
    assert batch.probes[0].outcome == "reset"


def test_probes_are_open_loop() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = Target(name="x", address="127.0.0.1", port=silent.getsockname()[1], protocol="tcp")
        batch = probe(target, count=30, timeout_ms=600)
    assert {p.outcome for p in batch.probes} == {"timeout"}
    starts = sorted(p.started_s for p in batch.probes)
    assert starts[-1] < 0.59, "the last probe must not wait for the first one's timeout"


def test_a_plan_runs_until_it_is_stopped() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = Target(name="x", address="127.0.0.1", port=server.getsockname()[1], protocol="tcp")
        run = HERE.start(Plan(targets=(target,), rate_per_s=50, duration_s=60, until_stopped=True, timeout_ms=200))
        for _ in range(3):
            server.accept()[0].close()
        batch = run.stop()
    assert 3 <= len(batch.probes) < 3000


def test_an_agent_that_dies_is_an_error_of_ours() -> None:
    with pytest.raises(SuiteError, match="exit 1"):
        OutsideVantage((sys.executable, "-c", "raise SystemExit(1)")).start(
            Plan(targets=(Target(name="x", address="127.0.0.1", port=1, protocol="tcp"),), rate_per_s=1, count=1)
        ).finish()


def test_readiness_can_be_flipped() -> None:
    port, control = free_port(), free_port()
    base = f"http://127.0.0.1:{control}"
    with running("serve", "--port", str(port), "--control-port", str(control)):
        assert urllib.request.urlopen(f"{base}/readyz").status == 200
        urllib.request.urlopen(f"{base}/control", data=json.dumps({"ready": False}).encode())
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(f"{base}/readyz")


def test_a_backend_drains_after_sigterm() -> None:
    port, control = free_port(), free_port()
    target = Target(name="x", address="127.0.0.1", port=port, protocol="http")
    with running("serve", "--port", str(port), "--control-port", str(control), "--drain-ms", "5000") as process:
        process.terminate()
        while urllib_status(f"http://127.0.0.1:{control}/readyz") == 200:
            pass
        assert [p.outcome for p in probe(target).probes] == ["ok"] * 3
        assert process.wait(20) == 0
    assert [p.outcome for p in probe(target).probes] == ["refused"] * 3


def urllib_status(url: str) -> int:
    """The status of one GET."""
    try:
        with urllib.request.urlopen(url) as response:
            return int(response.status)
    except urllib.error.HTTPError as refusal:
        return refusal.code


def test_listen_streams_a_plan(backend: int) -> None:
    port = free_port()
    target = Target(name="x", address="127.0.0.1", port=backend, protocol="udp")
    plan = Plan(targets=(target,), rate_per_s=100, count=5).model_dump(mode="json") | {"id": "1"}
    with running("listen", "--port", str(port)):
        plans = f"http://127.0.0.1:{port}/plans"
        assert urllib.request.urlopen(plans, data=json.dumps(plan).encode()).status == 200
        lines = [json.loads(line) for line in urllib.request.urlopen(f"{plans}/1").read().splitlines()]
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{plans}/1")
    assert [line.get("outcome") for line in lines] == [None, *["ok"] * 5, None]
    assert lines[-1]["probes"] == 5


def dns_message(txid: int, flags: int, *answers: bytes) -> bytes:
    """A response to a query for web.test. whose answers point back at that name."""
    question = b"\x03web\x04test\0" + struct.pack("!2H", 1, 1)
    return struct.pack("!6H", txid, flags, 1, len(answers), 0, 0) + question + b"".join(answers)


def rr(kind: int, ttl: int, data: bytes) -> bytes:
    """A resource record with a compressed name."""
    return b"\xc0\x0c" + struct.pack("!2HIH", kind, 1, ttl, len(data)) + data


def test_dns_answers_are_read() -> None:
    query = agent.encode_query(7, "web.test.", "A")
    assert query.startswith(struct.pack("!6H", 7, 0x100, 1, 0, 0, 1) + b"\x03web\x04test\0\0\x01\0\x01")
    reply = dns_message(
        7, 0x8180, rr(5, 9, b"\xc0\x0c"), rr(1, 5, bytes([10, 0, 0, 1])), rr(1, 3, bytes([10, 0, 0, 2]))
    )
    expected = {"rcode": "NOERROR", "answers": ["10.0.0.1", "10.0.0.2"], "ttl_s": 3}
    assert agent.decode_response(reply, 7, "A") == expected
    srv = dns_message(7, 0x8180, rr(33, 5, struct.pack("!3H", 0, 100, 80) + b"\xc0\x0c"))
    assert agent.decode_response(srv, 7, "SRV")["answers"] == ["0 100 80 web.test."]
    assert agent.decode_response(dns_message(7, 0x8183), 7, "A")["rcode"] == "NXDOMAIN"
    assert agent.decode_response(dns_message(7, 0x8182), 7, "A")["rcode"] == "SERVFAIL"


@pytest.mark.parametrize("reply", [dns_message(8, 0x8180), dns_message(7, 0x0180), dns_message(7, 0x8380)])
def test_a_dns_answer_to_another_query_or_a_truncated_one_is_wrong(reply: bytes) -> None:
    with pytest.raises(agent.WrongAnswer):
        agent.decode_response(reply, 7, "A")


def test_resolver_settings() -> None:
    text = "search a.svc.cluster.local svc.cluster.local\nnameserver 10.0.0.10\nnameserver ::1\noptions ndots:5\n"
    assert agent.resolver_settings(text) == ("10.0.0.10", ["a.svc.cluster.local", "svc.cluster.local"], 5)
    assert agent.resolver_settings("") == ("", [], 1)
