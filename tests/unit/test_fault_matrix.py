"""The matrix of the seeded faults: what counts as caught, and what is written of it."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fixtures.faults.fault import Fault
from fixtures.faults.production import IN_PRODUCTION
from fixtures.faults.seeded import FAULTS
from fixtures.verdicts import Verdict
from reports.record import CaseFinished
from tests.seeded_faults.matrix import Caught, as_property, costs, counts, from_property, lines, rows, write

FAULT = next(fault for fault in FAULTS if fault.name == "backend_dropped")
A, B, OTHER = "cluster_ip.a", "node_port.b", "dns.c"
COST_S = 2.34


def case(promise: str, verdict: Verdict, line: str = "expected one thing; observed <another>") -> CaseFinished:
    """A case that has ended."""
    return CaseFinished(
        at=datetime.now(UTC),
        requirement=promise,
        case=f"conformance/test_x.py::test_{promise}",
        params={},
        verdict=verdict,
        phase="call",
        first_line=line,
        details=(),
        started=None,
        duration_s=1.0,
        worker="main",
    )


def found(*cases: CaseFinished) -> dict[str, Caught]:
    """The verdict of each promise that FAULT should break."""
    return {row.guarded_by: row.verdict for row in rows(FAULT, (A, B), cases, COST_S)}


def test_every_fault_has_one_family_and_a_sentence() -> None:
    said = Counter(name for faults in IN_PRODUCTION.values() for name in faults)
    assert {name for name, count in said.items() if count > 1} == set()
    assert {fault.name for fault in FAULTS} - set(said) == set()


def test_no_two_faults_have_one_name() -> None:
    apply = {fault.name: fault.apply for fault in FAULTS}
    assert [fault.name for fault in FAULTS if apply[fault.name] is not fault.apply] == []


@pytest.mark.parametrize("other", [Verdict.PASS, Verdict.ERROR, Verdict.NOT_OBSERVABLE])
def test_a_promise_is_caught_when_every_case_fails(other: Verdict) -> None:
    failed = case(A, Verdict.FAIL), case(A, Verdict.FAIL), case(B, Verdict.FAIL)
    assert found(*failed) == {A: Caught.CAUGHT, B: Caught.CAUGHT}
    assert found(*failed, case(B, other)) == {A: Caught.CAUGHT, B: Caught.BY_ANOTHER}
    assert found(case(A, other), case(B, other)) == {A: Caught.MISSED, B: Caught.MISSED}


def test_what_did_not_run_is_missed() -> None:
    assert found() == {A: Caught.MISSED, B: Caught.MISSED}
    assert found(case(A, Verdict.FAIL)) == {A: Caught.CAUGHT, B: Caught.BY_ANOTHER}


def test_another_promise_may_catch_it() -> None:
    tried = rows(FAULT, (A,), [case(A, Verdict.PASS, ""), case(OTHER, Verdict.PASS), case(OTHER, Verdict.FAIL)], COST_S)
    assert [(row.verdict, row.others) for row in tried] == [(Caught.BY_ANOTHER, {OTHER: "fail"})]
    assert tried[0].first_line.startswith("pass: conformance/")


def test_the_deciding_line_is_that_of_a_case_that_did_not_fail() -> None:
    first, second = rows(
        FAULT, (A, B), [case(A, Verdict.FAIL), case(B, Verdict.FAIL), case(B, Verdict.ERROR, "died")], COST_S
    )
    assert (first.first_line, second.first_line) == ("expected one thing; observed <another>", "died")


def test_rows_survive_the_way_from_a_worker() -> None:
    tried = rows(FAULT, (A, B), [case(A, Verdict.FAIL)], COST_S)
    assert from_property(json.loads(json.dumps(as_property(tried)))) == tried


def test_what_is_written_and_printed(tmp_path: Path) -> None:
    tried = rows(FAULT, (A, B), [case(A, Verdict.FAIL), case(OTHER, Verdict.PASS)], COST_S)
    write(tmp_path / "new", tried, {"began": "now"})
    data = json.loads((tmp_path / "new/faults.json").read_text("utf-8"))
    assert {"id", "family", "guarded_by", "verdict", "first_line"} <= set(data["faults"][0])
    assert data["counts"] == {"faults": 1, "pairs": 2, "caught": 1, "caught by another": 1, "missed": 0}
    page = (tmp_path / "new/faults.html").read_text("utf-8")
    assert "observed &lt;another&gt;" in page
    assert "dns.c pass" in page
    printed = lines(tried)
    assert printed[0].startswith("caught ")
    assert printed[-2] == "faults: 1, pairs: 2, caught: 1, caught by another: 1, missed: 0"
    assert printed[-1] == "put in and taken out again in 2.3 s (median), at most 2.3 s (backend_dropped)"
    assert printed[-1] in page
    assert counts([]) == {"faults": 0, "pairs": 0, "caught": 0, "caught by another": 0, "missed": 0}


def test_a_row_is_about_a_fault_of_the_catalogue() -> None:
    unknown = Fault("nothing", "nothing", (A,), FAULT.apply)
    with pytest.raises(KeyError):
        rows(unknown, (A,), [], COST_S)


def test_the_longest_application_of_a_fault_is_its_cost() -> None:
    tried = [row for cost_s in (1.0, 9.0) for row in rows(FAULT, (A,), [case(A, Verdict.FAIL)], cost_s)]
    assert costs(tried) == "put in and taken out again in 9.0 s (median), at most 9.0 s (backend_dropped)"
