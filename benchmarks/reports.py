"""How long the reports of a large run take, in what memory, and how soon its page can be used.

`python -m benchmarks.reports` makes up a run of 400 tests and 1,000,000 probes, renders it in a process of its own and,
where Chromium and selenium are installed, opens the page. Figures: 10 s, 300 MiB, 1 s, 3 MB.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fixtures.history import Fault, Finding, Line, Phase, ProbeLines, ProbeRun
from fixtures.probes import PLAN_VERSION
from fixtures.requirements import Level
from fixtures.verdicts import Verdict
from reports.outputs import digests
from reports.record import CaseFinished, Collected, Promise, RecordWriter, RunFinished, RunStarted

VANTAGES, WAYS, CASES_OF_PROMISE = 4, 4, 4
EVERY_S, LINES_AT_ONCE = 0.05, 20
START = 1_772_366_400.0


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


def interactive_s(page: Path) -> float | None:
    """Seconds from opening the page until it can be used; None: there is no browser."""
    try:
        from tests.browser.tools import Browser  # noqa: PLC0415 - development packages

        browser = Browser()
    except Exception as error:
        print(f"no browser: {error}", file=sys.stderr)
        return None
    browser.open(page)
    timing = "const [t] = performance.getEntriesByType('navigation'); return t.domContentLoadedEventEnd / 1000"
    found = float(browser.run(timing))
    browser.close()
    return found


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reports", description=__doc__)
    parser.add_argument("--tests", type=int, default=400)
    parser.add_argument("--probes", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "run"
        run(folder, options.tests, options.probes)
        began = time.perf_counter()
        command = [sys.executable, "-m", "reports", "render", str(folder)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=Path(__file__).parents[1])
        took_s = time.perf_counter() - began
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        page = folder / "report.html"
        usable_s = interactive_s(page)
        print(f"{options.tests} tests, {options.probes} probes, {os.cpu_count()} cores")
        print(f"render          {took_s:6.1f} s (processor {used.ru_utime + used.ru_stime:.1f} s)")
        print(f"peak memory     {used.ru_maxrss / 1024:6.0f} MiB")
        print(f"report.html     {page.stat().st_size / 1e6:6.2f} MB")
        if usable_s is not None:
            print(f"page usable in  {usable_s:6.2f} s")


if __name__ == "__main__":
    main()
