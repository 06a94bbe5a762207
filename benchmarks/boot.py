"""python -m benchmarks.boot: how long a local cluster takes, how much memory it has, and that nothing is left."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figures, Wanted, at_most
from fixtures.clusters.local.cluster import LocalCluster, attach
from fixtures.clusters.local.paths import cache_dir, cluster_dir
from fixtures.clusters.local.preflight import check_root
from fixtures.commands import CommandParser
from fixtures.errors import SuiteError, UsageError
from tests.local.helpers import COMMAND, ROOT, ask, command, get, kubectl, must_succeed, node_port_urls, web
from tests.local.leftovers import changes_since, host_now, remains_of

NAME = "bench-boot"
REST_S = 30.0
"""How long the cluster is left alone before its memory is read."""
ANSWER_TIMEOUT_S = 60.0

READY = "three nodes Ready"
STEPS = {"API server ready": "API server ready", "Ready after": READY, "DNS ready": "DNS ready"}
"""Parts of the lines of `up`, and the rows of the table that they end."""
FIRST_ANSWER = "first Service answering"
DOWN = "down"
RSS, PSS = "memory at rest, sum of RSS", "memory at rest, sum of PSS"
WANTED = {
    READY: Wanted("`up` to three nodes Ready, median", "design 10, issue 3", "s", at_most(7)),
    FIRST_ANSWER: Wanted("`up` to the first Service answering, median", "design 10, issue 3", "s", at_most(12)),
    DOWN: Wanted("`down`, median", "design 10, issue 3", "s", at_most(3)),
    PSS: Wanted("memory of the cluster at rest, shared pages once", "design 10, issue 3", "GiB", at_most(1.3)),
}
"""The figures to reach on 2 cores with everything built, by row."""
LEFT = Wanted("left on the machine by clusters that are down", "issue 3", "things", at_most(0))
ROUNDS = 3
COLD_FIGURE = "≤ 13:00"

_BUILT = re.compile(r"\] (?P<what>.+): built in (?P<time>\d+:\d\d)")
_TOTALS = re.compile(r"(?P<what>images: made and unpacked|all programs built) in (?P<time>.+)")

Measurements = dict[str, float]


def lines_of(argv: Sequence[str], **environment: str) -> Iterator[str]:
    """The lines that a command writes to standard error, as they come.

    Raises:
        SuiteError: the command failed; the message has its last lines.
    """
    said: list[str] = []
    with subprocess.Popen(
        argv,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line.rstrip())
            yield said[-1]
    if process.returncode:
        raise SuiteError("\n".join([f"{' '.join(argv)} ended with {process.returncode}", *said[-3:]]))


def measure(*, memory: bool) -> Measurements:
    """One round from `up` to `down`: seconds since the start of the command, and bytes.

    Args:
        memory: whether the memory at rest is measured as well, which takes `REST_S`.

    Raises:
        SuiteError: the cluster did not come up, or its Service did not answer.
    """
    found: Measurements = {}
    started = time.monotonic()
    for line in lines_of([*COMMAND, "up", "--name", NAME]):
        found |= {row: time.monotonic() - started for part, row in STEPS.items() if part in line}
    if missing := set(STEPS.values()) - set(found):
        raise SuiteError(f"`up` did not say when it had {', '.join(sorted(missing))}")
    cluster = attach(NAME)
    found[FIRST_ANSWER] = first_answer_at(cluster) - started
    if memory:
        # Not for something to happen: the figure is that of a cluster at rest.
        time.sleep(REST_S)
        found[RSS], found[PSS] = cluster.memory_bytes()
    started = time.monotonic()
    must_succeed(command("down", "--name", NAME))
    found[DOWN] = time.monotonic() - started
    return found


def first_answer_at(cluster: LocalCluster) -> float:
    """Make three web servers with a Service; when (monotonic) a node port first answers the client outside.

    Raises:
        SuiteError: it did not within `ANSWER_TIMEOUT_S`.
    """
    must_succeed(kubectl(cluster, "create", "--filename=-", text=web("bench", replicas=3)))
    target = node_port_urls(cluster, get(cluster, "service", "bench"))[0]
    answer = ask(cluster, "client", "until", target, str(ANSWER_TIMEOUT_S))
    if answer.get("status") != 200:
        raise SuiteError(f"{target} did not answer within {ANSWER_TIMEOUT_S:g} s: {answer}")
    return time.monotonic()


def shown(row: str, value: float) -> str:
    """A value with its unit: GiB for memory, else seconds."""
    return f"{value / 2**30:.2f} GiB" if row in (RSS, PSS) else f"{value:.1f} s"


def boot_table(rounds: Sequence[Measurements]) -> Table:
    """Minimum, median and maximum of each row over the rounds (of memory the first), beside the figure to reach."""
    table = Table("", "min", "median", "max", "figure", title=f"{len(rounds)} times up and down", title_justify="left")
    for row in rounds[0]:
        values = [found[row] for found in rounds if row in found]
        spread = (min(values), statistics.median(values), max(values))
        figure = WANTED[row].asked_for if row in WANTED else ""
        table.add_row(row, *(shown(row, value) for value in spread), figure)
    return table


def rounds_of(repeat: int, console: Console) -> tuple[list[Measurements], list[str]]:
    """Measure `repeat` rounds, printing each, and what they left on this machine, a line for each thing.

    Raises:
        SuiteError: a round failed; its cluster is removed.
        UsageError: a cluster of the name that is used here is there.
    """
    if cluster_dir(NAME).exists():
        raise UsageError(
            f"cluster {NAME} is there; remove it with: python -m fixtures.clusters.local down --name {NAME}"
        )
    # Before anything is counted: the first run builds what is not in the cache.
    must_succeed(command("build"))
    before = host_now()
    rounds = []
    try:
        for number in range(1, repeat + 1):
            rounds.append(measure(memory=number == 1))
            times = ", ".join(f"{row} {shown(row, value)}" for row, value in rounds[-1].items())
            console.print(f"[{number}/{repeat}] {times}", markup=False, highlight=False)
    finally:
        if cluster_dir(NAME).exists():
            must_succeed(command("down", "--name", NAME))
    return rounds, [*remains_of(NAME), *changes_since(before)]


def figures(console: Console) -> Figures:
    """The figures of ROUNDS rounds; raises as `rounds_of` does."""
    rounds, left = rounds_of(ROUNDS, console)
    for row, wanted in WANTED.items():
        scale = 2**30 if wanted.unit == "GiB" else 1
        values = [found[row] / scale for found in rounds if row in found]
        yield wanted.measured(statistics.median(values), f"{min(values):.2f} to {max(values):.2f}, of {len(values)}")
    yield LEFT.measured(len(left), "; ".join(left))


def boot(repeat: int, console: Console) -> int:
    """Measure `repeat` rounds and print the table; returns 1 when they left anything; raises as `rounds_of` does."""
    rounds, left = rounds_of(repeat, console)
    console.print(boot_table(rounds))
    console.print("\n".join([f"left behind: {len(left)}", *left]), markup=False, highlight=False)
    return 1 if left else 0


def cold(console: Console) -> None:
    """Build everything in an empty cache, which is removed afterwards, and print the time of each part.

    Raises:
        SuiteError: the build failed.
    """
    cache_dir().parent.mkdir(parents=True, exist_ok=True)
    table = Table("", "min:s", "figure", title="cold build", title_justify="left")
    with tempfile.TemporaryDirectory(prefix="cold-build-", dir=cache_dir().parent) as home:
        started = time.monotonic()
        for line in lines_of([*COMMAND, "build"], XDG_CACHE_HOME=home):
            console.print(line, markup=False, highlight=False)
            if found := _BUILT.search(line) or _TOTALS.search(line):
                table.add_row(found["what"], found["time"])
        took = int(time.monotonic() - started)
    table.add_row("all of it", f"{took // 60}:{took % 60:02d}", COLD_FIGURE)
    console.print(table)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code: 0, 1 (something is left), 3 (our own failure) or 4 (bad input)."""
    parser = CommandParser(prog="python -m benchmarks.boot", description="Time and memory of the local cluster.")
    parser.add_argument("--repeat", type=int, default=ROUNDS, metavar="N", help="rounds (default: %(default)s)")
    parser.add_argument("--cold", action="store_true", help="build everything anew in an empty cache instead")
    try:
        arguments = parser.parse_args(argv)
        if arguments.repeat < 1:
            raise UsageError(f"--repeat: found {arguments.repeat}; allowed is 1 or more")
        check_root()
        console = Console(width=max(Console().width, 100))
        if not arguments.cold:
            return boot(arguments.repeat, console)
        cold(console)
        return 0
    except UsageError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 4
    except SuiteError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
