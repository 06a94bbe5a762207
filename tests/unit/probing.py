"""A backend and an agent of this machine, for the tests of the prober."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fixtures.history import History
from fixtures.prober.agent.engine import Run as AgentRun
from fixtures.prober.agent.loop import Loop
from fixtures.prober.agent.plans import checked_plan
from fixtures.prober.agent.ports import SourcePorts
from fixtures.prober.plan import Plan, Target
from fixtures.prober.vantages import AGENT, OutsideVantage
from fixtures.probes import Decoder, Probe, ProbeBatch, parse_line

HERE = OutsideVantage(())
IDENTITY = {"POD_NAME": "web-1", "NODE_NAME": "node-1", "POD_IPS": "10.0.0.1,fd00::1", "TOKEN": "t", "VERSION": "v1"}


def free_port() -> int:
    """A TCP port that nothing listens on."""
    with socket.create_server(("", 0)) as sock:
        return int(sock.getsockname()[1])


@contextmanager
def agent(role: str, *args: str) -> Iterator[subprocess.Popen[bytes]]:
    """The agent as it runs in pods, in a role, once it accepts connections."""
    command = [sys.executable, "-m", AGENT.name, role, *args]
    with subprocess.Popen(command, cwd=AGENT.parent, env=IDENTITY, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert json.loads(process.stdout.readline())
        try:
            yield process
        finally:
            process.terminate()


@contextmanager
def backend(*args: str) -> Iterator[tuple[int, str, subprocess.Popen[bytes]]]:
    """A backend: its port, the URL of its control port, its process."""
    port, control = free_port(), free_port()
    with agent("serve", "--port", str(port), "--control-port", str(control), *args) as process:
        yield port, f"http://127.0.0.1:{control}", process


def target(port: int, protocol: str = "tcp", **fields: Any) -> Target:  # noqa: ANN401 - fields of a target
    """A target on this machine."""
    return Target.model_validate({"name": "x", "address": "127.0.0.1", "port": port, "protocol": protocol} | fields)


def plan(*targets: Target, **fields: Any) -> Plan:  # noqa: ANN401 - fields of a plan
    """A short plan."""
    how: dict[str, Any] = {"rate_per_s": 100, "timeout_ms": 500} | fields
    return Plan.model_validate({"targets": targets, "count": None if "duration_s" in how else 3} | how)


def probe(*targets: Target, **fields: Any) -> ProbeBatch:  # noqa: ANN401 - fields of a plan
    """Run a plan to its end in a process of its own."""
    return HERE.start(plan(*targets, **fields), History()).finish()


def run_here(wanted: Plan, *, meanwhile: Callable[[AgentRun], None] = lambda _: None) -> tuple[Probe, ...]:
    """Run a plan in this process, `meanwhile` called after each turn of its loop."""
    loop = Loop()
    run = AgentRun(loop, checked_plan(wanted.wire("outside")), SourcePorts())

    def ended() -> bool:
        meanwhile(run)
        return run.ended

    loop.run(until=ended)
    decoder = Decoder("here")
    for line in run.lines:
        decoder.feed(parse_line(line, "here"))
    decoder.must_be_whole()
    return tuple(decoder.probes)


def asked(url: str, body: Any = None, method: str | None = None) -> tuple[int, bytes]:  # noqa: ANN401 - JSON
    """Status and body of one request."""
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, method=method)) as response:
            return int(response.status), response.read()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read()
