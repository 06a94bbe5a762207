"""python -m benchmarks.soak: the suite again and again on a healthy cluster, also under stress, must never fail.

What the stress makes unjudgeable is `error` or `not observable`; a `fail` is a false alarm, and the exit code says so.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fixtures.clusters.local import open_cluster
from fixtures.clusters.local.cluster import LocalCluster
from fixtures.clusters.local.disruptor import API_SERVER, CONTROL_PLANE
from fixtures.clusters.local.preflight import check_root
from fixtures.commands import CommandParser
from fixtures.errors import SuiteError, UsageError
from fixtures.interrupts import sigterm_as_interrupt
from fixtures.profiles import NAMES
from fixtures.requirements import CHAPTERS
from fixtures.verdicts import Verdict
from reports.results import Results, load

ROOT = Path(__file__).resolve().parent.parent
API_DELAY_S = 0.2
"""How long the API server stands still at a time, and then runs: a request waits for up to that."""
DISK_BYTES = 16 << 20
"""What is written, and forced to the disk, at a time."""
OUTPUT_LINES = 15
"""Of a run that did not come to a record."""

Stress = Callable[[LocalCluster], AbstractContextManager[None]]


@contextmanager
def both_cores_busy(_cluster: LocalCluster) -> Iterator[None]:
    """As many busy processes as there are processors."""
    command = [sys.executable, "-c", "while True: pass"]
    with ExitStack() as ended:
        for _ in range(os.cpu_count() or 1):
            process = ended.enter_context(subprocess.Popen(command))
            ended.callback(process.kill)
        yield


@contextmanager
def api_server_slow(cluster: LocalCluster) -> Iterator[None]:
    """The API server is stopped for API_DELAY_S, then runs for as long, and so on."""
    over = threading.Event()

    def stop_and_go() -> None:
        while not over.wait(API_DELAY_S):
            # It is looked up each time: a disruptive test may have started another one.
            pid = cluster.processes()[CONTROL_PLANE].get(API_SERVER)
            if pid is None:
                continue
            try:
                os.kill(pid, signal.SIGSTOP)
                over.wait(API_DELAY_S)
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                continue

    with ThreadPoolExecutor(1, thread_name_prefix="stress") as pool:
        working = pool.submit(stop_and_go)
        try:
            yield
        finally:
            over.set()
        working.result()


@contextmanager
def disk_loaded(_cluster: LocalCluster) -> Iterator[None]:
    """A file is written and forced to the disk, again and again."""
    over = threading.Event()

    def write(folder: str) -> None:
        part = os.urandom(DISK_BYTES)
        while not over.is_set():
            with Path(folder, "load").open("wb") as file:
                file.write(part)
                os.fsync(file.fileno())

    with tempfile.TemporaryDirectory(prefix="soak-") as folder, ThreadPoolExecutor(1) as pool:
        working = pool.submit(write, folder)
        try:
            yield
        finally:
            over.set()
        working.result()


STRESSES: dict[str, tuple[Stress, ...]] = {
    "none": (),
    "cpu": (both_cores_busy,),
    "api": (api_server_slow,),
    "disk": (disk_loaded,),
    "all": (both_cores_busy, api_server_slow, disk_loaded),
}


@dataclass(frozen=True)
class Soaked:
    """One run: under which stress, its verdicts by case, and those that are a false alarm.

    Attributes:
        stress: the key of STRESSES.
        minutes: how long it took.
        verdicts: how many cases have each verdict.
        alarms: cases that failed, with the first line of each.
        broken: what went wrong outside the cases; empty: nothing.
    """

    stress: str
    minutes: float
    verdicts: Counter[str]
    alarms: tuple[str, ...]
    broken: str = ""


def soaked(stress: str, found: Results) -> Soaked:
    """What a run's record says."""
    cases = found.cases.values()
    return Soaked(
        stress=stress,
        minutes=found.duration_s / 60,
        verdicts=Counter(str(case.verdict) for case in cases),
        alarms=tuple(f"{case.case}: {case.first_line}" for case in cases if case.verdict is Verdict.FAIL),
        broken="; ".join(problem.message.splitlines()[0] for problem in found.problems),
    )


def run(cluster: LocalCluster, stress: str, folder: Path, arguments: Sequence[str]) -> Soaked:
    """Run the suite once on a cluster under a stress, with the reports in a folder."""
    command = [sys.executable, "-m", "pytest", "conformance", f"--cluster-name={cluster.state.name}", *arguments]
    with ExitStack() as stressed:
        for each in STRESSES[stress]:
            stressed.enter_context(each(cluster))
        done = subprocess.run(
            [*command, f"--report-dir={folder}"], cwd=ROOT, capture_output=True, text=True, check=False
        )
    if done.returncode not in (0, 1):
        said = "\n".join((done.stdout + done.stderr).splitlines()[-OUTPUT_LINES:])
        raise SuiteError(f"the suite ended with exit code {done.returncode}:\n{said}")
    return soaked(stress, load(folder))


