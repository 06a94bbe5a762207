"""python -m benchmarks.footprint: what the suite asks of a cluster, and of the machine that it runs on.

A run on the cluster of a kubeconfig, under the roles of manifests/rbac/: what it asked the API server for stands in the
built-in cluster's audit log by the name of the service account.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.figures import Figures, Wanted, at_most
from benchmarks.running import local_cluster, main_of, said
from fixtures.api import PODS, Api, Object
from fixtures.clusters.kubeconfig.admission import parse_quantity
from fixtures.clusters.local.cluster import LocalCluster, memory_of
from fixtures.commands import CommandParser
from fixtures.ending import Ending
from fixtures.errors import SuiteError, UsageError
from fixtures.profiles import NAMES
from fixtures.verdicts import Verdict
from fixtures.workloads.namespaces import NAME_PREFIX
from reports.results import load
from tests.local.few_rights import USER, Runner

ROOT = Path(__file__).resolve().parent.parent
PROFILE, PROCESSES = "core", 2
LONGEST_S = 1200.0
"""A run that takes longer is ended, and broken."""
SAMPLE_S = 0.5
"""How often the memory of the run's processes is read."""
EXPLAINED = 3
OUTPUT_LINES = 15
"""Of a run that ended otherwise than it should."""
MIB = 1 << 20
XDIST = "exec(eval(sys.stdin.readline()))"
"""In the command line of each process that pytest-xdist starts (execnet.gateway_io, popen)."""

RATE = Wanted("core on any cluster, requests to the API server a second, average", "issue 6", "1/s", at_most(10))
AT_ONCE = Wanted("core on any cluster, pods at once", "issue 6", "pods", at_most(30))
REQUESTED = Wanted("core on any cluster, memory that pods request at once", "issue 6", "MiB", at_most(500))
WORKER = Wanted("a pytest worker in core, RSS at most", "design 10, issue 10", "MiB", at_most(150))
PER_CASE = Wanted("core on any cluster, requests to the API server for each test case", "issue 10", "1/case", None)
TOOK = Wanted(f"core on any cluster with -n {PROCESSES}, disruptions left alone", "issue 10", "min", None)
EXPLAIN = Wanted("--explain, median", "issue 6", "s", at_most(2))
SMOKE = Wanted("profile smoke on a fresh local cluster, up and down included", "design 10, issue 10", "s", at_most(60))
WANTED = (EXPLAIN, RATE, PER_CASE, AT_ONCE, REQUESTED, WORKER, TOOK)


@dataclass(frozen=True)
class Asked:
    """What somebody asked the API server for: how often, over how many seconds, and the most frequent of it."""

    count: int
    lasted_s: float
    most: tuple[tuple[str, int], ...]

    @property
    def per_s(self) -> float:
        """Requests a second; raises SuiteError when there are too few to say."""
        if self.lasted_s <= 0:
            raise SuiteError(
                f"audit log: {self.count} requests of {USER} within {self.lasted_s:g} s; a rate needs more"
            )
        return self.count / self.lasted_s


def audit_events(logs: Iterable[Path]) -> Iterator[Mapping[str, Any]]:
    """The events of audit logs, one JSON object a line; the last line of each may be only half written.

    Raises:
        SuiteError: another line is none.
    """
    for log in logs:
        lines = log.read_text("utf-8").splitlines()
        for number, line in enumerate(lines, start=1):
            try:
                yield json.loads(line)
            except ValueError as error:
                if number < len(lines):
                    raise SuiteError(f"audit log: line {number} of {log.name} is not JSON: {line[:80]!r}") from error


def asked_by(events: Iterable[Mapping[str, Any]], user: str, since: float) -> Asked:
    """The requests of a user since a moment of the wall clock; what goes on for long has several events, and is one.

    Counted by `auditID`, timed by `requestReceivedTimestamp` (Kubernetes docs, kube-apiserver Audit, Event).
    """
    received: dict[str, float] = {}
    what: dict[str, str] = {}
    for event in events:
        at = datetime.fromisoformat(event["requestReceivedTimestamp"]).timestamp()
        if event["user"]["username"] == user and at >= since:
            received[event["auditID"]] = at
            what[event["auditID"]] = _words(event)
    times = received.values()
    return Asked(
        len(received), max(times) - min(times) if received else 0.0, tuple(Counter(what.values()).most_common(3))
    )


def _words(event: Mapping[str, Any]) -> str:
    about = event.get("objectRef") or {}
    resource = "/".join(filter(None, (about.get("resource"), about.get("subresource"))))
    return f"{event['verb']} {resource or event['requestURI'].partition('?')[0]}"


def requested_bytes(pod: Object) -> int:
    """Memory that a pod requests: its containers together, or its largest init container, and the overhead.

    As the scheduler counts it (Kubernetes docs, Init Containers, Resource sharing within containers).
    """
    spec = pod["spec"]
    together = sum(map(_memory, spec["containers"]))
    init = max(map(_memory, spec.get("initContainers") or ()), default=0)
    return max(together, init) + int(parse_quantity((spec.get("overhead") or {}).get("memory", "0")))


