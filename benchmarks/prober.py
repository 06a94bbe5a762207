"""python -m benchmarks.prober: how exact the prober is, and what it costs, beside a bare asyncio loop and wrk."""

from __future__ import annotations

import os
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figures, Wanted, at_most
from fixtures.commands import CommandParser
from fixtures.errors import SuiteError, UsageError
from fixtures.history import History
from fixtures.prober.plan import Plan, Target
from fixtures.prober.vantages import AGENT, OutsideVantage

RATES_PER_S = (1000, 200)
LATE = Wanted("prober, 1,000 fresh HTTP probes a second, p99 lateness", "design 10, issue 4", "ms", at_most(5))
COST = Wanted("prober, 200 fresh HTTP probes a second, of a core", "design 10, issue 4", "%", at_most(15))
FIGURES = {1000: f"p99 {LATE.asked_for} late", 200: f"{COST.asked_for} of a core"}
"""The figures to reach on 2 cores, by rate."""
SECONDS = 10
WRK_CONNECTIONS = 16

ASYNCIO = """
import asyncio, sys, time
host, port, rate, seconds = "127.0.0.1", int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
async def ask():
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET /n HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
    await reader.read()
    writer.close()
    await writer.wait_closed()
async def main():
    start, late, tasks = time.monotonic(), [], set()
    for n in range(int(rate * seconds)):
        await asyncio.sleep(max(0, start + n / rate - time.monotonic()))
        late.append(time.monotonic() - start - n / rate)
        task = asyncio.ensure_future(ask())
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    print(*late)
asyncio.run(main())
"""
"""The least that a program of the standard library can do at a rate: no timeouts, no records, no judgement."""


@dataclass(frozen=True)
class Measured:
    """One client against the backend: processor time in seconds, lateness in milliseconds where it has a schedule."""

    what: str
    requests: int
    seconds: float
    client_s: float
    backend_s: float
    late_ms: tuple[float, float] | None = None
    figure: str = ""

    @property
    def request_us(self) -> float:
        """Processor time of the client for a request, microseconds."""
        return self.client_s / self.requests * 1e6


