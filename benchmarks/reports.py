"""How long the reports of a large run take, in what memory, and how soon its page can be used.

`python -m benchmarks.reports` makes up a run of 400 tests and 1,000,000 probes, renders it in a process of its own and,
where Chromium and selenium are installed, opens the page. Figures: 10 s, 300 MiB, 1 s, 3 MB.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.figures import Figures, Wanted, at_most
from fixtures.commands import CommandParser
from fixtures.errors import SuiteError, UsageError
from fixtures.history import Fault, Finding, Line, Phase, ProbeLines, ProbeRun
from fixtures.probes import PLAN_VERSION
from fixtures.requirements import Level
from fixtures.verdicts import Verdict
from reports.outputs import digests
from reports.record import CaseFinished, Collected, Promise, RecordWriter, RunFinished, RunStarted

VANTAGES, WAYS, CASES_OF_PROMISE = 4, 4, 4
EVERY_S, LINES_AT_ONCE = 0.05, 20
START = 1_772_366_400.0
TESTS, PROBES = 400, 1_000_000
ROOT = Path(__file__).resolve().parent.parent

_RUN = f"of {TESTS} tests and {PROBES:,} probes"
RENDER = Wanted(f"reports of a run {_RUN}", "issue 8", "s", at_most(10))
PEAK = Wanted(f"memory of the reports {_RUN}, peak", "issue 8", "MiB", at_most(300))
PAGE = Wanted(f"report.html {_RUN}", "issue 8", "MB", at_most(3))
USABLE = Wanted(f"report.html {_RUN} can be used", "issue 8", "s", at_most(1))


@dataclass(frozen=True)
class Rendered:
    """What the reports of a run took; `usable_s` None: there is no browser, and `why` says the reason."""

    took_s: float
    processor_s: float
    peak_mib: float
    page_mb: float
    usable_s: float | None
    why: str


def history(path: Path, probes: int) -> None:
    """A record of a scenario: four ways from four vantages, one flow of which is down for a second."""
    each = probes // (VANTAGES * WAYS)
    with path.open("w", encoding="utf-8") as file:

        def put(at_s: float, event: ProbeRun | ProbeLines | Phase | Fault) -> None:
            file.write(Line(at=START + at_s, event=event).model_dump_json(exclude_none=True) + "\n")

        for run in range(VANTAGES * WAYS):
            vantage, way = f"pod on node-{run % VANTAGES}", f"way-{run // VANTAGES} 10.0.0.1:80"
            put(0.0, ProbeRun(run=run, vantage=vantage, started_at=START, clock_error_s=0.001))
            put(
                0.0, ProbeLines(run=run, lines=({"plan_version": PLAN_VERSION, "started_at": START, "targets": [way]},))
            )
            says = {"node": "n", "ips": ["10.1.0.7"], "token": "web", "version": "v1", "protocol": "http", "port": 80}
            for number in range(3):
                put(0.0, ProbeLines(run=run, lines=({"answer": number, "is": {"pod": f"web-{number}", **says}},)))
            rows = []
            for n in range(each):
                at, lost = round(n * EVERY_S, 6), run == 0 and 20 <= n < 40
                ends = ("refused", None) if lost else ("ok", n % 3)
                peer = f"10.1.0.7:{40000 + n % 20000}"
                times = [at, at + 0.0001, at + 0.0002, at + 0.0011, at + 0.0019, at + 0.002]
                rows.append([n, 0, *times, ends[0], n + 1, 1, "10.0.0.1", 40000 + n % 20000, ends[1], peer, ""])
            for first in range(0, each, LINES_AT_ONCE):
                put(first * EVERY_S, ProbeLines(run=run, lines=tuple(rows[first : first + LINES_AT_ONCE])))
            put(each * EVERY_S, ProbeLines(run=run, lines=({"probes": each, "lateness_p99_ms": 0.1},)))
        put(0.5, Phase(name="begin"))
        put(0.5, Fault(moment="start", what="delete web-0", by="the test"))
        put(0.6, Fault(moment="end", what="delete web-0", by="the test"))


def run(folder: Path, tests: int, probes: int) -> None:
    """A run of so many tests and probes: four tests judge each history."""
    (folder / "history").mkdir(parents=True)
    count = tests // CASES_OF_PROMISE
    finding = Finding(check="outage", verdict=Verdict.PASS, expected="no outage", sentence="no outage", vantage="v")
    writer = RecordWriter(folder)
    cluster = {"kind": "local", "name": "made-up", "kubernetes_version": "v1.36.3"}
    writer.write(
        RunStarted(run_id="run", suite_version="0", argv=(), report_dir=str(folder), profile="full", cluster=cluster)
    )
    promises = [
        Promise(
            id=f"lifecycle.promise_{n}",
            promise=f"A promise that is kept, number {n}.",
            source="KEP-1669",
            level=Level.MUST,
            cases=tuple(f"conformance/lifecycle/test_{n}.py::test[way-{k}]" for k in range(CASES_OF_PROMISE)),
        )
        for n in range(count)
    ]
    writer.write(Collected(promises=tuple(promises), not_selected=(), left_out=()))
    for n, promise in enumerate(promises):
        history(folder / "history" / f"scenario-{n}.jsonl", probes // count)
        for k, case in enumerate(promise.cases):
            writer.write(
                CaseFinished(
                    requirement=promise.id,
                    case=case,
                    params={"way": f"way-{k}"},
                    verdict=Verdict.PASS,
                    phase="call",
                    first_line="",
                    details=(),
                    started=None,
                    duration_s=1.0,
                    worker="main",
                    findings=(finding,),
                    histories=(f"scenario-{n}.jsonl",),
                )
            )
    end = RunFinished(cases={}, unfinished=(), interrupted=False, sha256=writer.sha256, histories=digests(folder))
    writer.write(end)
    writer.close()


def interactive_s(page: Path) -> float:
    """Seconds from opening the page until it can be used; raises whatever says that there is no browser."""
    from tests.browser.tools import Browser  # noqa: PLC0415 - development packages

    browser = Browser()
    try:
        browser.open(page)
        timing = "const [t] = performance.getEntriesByType('navigation'); return t.domContentLoadedEventEnd / 1000"
        return float(browser.run(timing))
    finally:
        browser.close()


def measure(tests: int, probes: int) -> Rendered:
    """Make up a run, render it in a process of its own and open its page; raises SuiteError when it is not rendered."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "run"
        run(folder, tests, probes)
        began = time.perf_counter()
        command = [sys.executable, "-m", "reports", "render", str(folder)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT)
        # Of this child alone: getrusage has the largest of all that this process ever had.
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        took_s = time.perf_counter() - began
        if process.returncode:
            raise SuiteError(f"{' '.join(command)} ended with {process.returncode}")
        page, usable_s, why = folder / "report.html", None, ""
        try:
            usable_s = interactive_s(page)
        except Exception as error:  # whatever a machine without a browser says
            why = f"no browser: {str(error).partition(chr(10))[0]}"
        size_mb, peak_mib = page.stat().st_size / 1e6, used.ru_maxrss / 1024
        return Rendered(took_s, used.ru_utime + used.ru_stime, peak_mib, size_mb, usable_s, why)