def _kind(pod: Object) -> str:
    """As `shared vantages`, of svc-shared-4c1d09 and vantages-x7k2p."""
    purpose = pod["metadata"]["namespace"].removeprefix(NAME_PREFIX).rpartition("-")[0]
    return f"{purpose} {re.split('-[0-9a-z]*[0-9]', pod['metadata']['name'])[0]}"


def _memory(container: Object) -> int:
    requests = (container.get("resources") or {}).get("requests") or {}
    return int(parse_quantity(requests.get("memory", "0")))


@dataclass
class Census:
    """The suite's pods, from a watch: how many there were at once, of which kinds, what memory they requested."""

    most_pods: int = 0
    most_bytes: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    """Of the most pods: what their namespace is for, and what they are."""
    _present: dict[str, tuple[int, str]] = field(default_factory=dict)

    def feed(self, change: str, pod: Object) -> None:
        """Take one change, as `Api.watch` gives it; a pod counts until it is deleted or its containers have ended."""
        if change == "LIST":
            self._present = {}
        if change in ("LIST", "LISTED") or not pod["metadata"]["namespace"].startswith(NAME_PREFIX):
            return
        over = change == "DELETED" or pod["status"].get("phase") in ("Succeeded", "Failed")
        if over:
            self._present.pop(pod["metadata"]["uid"], None)
        else:
            self._present[pod["metadata"]["uid"]] = requested_bytes(pod), _kind(pod)
        if len(self._present) > self.most_pods:
            self.most_pods, self.kinds = len(self._present), Counter(kind for _, kind in self._present.values())
        self.most_bytes = max(self.most_bytes, sum(size for size, _ in self._present.values()))

    def watch(self, api: Api, stopped: Ending) -> None:
        """Feed it what happens until `stopped`; raises SuiteError when the API server is away."""
        for change, pod in api.watch(PODS, timeout_s=LONGEST_S, stopped=stopped):
            self.feed(change, pod)


@dataclass
class Memory:
    """The most memory that each of pytest-xdist's processes had, by process id."""

    rss: dict[int, int] = field(default_factory=dict)
    pss: dict[int, int] = field(default_factory=dict)

    def sample(self, pid: int) -> None:
        """Read that of the processes that `pid` has started."""
        for child in workers_of(pid):
            with suppress(OSError):  # it has ended
                rss, pss = memory_of(child)
                self.rss[child] = max(rss, self.rss.get(child, 0))
                self.pss[child] = max(pss, self.pss.get(child, 0))


def workers_of(pid: int) -> list[int]:
    """The processes of pytest-xdist among the children of a process (proc_tid_children(5))."""
    found = []
    with suppress(OSError):
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in map(int, children.read_text().split()):
                if XDIST in Path(f"/proc/{child}/cmdline").read_text():
                    found.append(child)
    return found


@dataclass(frozen=True)
class Footprint:
    """What one run left of traces."""

    asked: Asked
    census: Census
    memory: Memory
    took_s: float
    cases: Counter[str]
    """By verdict."""
    errors: tuple[str, ...]
    """The cases that are `error`, with their first lines: what is measured is not all that it should be."""


@contextmanager
def counted(api: Api) -> Iterator[Census]:
    """Count the suite's pods while the block runs; raises SuiteError at its end when they could not be watched."""
    census, stopped = Census(), Ending()
    with ThreadPoolExecutor(1, thread_name_prefix="census") as pool:
        counting = pool.submit(census.watch, api, stopped)
        try:
            yield census
        finally:
            stopped.set()
        counting.result()


def finished(argv: Sequence[str], output: Path, memory: Memory) -> float:
    """Run the suite to its end and give the seconds that it took; its processes' memory is read meanwhile.

    Raises:
        SuiteError: it ended otherwise than with 0 or 1, or took longer than LONGEST_S.
    """
    began = time.monotonic()
    # In a session of its own: Ctrl-C reaches this process alone, which hands it on once.
    how: dict[str, Any] = {"cwd": ROOT, "stdin": subprocess.DEVNULL, "start_new_session": True}
    with output.open("wb") as out, subprocess.Popen(argv, stdout=out, stderr=out, **how) as process:
        try:
            while process.poll() is None and time.monotonic() - began < LONGEST_S:
                memory.sample(process.pid)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(SAMPLE_S)
        finally:
            if process.poll() is None:
                # As Ctrl-C: the suite removes what it has made, for which it has the time it takes.
                process.terminate()
                process.wait()
    took_s = time.monotonic() - began
    if process.returncode not in (0, 1):
        tail = "\n".join(output.read_text("utf-8", "replace").splitlines()[-OUTPUT_LINES:])
        raise SuiteError(f"the suite ended with {process.returncode} after {took_s:.0f} s:\n{tail}")
    return took_s