@contextmanager
def backend() -> Iterator[tuple[int, int]]:
    """A backend on loopback: its port and process id; raises SuiteError when it does not start."""
    ports = []
    for _ in range(2):
        with socket.create_server(("127.0.0.1", 0)) as free:
            ports.append(str(free.getsockname()[1]))
    command = [sys.executable, "-m", AGENT.name, "serve", "--port", ports[0], "--control-port", ports[1]]
    with subprocess.Popen(command, cwd=AGENT.parent, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise SuiteError(f"the backend did not start on port {ports[0]}")
        try:
            yield int(ports[0]), process.pid
        finally:
            process.terminate()


def cpu_s(pid: int) -> float:
    """Processor time of a running process up to now, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children_s() -> float:
    """Processor time of the ended children of this process, seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def percentiles_ms(late_s: Sequence[float]) -> tuple[float, float]:
    """p50 and p99 in milliseconds."""
    return statistics.median(late_s) * 1000, statistics.quantiles(late_s, n=100)[98] * 1000


def prober(port: int, pid: int, rate: int, seconds: float) -> Measured:
    """The prober with fresh HTTP connections, whole process; raises SuiteError when a probe fails."""
    target = Target(name="http", address="127.0.0.1", port=port, protocol="http")
    before, backend_before = children_s(), cpu_s(pid)
    run = OutsideVantage(()).start(Plan(targets=(target,), rate_per_s=rate, duration_s=seconds), History())
    batch = run.finish()
    if failed := [probe for probe in batch.probes if not probe.ok]:
        raise SuiteError(f"{len(failed)} of {len(batch.probes)} probes failed: {failed[0].outcome} {failed[0].detail}")
    late = percentiles_ms([probe.started_s - probe.scheduled_s for probe in batch.probes])
    client_s, backend_s = children_s() - before, cpu_s(pid) - backend_before
    return Measured(f"prober, {rate}/s", len(batch.probes), seconds, client_s, backend_s, late, FIGURES[rate])


def bare_asyncio(port: int, pid: int, rate: int, seconds: float) -> Measured:
    """A bare asyncio loop at the same rate; raises SuiteError when it fails."""
    before, backend_before = children_s(), cpu_s(pid)
    said = output([sys.executable, "-I", "-S", "-c", ASYNCIO, str(port), str(rate), str(seconds)])
    late = percentiles_ms([float(text) for text in said.split()])
    client_s, backend_s = children_s() - before, cpu_s(pid) - backend_before
    return Measured(f"bare asyncio, {rate}/s", int(rate * seconds), seconds, client_s, backend_s, late)


def wrk(port: int, pid: int, seconds: float) -> Measured:
    """wrk with one thread and fresh connections, as fast as the backend goes; raises SuiteError when it fails."""
    before, backend_before = children_s(), cpu_s(pid)
    how = ["-t1", f"-c{WRK_CONNECTIONS}", f"-d{seconds:.0f}s", "-H", "Connection: close"]
    said = output(["wrk", *how, f"http://127.0.0.1:{port}/n"])
    found = re.search(r"(\d+) requests in", said)
    if not found or not int(found[1]):
        raise SuiteError(f"wrk counted no requests: {said}")
    return Measured("wrk -t1, all it can", int(found[1]), seconds, children_s() - before, cpu_s(pid) - backend_before)


def output(argv: Sequence[str]) -> str:
    """What a command prints; raises SuiteError when it fails."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SuiteError(f"{argv[0]} ended with {done.returncode}: {done.stderr[-300:]}")
    return done.stdout


def measure(seconds: float) -> list[Measured]:
    """Everything in turn against one backend; raises SuiteError when one fails."""
    rows = []
    with backend() as (port, pid):
        for rate in RATES_PER_S:
            rows += [prober(port, pid, rate, seconds), bare_asyncio(port, pid, rate, seconds)]
        if shutil.which("wrk"):
            rows.append(wrk(port, pid, seconds))
    return rows


def figures(_console: Console) -> Figures:
    """The figures of the prober alone; raises SuiteError when a probe fails."""
    with backend() as (port, pid):
        fast, slow = (prober(port, pid, rate, SECONDS) for rate in RATES_PER_S)
    assert fast.late_ms is not None
    yield LATE.measured(
        fast.late_ms[1], f"p50 {fast.late_ms[0]:.2f} ms, {fast.requests / fast.seconds:.0f} sent a second"
    )
    yield COST.measured(100 * slow.client_s / slow.seconds, f"{slow.request_us:.0f} us a probe")


def prober_table(rows: Sequence[Measured]) -> Table:
    """A row for each client; ratios of processor time for a request are to the last row."""
    title = f"fresh HTTP connections on loopback, load average {os.getloadavg()[0]:.2f} at the end"
    heads = ("", "requests/s", "µs/request", f"to {rows[-1].what.partition(',')[0]}", "of a core", "backend µs/request")
    table = Table(*heads, "late p50 ms", "late p99 ms", "figure", title=title, title_justify="left")
    for row in rows:
        table.add_row(
            row.what,
            f"{row.requests / row.seconds:.0f}",
            f"{row.request_us:.0f}",
            f"{row.request_us / rows[-1].request_us:.1f} x",
            f"{row.client_s / row.seconds:.1%}",
            f"{row.backend_s / row.requests * 1e6:.0f}",
            *([f"{value:.2f}" for value in row.late_ms] if row.late_ms else ["", ""]),
            row.figure,
        )
    return table


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code: 0, 3 (our own failure) or 4 (bad input)."""
    parser = CommandParser(prog="python -m benchmarks.prober", description="Exactness and cost of the prober.")
    parser.add_argument("--seconds", type=int, default=SECONDS, metavar="N", help="of each row (default: %(default)s)")
    try:
        arguments = parser.parse_args(argv)
        if arguments.seconds < 1:
            raise UsageError(f"--seconds: found {arguments.seconds}; allowed is 1 or more")
        console = Console(width=max(Console().width, 130))
        console.print(prober_table(measure(arguments.seconds)))
        if not shutil.which("wrk"):
            console.print("wrk is not installed: the ratios are to the last row that there is")
        return 0
    except UsageError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 4
    except SuiteError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
