"""The agent's roles: a backend that is controlled, a listener, the command line, and plans that are refused."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.checks.health import status_of
from fixtures.errors import SuiteError
from fixtures.history import History
from fixtures.prober.agent.backend import Backend
from fixtures.prober.agent.loop import Loop
from fixtures.prober.agent.plans import BadPlan, checked_plan
from fixtures.prober.agent.server import Server
from fixtures.prober.vantages import OutsideVantage
from fixtures.probes import Decoder, parse_line
from tests.unit.probing import HERE, agent, asked, backend, free_port, plan, probe, target

GOOD = {
    "plan_version": 2,
    "vantage": "pod",
    "targets": [{"name": "x", "address": "127.0.0.1", "port": 80, "protocol": "tcp"}],
    "rate_per_s": 10,
    "count": 1,
}


def with_target(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a target
    """Fields of a plan whose target is changed."""
    return {"targets": [GOOD["targets"][0] | fields]}  # type: ignore[index]


BAD = [
    ({"plan_version": 1}, "plan_version: found 1; allowed is 2"),
    ({"vantage": "moon"}, 'vantage: found "moon"; allowed is pod, node, outside'),
    (with_target(protocol="ftp"), 'targets[0].protocol: found "ftp"; allowed is http, tcp, udp, sctp, dns'),
    (with_target(connection="old"), 'targets[0].connection: found "old"; allowed is new, reused'),
    (with_target(port=0), "targets[0].port: found 0; allowed is a whole number from 1 to 65535"),
    (with_target(connections=65), "targets[0].connections: found 65; allowed is a whole number from 1 to 64"),
    (with_target(path="healthz"), 'targets[0].path: found "healthz"; allowed is a path that begins with a slash'),
    (with_target(host="a/b"), 'targets[0].host: found "a/b"; allowed is a host name'),
    (with_target(host="a", protocol="tcp"), 'targets[0].host: found "a" with tcp; allowed is it with http'),
    (with_target(path="/a b"), 'targets[0].path: found "/a b"; allowed is a path that begins with a slash'),
    ({"rate_per_s": 0}, "rate_per_s: found 0; allowed is a number above 0 to 5000"),
    ({"rate_per_s": 5001}, "rate_per_s: found 5001; allowed is a number above 0 to 5000"),
    ({"targets": [{"name": "x"}]}, "targets[0].address: found nothing; allowed is a text"),
    ({"duration_s": 1}, 'count, duration_s: found {"count": 1, "duration_s": 1}; allowed is exactly one of them'),
    ({"speed": 1}, "speed: found an unknown field; allowed are plan_version, id"),
    ({"count": True}, "count: found true; allowed is a whole number from 1 to 10000000"),
]


@pytest.mark.parametrize(("change", "says"), BAD)
def test_a_bad_plan_is_refused_in_one_line(change: dict[str, Any], says: str) -> None:
    with pytest.raises(BadPlan) as refused:
        checked_plan(GOOD | change)
    assert str(refused.value).startswith(says)
    assert "\n" not in str(refused.value)


def test_sctp_is_refused_where_the_kernel_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fixtures.prober.agent.plans.kernel_has_sctp", lambda: False)
    with pytest.raises(BadPlan, match=r'targets\[0\]\.protocol: found "sctp", not in this kernel; allowed is http'):
        checked_plan(GOOD | with_target(protocol="sctp"))


def command(*args: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """`python -m fixtures.prober`."""
    argv = [sys.executable, "-m", "fixtures.prober", *args]
    return subprocess.run(argv, input=text, capture_output=True, text=True, check=False, timeout=20)


def test_the_command_line_runs_a_plan_and_refuses_a_bad_one(tmp_path: Path) -> None:
    assert "run one plan" in command("--help").stdout
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(GOOD | with_target(port=free_port())), "utf-8")
    done = command("probe", "--plan", str(file))
    assert (done.returncode, [len(json.loads(line)) for line in done.stdout.splitlines()]) == (0, [3, 16, 2])
    for text in (json.dumps(GOOD | {"rate_per_s": -1}), "not JSON", "[]"):
        bad = command("probe", text=text)
        assert (bad.returncode, bad.stdout, bad.stderr.count("\n")) == (4, "", 1), bad.stderr
    missing = command("probe", "--plan", str(tmp_path / "none"))
    assert (missing.returncode, missing.stderr.startswith("--plan: found ")) == (4, True)


@pytest.fixture(scope="module")
def plans() -> Iterator[str]:
    """The URL of a listener."""
    port = free_port()
    with agent("listen", "--port", str(port)):
        yield f"http://127.0.0.1:{port}"


def test_a_listener_streams_and_resumes_a_plan(plans: str) -> None:
    given = plan(target(free_port()), count=30).wire("pod", "1")
    assert asked(f"{plans}/plans", given)[0] == 200
    assert asked(f"{plans}/plans", given)[0] == 200, "sent again it is the same plan"
    _, whole = asked(f"{plans}/plans/1")
    _, rest = asked(f"{plans}/plans/1?from=20")
    lines = whole.splitlines(keepends=True)
    assert (len(lines), rest) == (32, b"".join(lines[20:]))
    decoder = Decoder("x")
    for line in lines:
        decoder.feed(parse_line(line, "x"))
    decoder.must_be_whole()
    assert asked(f"{plans}/plans/1", method="DELETE")[0] == 200
    assert asked(f"{plans}/plans/1")[0] == 404


def test_a_listener_stops_a_plan_and_says_what_is_wrong(plans: str) -> None:
    endless = plan(target(free_port()), duration_s=60, until_stopped=True).wire("pod", "2")
    assert asked(f"{plans}/plans", endless)[0] == 200
    assert asked(f"{plans}/plans/2/stop", {})[0] == 200
    assert json.loads(asked(f"{plans}/plans/2")[1].splitlines()[-1])["probes"] < 1000
    code, body = asked(f"{plans}/plans", endless | {"rate_per_s": 0})
    assert (code, json.loads(body)["message"]) == (400, "rate_per_s: found 0; allowed is a number above 0 to 5000")
    assert asked(f"{plans}/readyz")[0] == 200
    assert abs(json.loads(asked(f"{plans}/clock")[1])["now"]) > 1e9
    entries = json.loads(asked(f"{plans}/tracked")[1])["entries"]
    assert entries is None or entries >= 0
    assert asked(f"{plans}/other")[0] == 404


def test_a_backend_is_controlled() -> None:
    with backend() as (port, control, process):
        assert [asked(f"{control}/{path}")[0] for path in ("readyz", "livez", "other")] == [200, 200, 404]
        assert asked(f"{control}/control", {"ready": False, "alive": False, "slow_ms": 150})[0] == 200
        assert [asked(f"{control}/{path}")[0] for path in ("readyz", "livez")] == [503, 503]
        for p in probe(*(target(port, name, name=name) for name in ("http", "tcp", "udp")), count=1).probes:
            assert p.ok
            assert p.done_s - p.started_s >= 0.149
        code, body = asked(f"{control}/control", {"reedy": True})
        assert (code, json.loads(body)["message"].partition(";")[0]) == (400, "control.reedy: found an unknown field")
        with pytest.raises(OSError, match=r"closed connection|reset"):
            asked(f"{control}/control", {"exit": 7})
        assert process.wait(10) == 7


def test_a_backend_drains_after_sigterm_and_finishes_what_it_accepted() -> None:
    with backend("--drain-ms", "600", "--finish-s", "5") as (port, control, process):
        with socket.create_connection(("127.0.0.1", port)) as early, early.makefile("rb") as answer:
            process.terminate()
            assert asked(f"{control}/readyz")[0] == 200, "a terminating pod that is unready does not serve"
            assert {p.outcome for p in probe(target(port, "http")).probes} == {"ok"}
            while probe(target(port), count=1).probes[0].ok:
                pass
            early.sendall(b"late\n")
            assert json.loads(answer.readline())["nonce"] == "late"
        assert process.wait(10) == 0


def test_a_backend_without_drain_ends_promptly() -> None:
    with backend("--finish-s", "30") as (port, _, process):
        with socket.create_connection(("127.0.0.1", port)) as kept:
            kept.sendall(b"one keep\n")
            assert kept.recv(1000)
            process.terminate()
            assert kept.recv(1000) == b"", "an idle connection is closed in an orderly way"
            kept.sendall(b"two keep\n")
            assert kept.recv(1000) == b"", "what was on its way is not answered with a reset"
        assert process.wait(5) == 0


def test_a_plan_runs_until_it_is_stopped() -> None:
    with backend() as (port, _, _):
        run = HERE.start(plan(target(port), duration_s=60, until_stopped=True), history := History())
        some = threading.Event()
        run.on_lines(lambda: some.set() if len(run.probes) >= 3 else None)
        assert some.wait(10)
        batch = run.stop()
    assert 3 <= len(batch.probes) < 3000
    assert history.batches == (batch,)


def test_a_prober_that_fails_is_an_error_of_ours() -> None:
    failing = OutsideVantage((sys.executable, "-c", "import sys; print('why', file=sys.stderr); raise SystemExit(3)"))
    with pytest.raises(SuiteError, match="prober outside: exit 3: why"):
        failing.start(plan(target(1)), History()).finish()
    with pytest.raises(SuiteError, match="not-there: No such file"):
        OutsideVantage(("not-there",)).start(plan(target(1)), History())


def test_a_long_answer_reaches_a_slow_reader_whole() -> None:
    loop, size, read = Loop(), 1 << 24, list[int]()
    server = Server(loop)
    port = server.listen(0, lambda peer: peer.write(bytes(size), end=True) if peer.take() else None)

    def fetch() -> None:
        with socket.create_connection(("127.0.0.1", port)) as client, client.makefile("rb") as answer:
            client.sendall(b"one\n")
            read.append(len(answer.read()))

    reader = threading.Thread(target=fetch)
    reader.start()
    loop.run(until=lambda: not reader.is_alive())
    assert read == [size]


def test_a_silent_client_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fixtures.prober.agent.server.REQUEST_LIMIT_S", 0.1)
    loop = Loop()
    server = Backend(loop, [0], 0)
    port = server.listen(0, lambda _: None)
    with socket.create_connection(("127.0.0.1", port)):
        loop.run(until=lambda: bool(server.open))
        loop.run(until=lambda: not server.open)


def test_a_path_may_be_asked_for() -> None:
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            client, _ = server.accept()
            with client:
                asked.append(client.recv(4096))
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        answering = threading.Thread(target=answer)
        answering.start()
        (one,) = probe(target(server.getsockname()[1], "http", path="/healthz"), count=1).probes
        answering.join()
    assert asked[0].startswith(b"GET /healthz HTTP/1.1\r\n")
    assert (one.outcome, status_of(one)) == ("wrong_answer", 200)


def test_a_datagram_is_answered_from_the_address_that_it_was_sent_to() -> None:
    with backend("--udp-addresses=127.0.0.2,127.0.0.3") as (port, _, _):
        targets = [target(port, "udp", name=address, address=address) for address in ("127.0.0.2", "127.0.0.3")]
        batch = probe(*targets, target(port, "udp", name="other", address="127.0.0.4"), count=2)
    found = {probe.target: probe.outcome for probe in batch.probes}
    assert found == {"127.0.0.2": "ok", "127.0.0.3": "ok", "other": "refused"}


@pytest.mark.parametrize("protocol", ["http", "tcp", "udp"])
def test_what_is_long_comes_back_whole(protocol: str) -> None:
    with backend() as (port, _, _):
        batch = probe(target(port, protocol, padding_bytes=8000), rate_per_s=50, count=5)
    assert [one.outcome for one in batch.probes] == ["ok"] * 5


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("size", [1024, 1 << 20])
def test_an_answer_is_as_large_as_was_asked_for(method: str, size: int) -> None:
    with backend() as (port, _, _):
        status, body = asked(f"http://127.0.0.1:{port}/bytes/{size}", method=method)
    line, _, rest = body.partition(b"\n")
    assert (status, len(body), rest.strip()) == (200, size, b"")
    assert json.loads(line)["nonce"].endswith(f"bytes/{size}")


def test_an_answer_that_would_be_too_large_is_refused() -> None:
    with backend() as (port, _, _):
        status, body = asked(f"http://127.0.0.1:{port}/bytes/{1 << 30}")
    assert (status, b"allowed is at most 16777216" in body) == (400, True)