def run(cluster: LocalCluster, profile: str, processes: int, folder: Path) -> Footprint:
    """Run a profile as the service account with few rights; raises SuiteError when the run goes wrong."""
    runner, memory, since = Runner(cluster, folder), Memory(), time.time()
    try:
        runner.apply("base.yaml")
        runner.apply("factory.yaml")
        how = [f"--profile={profile}", "-n", str(processes), f"--report-dir={folder / 'report'}"]
        with counted(Api(cluster.kubeconfig)) as census:
            took_s = finished(runner.command(*how), folder / "output", memory)
    finally:
        runner.remove()
    logs = sorted((cluster.folder / "log").glob("audit*.log"))
    cases = load(folder / "report").cases.values()
    verdicts = Counter(str(case.verdict) for case in cases)
    errors = tuple(f"{case.case}: {case.first_line}" for case in cases if case.verdict is Verdict.ERROR)
    return Footprint(asked_by(audit_events(logs), USER, since), census, memory, took_s, verdicts, errors)


def explained_s() -> list[float]:
    """Seconds that --explain takes, EXPLAINED times; raises SuiteError when it fails."""
    argv = [sys.executable, "-m", "pytest", "conformance", "--cluster=local", f"--profile={PROFILE}", "--explain"]
    found = []
    for _ in range(EXPLAINED):
        began = time.monotonic()
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
        found.append(time.monotonic() - began)
        if done.returncode:
            raise SuiteError(f"--explain ended with {done.returncode}: {(done.stdout + done.stderr)[-500:]}")
    return found


def smoke_figures(_console: Console) -> Figures:
    """The profile smoke on a cluster of its own; raises SuiteError when the run goes wrong."""
    argv = [sys.executable, "-m", "pytest", "conformance", "--cluster=local", "--profile=smoke", "-n", str(PROCESSES)]
    with tempfile.TemporaryDirectory(prefix="bench-smoke-") as made:
        folder = Path(made)
        took_s = finished([*argv, f"--report-dir={folder / 'report'}"], folder / "output", Memory())
        cases = Counter(str(case.verdict) for case in load(folder / "report").cases.values())
    yield SMOKE.measured(took_s, _listed(cases))


def figures(cluster: LocalCluster, console: Console, *, profile: str = PROFILE, processes: int = PROCESSES) -> Figures:
    """The figures; raises SuiteError when a run goes wrong."""
    times = explained_s()
    yield EXPLAIN.measured(statistics.median(times), f"{min(times):.2f} to {max(times):.2f}, of {len(times)}")
    with tempfile.TemporaryDirectory(prefix="bench-footprint-") as made:
        found = run(cluster, profile, processes, Path(made))
    how = f"{profile}, -n {processes}"
    cases = sum(found.cases.values())
    said(console, f"footprint: {how}: {_listed(found.cases)}")
    for error in found.errors:
        said(console, f"footprint: error: {error}")
    most = ", ".join(f"{what} {number}" for what, number in found.asked.most)
    yield RATE.measured(found.asked.per_s, f"{how}; {found.asked.count} in {found.asked.lasted_s:.0f} s, most: {most}")
    yield PER_CASE.measured(found.asked.count / cases, f"{how}; {cases} cases")
    yield AT_ONCE.measured(found.census.most_pods, f"{how}; {_listed(found.census.kinds)}")
    yield REQUESTED.measured(found.census.most_bytes / MIB, how)
    rss, pss = found.memory.rss, found.memory.pss
    if rss:
        each = ", ".join(f"{size / MIB:.0f}" for size in rss.values())
        shared = ", ".join(f"{size / MIB:.0f}" for size in pss.values())
        yield WORKER.measured(max(rss.values()) / MIB, f"{how}; RSS {each}, PSS {shared}")
    else:
        yield WORKER.unmeasured(f"no process of pytest-xdist was seen with -n {processes}")
    yield TOOK.measured(found.took_s / 60, f"{how}; {_listed(found.cases)}")


def _listed(counted: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(counted.items()))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code, as `benchmarks.running.main_of` does."""
    parser = CommandParser(prog="python -m benchmarks.footprint", description="What the suite asks of a cluster.")
    parser.add_argument("--profile", default=PROFILE, metavar="NAME", help="of the suite (default: %(default)s)")
    parser.add_argument("-n", type=int, default=PROCESSES, metavar="K", help="processes (default: %(default)s)")
    parser.add_argument("--cluster-name", metavar="NAME", help="a local cluster that is up (default: a fresh one)")

    def measured(console: Console) -> Figures:
        arguments = parser.parse_args(argv)
        if arguments.profile not in NAMES:
            raise UsageError(f"--profile: found {arguments.profile!r}; allowed is {', '.join(NAMES)}")
        if arguments.n < 1:
            raise UsageError(f"-n: found {arguments.n}; allowed is 1 or more")
        with local_cluster(arguments.cluster_name, console) as cluster:
            yield from figures(cluster, console, profile=arguments.profile, processes=arguments.n)

    return main_of(measured)


if __name__ == "__main__":
    sys.exit(main())