def figures(_console: Console) -> Figures:
    """The figures; raises SuiteError when the run is not rendered."""
    found = measure(TESTS, PROBES)
    yield RENDER.measured(found.took_s, f"processor {found.processor_s:.1f} s")
    yield PEAK.measured(found.peak_mib)
    yield PAGE.measured(found.page_mb)
    yield USABLE.unmeasured(found.why) if found.usable_s is None else USABLE.measured(found.usable_s)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print a table; returns the exit code: 0, 3 (our own failure) or 4 (bad input)."""
    parser = CommandParser(prog="python -m benchmarks.reports", description="Reports of a large run: time and memory.")
    parser.add_argument("--tests", type=int, default=TESTS, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--probes", type=int, default=PROBES, metavar="N", help="(default: %(default)s)")
    try:
        options = parser.parse_args(argv)
        if options.tests < CASES_OF_PROMISE or options.probes < 1:
            raise UsageError(
                f"--tests, --probes: found {options.tests} and {options.probes}; "
                f"allowed is {CASES_OF_PROMISE} or more, 1 or more"
            )
        found = measure(options.tests, options.probes)
    except UsageError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 4
    except SuiteError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 3
    print(f"{options.tests} tests, {options.probes} probes, {os.cpu_count()} cores")
    print(f"render          {found.took_s:6.1f} s (processor {found.processor_s:.1f} s)")
    print(f"peak memory     {found.peak_mib:6.0f} MiB")
    print(f"report.html     {found.page_mb:6.2f} MB")
    print(f"page usable in  {found.usable_s:6.2f} s" if found.usable_s is not None else found.why)
    return 0


if __name__ == "__main__":
    sys.exit(main())