def table(runs: Sequence[Soaked]) -> Table:
    """The runs, one a row, and their sum."""
    shown = Table("stress", "runs", "min", *(str(verdict) for verdict in Verdict), title="soak", title_justify="left")
    for stress in dict.fromkeys(each.stress for each in runs):
        own = [each for each in runs if each.stress == stress]
        total: Counter[str] = sum((each.verdicts for each in own), Counter())
        minutes = f"{sum(each.minutes for each in own):.1f}"
        shown.add_row(stress, str(len(own)), minutes, *(str(total[str(verdict)]) for verdict in Verdict))
    return shown


def soak(runs: int, stresses: Sequence[str], arguments: Sequence[str], name: str | None, console: Console) -> int:
    """Repeat the suite and print what came of it; returns 1 when a case failed or a run went wrong, else 0.

    Each run has a new cluster unless one is named: a run of the full profile ends with an outage of the API server,
    after which what has lost its watch may stay behind for a minute, and the next run would meet that.
    """

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False)

    done: list[Soaked] = []
    folder = ROOT / "runs" / f"soak-{datetime.now(UTC):%Y%m%dt%H%M%Sz}"
    try:
        for number in range(runs):
            for stress in stresses:
                try:
                    with closing(open_cluster(name, keep=False, progress=say)) as cluster:
                        done.append(run(cluster, stress, folder / f"{number + 1}-{stress}", arguments))
                except SuiteError as problem:
                    done.append(Soaked(stress, 0.0, Counter(), (), broken=str(problem)))
                said = ", ".join(f"{count} {verdict}" for verdict, count in sorted(done[-1].verdicts.items()))
                say(f"run {number + 1} of {runs}, stress {stress}: {said or 'nothing'}")
                for line in (*done[-1].alarms, *filter(None, [done[-1].broken])):
                    say(f"  {line}")
    finally:
        if done:
            console.print(table(done))
            say(f"reports: {folder}")
    return 1 if any(each.alarms or each.broken for each in done) else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run it; the exit code: 0, 1 (a false alarm), 3 (our own failure), 4 (bad input) or 130 (interrupted)."""
    parser = CommandParser(prog="python -m benchmarks.soak", description="The suite on a healthy cluster, repeatedly.")
    parser.add_argument("--runs", type=int, default=10, metavar="N", help="per stress (default: %(default)s)")
    parser.add_argument("--profile", default="core", metavar="NAME", help="of the suite (default: %(default)s)")
    parser.add_argument("--chapter", action="append", default=[], metavar="NAME", help="only this chapter; repeatable")
    parser.add_argument(
        "--stress", action="append", metavar="KIND", help=f"{', '.join(STRESSES)}; repeatable (default: none)"
    )
    parser.add_argument(
        "--cluster-name",
        metavar="NAME",
        help="a local cluster that is up, for all runs; it stays up (default: a new one for each run)",
    )
    parser.add_argument("-n", type=int, default=2, metavar="K", help="processes of each run (default: %(default)s)")
    try:
        arguments = parser.parse_args(argv)
        if arguments.runs < 1 or arguments.n < 0:
            raise UsageError(f"--runs, -n: found {arguments.runs} and {arguments.n}; allowed is 1 or more, 0 or more")
        if arguments.profile not in NAMES:
            raise UsageError(f"--profile: found {arguments.profile!r}; allowed is {', '.join(NAMES)}")
        stresses = arguments.stress or ["none"]
        if unknown := [kind for kind in stresses if kind not in STRESSES]:
            raise UsageError(f"--stress: found {unknown[0]!r}; allowed is {', '.join(STRESSES)}")
        if unknown := [name for name in arguments.chapter if name not in CHAPTERS]:
            raise UsageError(f"--chapter: found {unknown[0]!r}; allowed is {', '.join(CHAPTERS)}")
        check_root()
        chapters = [f"--chapter={name}" for name in arguments.chapter]
        wanted = [f"--profile={arguments.profile}", "-n", str(arguments.n), *chapters]
        undo = sigterm_as_interrupt()
        try:
            return soak(arguments.runs, stresses, wanted, arguments.cluster_name, Console(width=100))
        finally:
            undo()
    except KeyboardInterrupt:
        print("interrupted; the table is of the runs until then", file=sys.stderr)
        return 130
    except UsageError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 4
    except SuiteError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
