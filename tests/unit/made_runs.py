"""Report folders with histories that tests make up: a Service, probes of it, an outage, what was done and judged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fixtures.history import Action, Fault, Finding, Line, Observation, Phase, ProbeLines, ProbeRun
from fixtures.probes import PLAN_VERSION
from fixtures.requirements import Level
from fixtures.verdicts import Verdict
from reports.outputs import digests
from reports.record import Collected, Event, Promise, RunFinished
from tests.unit import records

START = 1_772_366_400.0
"""The wall clock of `records.START`."""
TARGET = "ClusterIP-new 10.0.0.1:80"
PODS = ("web-0a1b2c3d-5f6d8b9c7d-aaaaa", "web-0a1b2c3d-5f6d8b9c7d-bbbbb")


def rows(count: int, *, every_s: float = 0.05, lost: range = range(0), target: int = 0) -> list[Any]:
    """Lines of a plan as the prober sends them: `lost` probes are refused, the others are answered in turn."""
    found: list[Any] = [{"plan_version": PLAN_VERSION, "started_at": START, "targets": [TARGET]}]
    for number, pod in enumerate(PODS):
        says = {"pod": pod, "node": f"node-{number + 1}", "ips": ["10.1.0.7"], "token": "web-0a1b2c3d"}
        found.append({"answer": number, "is": {**says, "version": "v1", "protocol": "http", "port": 80}})
    for n in range(count):
        at = round(n * every_s, 6)
        outcome, who = ("refused", None) if n in lost else ("ok", n % len(PODS))
        found.append([n, target, at, at, at, at, at, at + 0.002, outcome, n + 1, 1, "10.0.0.1", 40000, who, "", ""])
    return [*found, {"probes": count, "lateness_p99_ms": 0.1}]


def outage_finding(verdict: Verdict, vantage: str = "pod on node-1") -> Finding:
    """What the check of outages says."""
    return Finding(
        check="outage",
        verdict=verdict,
        expected="not one probe lost",
        sentence="1 outage, the longest 0.950 to 1.052 s",
        vantage=vantage,
        numbers={"longest_at_least_s": 0.95, "longest_at_most_s": 1.052},
    )


def history(folder: Path, name: str, *, lost: range = range(0), vantages: Sequence[str] = ("pod on node-1",)) -> None:
    """Write a history in which a pod is deleted two seconds after the probes began."""
    lines: list[Line] = []

    def put(at_s: float, event: Any) -> None:  # noqa: ANN401
        lines.append(Line(at=START + at_s, event=event))

    for number, vantage in enumerate(vantages):
        put(0.0, ProbeRun(run=number, vantage=vantage, started_at=START, clock_error_s=0.001))
        probes = rows(200, lost=lost if number == 0 else range(0))
        put(0.1, ProbeLines(run=number, lines=tuple(probes[:50])))
        put(0.2, ProbeLines(run=number, lines=tuple(probes[50:])))
    body = {"spec": {"clusterIPs": ["10.0.0.1"]}}
    put(0.5, Observation(change="READ", resource="services", name="web", namespace="n", body=body))
    put(2.0, Phase(name="begin"))
    put(2.0, Fault(moment="start", what=f"delete {PODS[0]}", by="the test"))
    put(2.1, Fault(moment="end", what=f"delete {PODS[0]}", by="the test"))
    put(2.2, Action(moment="start", what="create Service <web>"))
    slices = {
        "metadata": {"labels": {"kubernetes.io/service-name": "web"}},
        "endpoints": [{"conditions": {"ready": True}}],
    }
    put(2.4, Observation(change="MODIFIED", resource="endpointslices", name="web-x", namespace="n", body=slices))
    put(8.0, Phase(name="end"))
    path = folder / "history" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line.model_dump_json() + "\n" for line in lines), "utf-8")


def run(folder: Path, *verdicts: Verdict, ended: bool = True, **changes: Any) -> Path:  # noqa: ANN401
    """Write a whole report folder: a promise of the lifecycle with a case for each verdict, each with a history.

    A case that is fail has an outage of a second in its history. Changes are fields of RunStarted.
    """
    cases = tuple(f"conformance/lifecycle/test_x.py::test_x[ClusterIP-new-{n}]" for n in range(len(verdicts)))
    promise = Promise(
        id="lifecycle.loses_nothing", promise="No <request> is lost.", source="KEP-1672", level=Level.MUST, cases=cases
    )
    events: list[Event] = [
        records.started(**changes),
        Collected(at=records.at(1), promises=(promise,), not_selected=("dns.other",), left_out=()),
    ]
    for number, (case, verdict) in enumerate(zip(cases, verdicts, strict=True)):
        name = f"scenario-{number}.jsonl"
        bad = verdict is Verdict.FAIL
        history(folder, name, lost=range(60, 80) if bad else range(0), vantages=("pod on node-1", "pod on node-2"))
        fields: dict[str, Any] = {"params": {"way": "ClusterIP-new"}, "histories": (name,), "manifests": ("web.yaml",)}
        first = "expected not one probe lost; observed 1 outage; seen from pod on node-1" if bad else ""
        events.append(records.finished(promise.id, case, verdict, first, findings=(outage_finding(verdict),), **fields))
    if ended:
        end = RunFinished(at=records.at(30), cases={}, unfinished=(), interrupted=False, histories=digests(folder))
        events.append(end)
    records.write(folder, events)
    return folder


def edit(path: Path, old: str, new: str) -> None:
    """Change a text in a file, once, by hand."""
    text = path.read_text("utf-8")
    assert old in text, json.dumps(text[:200])
    path.write_text(text.replace(old, new, 1), "utf-8")
