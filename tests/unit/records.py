"""A run's record for tests of the reports: two promises, four cases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fixtures.requirements import Level
from fixtures.verdicts import Verdict
from reports.record import CaseFinished, Collected, Event, Promise, RecordWriter, RunFinished, RunStarted

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """A time in the run."""
    return START + timedelta(seconds=seconds)


def started(**changes: Any) -> RunStarted:  # noqa: ANN401
    """The first event."""
    values: dict[str, Any] = {
        "at": START,
        "run_id": "run-1",
        "suite_version": "0.1.0",
        "argv": ("conformance", "-n", "2"),
        "report_dir": "runs/run-1",
        "profile": "full",
        "cluster": {"kind": "local", "name": "dev", "kubernetes_version": "v1.36.3"},
    }
    return RunStarted(**{**values, **changes})


def collected(**changes: Any) -> Collected:  # noqa: ANN401
    """The second event: dns.name with two cases, cluster_ip.port with two cases."""
    promises = tuple(
        Promise(id=name, promise="It is kept.", source="seed", level=Level.MUST, cases=cases)
        for name, cases in (
            ("cluster_ip.port", ("conformance/cluster_ip/test_a.py::test_port[IPv4]", "c.py::test_port[a::b]")),
            ("dns.name", ("conformance/dns/test_b.py::test_name", "conformance/dns/test_b.py::test_name[x]")),
        )
    )
    return Collected(**{"at": at(1), "promises": promises, "not_selected": (), "left_out": (), **changes})


def finished(requirement: str, case: str, verdict: Verdict, first_line: str = "", **changes: Any) -> CaseFinished:  # noqa: ANN401
    """A case's event."""
    values: dict[str, Any] = {
        "at": at(2),
        "params": {},
        "phase": "call",
        "details": (),
        "started": at(1.5),
        "duration_s": 0.5,
        "worker": "gw0",
    }
    return CaseFinished(
        requirement=requirement, case=case, verdict=verdict, first_line=first_line, **{**values, **changes}
    )


def whole_run(*verdicts: Verdict) -> list[Event]:
    """A run whose cases, in the order of `collected`, have these verdicts."""
    begin = collected()
    cases = [(promise.id, case) for promise in begin.promises for case in promise.cases]
    events = [
        finished(requirement, case, verdict, "" if verdict is Verdict.PASS else f"because of {number}")
        for number, ((requirement, case), verdict) in enumerate(zip(cases, verdicts, strict=False))
    ]
    return [started(), begin, *events, RunFinished(at=at(9), cases={}, unfinished=(), interrupted=False)]


def write(folder: Path, events: list[Event]) -> None:
    """Write a record."""
    writer = RecordWriter(folder)
    for event in events:
        writer.write(event)
    writer.close()
