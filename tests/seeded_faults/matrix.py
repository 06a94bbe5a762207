"""The matrix of a run of the seeded faults: fault x promise, who caught it, and with which words."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path

import jinja2
from pydantic import JsonValue

from fixtures.faults.fault import Fault
from fixtures.faults.production import family_of, seen_in_production
from fixtures.verdicts import Verdict
from reports.record import CaseFinished

PROPERTY = "faults"
"""Of a test's report: its rows, on the way from a worker to the controller."""
TEMPLATE = Path(__file__).with_name("faults.html.j2")
SHOWN = 160
"""Characters of a failure's first line on a terminal."""


class Caught(StrEnum):
    """What came of a fault and a promise that it breaks."""

    CAUGHT = "caught"
    BY_ANOTHER = "caught by another"
    MISSED = "missed"


@dataclass(frozen=True)
class Row:
    """One fault and one promise whose test guards against it.

    Attributes:
        id: the fault's name.
        family: what it is about.
        guarded_by: the promise's id.
        verdict: caught: every case failed; caught by another: another promise's cases did.
        first_line: of the first case that failed, or of the first one that did not.
        others: further promises that were tried at random, and the worst verdict of each.
        cost_s: what putting the fault in and taking it out again took, beyond the run of the tests in between.
    """

    id: str
    family: str
    guarded_by: str
    verdict: Caught
    first_line: str
    others: Mapping[str, str]
    cost_s: float


def rows(fault: Fault, promises: Sequence[str], cases: Iterable[CaseFinished], cost_s: float) -> list[Row]:
    """What came of one application of a fault.

    Args:
        fault: the fault.
        promises: those that were tried because it breaks them.
        cases: all that were run while it lasted, but for those that it spares; none when that went wrong.
        cost_s: see Row.
    """
    found: dict[str, list[CaseFinished]] = {promise: [] for promise in promises}
    for case in cases:
        found.setdefault(case.requirement, []).append(case)
    failed = {promise for promise, own in found.items() if {case.verdict for case in own} == {Verdict.FAIL}}
    others = {promise: _worst(own) for promise, own in found.items() if promise not in promises}
    by_another = bool(failed) or Verdict.FAIL in others.values()
    otherwise = Caught.BY_ANOTHER if by_another else Caught.MISSED
    return [
        Row(
            id=fault.name,
            family=family_of(fault.name),
            guarded_by=promise,
            verdict=Caught.CAUGHT if promise in failed else otherwise,
            first_line=_first_line(found[promise]),
            others=others,
            cost_s=round(cost_s, 1),
        )
        for promise in promises
    ]


def _worst(cases: Sequence[CaseFinished]) -> str:
    found = {case.verdict for case in cases}
    return next((str(verdict) for verdict in (Verdict.FAIL, Verdict.ERROR) if verdict in found), str(min(found)))


def _first_line(cases: Sequence[CaseFinished]) -> str:
    """Of the case that decides: one that did not fail, when there is one."""
    if not cases:
        return "no case finished"
    deciding = next((case for case in cases if case.verdict is not Verdict.FAIL), cases[0])
    return deciding.first_line or f"{deciding.verdict}: {deciding.case}"


def as_property(found: Sequence[Row]) -> JsonValue:
    """Rows as plain data, for a test report."""
    return json.loads(json.dumps([asdict(row) for row in found]))  # type: ignore[no-any-return]


def from_property(data: object) -> list[Row]:
    """The rows of a test report."""
    assert isinstance(data, list)
    return [Row(**item | {"verdict": Caught(item["verdict"])}) for item in data]


def write(folder: Path, found: Sequence[Row], facts: Mapping[str, str]) -> None:
    """faults.json and faults.html in a folder.

    Args:
        folder: the report folder; made when it is not there.
        found: the rows.
        facts: about the run, by name: when, which machine, how long.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries = [asdict(row) | {"seen_in_production": seen_in_production(row.id)} for row in found]
    facts = {**facts, "suite": version("k8s-service-conformance")}
    text = json.dumps({"run": facts, "counts": counts(found), "cost": costs(found), "faults": entries}, indent=1)
    (folder / "faults.json").write_text(text + "\n", "utf-8")
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(TEMPLATE.read_text())
    (folder / "faults.html").write_text(
        template.render(facts=facts, counts=counts(found), cost=costs(found), rows=entries), "utf-8"
    )


def counts(found: Sequence[Row]) -> dict[str, int]:
    """How many faults there were, and how many pairs of fault and promise have each verdict."""
    by_verdict = Counter(row.verdict for row in found)
    return {
        "faults": len({row.id for row in found}),
        "pairs": len(found),
        **{str(verdict): by_verdict[verdict] for verdict in Caught},
    }


def lines(found: Sequence[Row]) -> list[str]:
    """The matrix for a terminal: what was not caught last, where it is seen."""
    order = list(Caught)
    width = max((len(row.id) for row in found), default=0)
    shown = [
        f"{row.verdict:<17}  {row.id:<{width}}  {row.guarded_by}: {row.first_line[:SHOWN]}"
        for row in sorted(found, key=lambda row: (order.index(row.verdict), row.family, row.id))
    ]
    return [*shown, ", ".join(f"{name}: {count}" for name, count in counts(found).items()), costs(found)]


def costs(found: Sequence[Row]) -> str:
    """What the faults took beyond their tests, in one sentence; of one that was put in several times, the longest."""
    if not found:
        return "not put in"
    by_fault: dict[str, float] = {}
    for row in found:
        by_fault[row.id] = max(row.cost_s, by_fault.get(row.id, 0.0))
    longest = max(by_fault, key=by_fault.__getitem__)
    typical_s = statistics.median(by_fault.values())
    return f"put in and taken out again in {typical_s:.1f} s (median), at most {by_fault[longest]:.1f} s ({longest})"
