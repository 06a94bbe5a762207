"""What is made of a record: totals, junit.xml, the summary."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from fixtures.errors import UsageError
from fixtures.verdicts import Verdict
from reports.__main__ import main
from reports.junit import document
from reports.outputs import OUTPUTS
from reports.record import Event, Problem, RunFinished
from reports.results import results
from reports.summary import rerun_command, summary
from tests.unit import records

ROOT = Path(__file__).resolve().parents[2]
P, F, E = Verdict.PASS, Verdict.FAIL, Verdict.ERROR
N, U = Verdict.NOT_OBSERVABLE, Verdict.UNSUPPORTED


@pytest.mark.parametrize(
    ("verdicts", "profile"),
    [
        ((P, P, P, P), "conformant"),
        ((P, P, P, F), "not conformant"),
        ((P, P, P, E), "not conformant"),
        ((P, P, N, P), "not conformant"),
        ((P, U, P, P), "conformant"),
        ((U, U, P, P), "not conformant"),
        ((P, P, P), "not conformant"),
    ],
)
def test_the_profile_is_conformant_when_every_must_is_pass(verdicts: tuple[Verdict, ...], profile: str) -> None:
    assert results(records.whole_run(*verdicts)).profile_verdict == profile


def test_a_profile_that_did_not_run_whole_is_not_judged() -> None:
    events = records.whole_run(P, P, P, P)
    events[1] = records.collected(left_out=("conformance/x.py::test_x",))
    assert results(events).profile_verdict.startswith("not judged (1 of")


def test_a_problem_outside_the_cases_is_not_conformant() -> None:
    events = [*records.whole_run(P, P, P, P), Problem(at=records.at(8), what="cleanup", message="a node is left")]
    total = results(events)
    assert not total.sound
    assert total.profile_verdict == "not conformant"
    assert "cleanup: a node is left" in [line.text for line in summary(total)]


def test_a_promise_counts_once_with_its_worst_case() -> None:
    total = results(records.whole_run(P, F, N, P))
    assert {chapter: dict(counts) for chapter, counts in total.by_chapter().items()} == {
        "cluster_ip": {F: 1},
        "dns": {N: 1},
    }


def test_a_case_that_never_finished_is_an_error_also_when_the_record_breaks_off() -> None:
    total = results(records.whole_run(P, P)[:-1])
    assert [case.first_line for case in total.bad()] == ["did not finish", "did not finish"]
    assert total.interrupted
    assert total.unfinished == total.promises[1].cases


def test_a_record_that_breaks_off_before_the_cases_is_refused() -> None:
    with pytest.raises(UsageError, match="before it says what was collected"):
        results([records.started()])


def test_junit_has_one_testcase_per_case() -> None:
    root = ET.fromstring(document(results(records.whole_run(P, F, E, U))))
    assert [root.get(key) for key in ("tests", "failures", "errors", "time")] == ["4", "1", "1", "9.000"]
    assert [
        [suite.get(key) for key in ("name", "tests", "failures", "errors", "skipped", "time")] for suite in root
    ] == [
        ["cluster_ip", "2", "1", "0", "0", "1.000"],
        ["dns", "2", "0", "1", "1", "1.000"],
    ]
    cases = root.findall("testsuite/testcase")
    assert [(case.get("classname"), case.get("name"), case.get("time")) for case in cases] == [
        ("cluster_ip", "test_port[IPv4]", "0.500"),
        ("cluster_ip", "test_port[a::b]", "0.500"),
        ("dns", "test_name", "0.500"),
        ("dns", "test_name[x]", "0.500"),
    ]
    children = [case[0] for case in cases[1:]]
    assert [(child.tag, child.get("message")) for child in children] == [
        ("failure", "because of 1"),
        ("error", "because of 2"),
        ("skipped", "unsupported: because of 3"),
    ]


def test_the_totals_of_junit_are_those_of_the_catalogue() -> None:
    # The full profile is without load, which has two profiles of its own.
    resolved = [ROOT / f"conformance/profiles/resolved/{name}.txt" for name in ("full", "throughput", "soak")]
    ids = [case for file in resolved for case in file.read_text("utf-8").splitlines()]
    promise = records.collected().promises[0].model_copy(update={"cases": tuple(ids)})
    events: list[Event] = [records.started(), records.collected(promises=(promise,))]
    events += [records.finished(promise.id, case, P) for case in ids]
    stated = re.search(r"(\d+) cases", (ROOT / "docs/CATALOG.md").read_text("utf-8"))
    assert stated
    assert ET.fromstring(document(results(events))).get("tests") == stated[1]


def test_junit_has_properties_where_every_viewer_takes_them() -> None:
    root = ET.fromstring(document(results([records.started(seed=7), *records.whole_run(P, P, P, P)[1:]])))
    of_suites = [{p.get("name"): p.get("value") for p in suite.findall("properties/property")} for suite in root]
    assert of_suites[0] == of_suites[1]
    assert of_suites[0]["seed"] == "7"
    assert root.findall("testsuite/testcase/properties") == []
    assert "[[PROPERTY|requirement=cluster_ip.port]]" in (root.findtext("testsuite/testcase/system-out") or "")


def test_characters_that_xml_cannot_hold_do_not_break_junit() -> None:
    events = records.whole_run(P, P, P)
    case = "conformance/dns/test_b.py::test_name[x]"
    events.insert(-1, records.finished("dns.name", case, F, "red \x1b[31m\x00", details=("\ufffe < & é",)))
    failure = ET.fromstring(document(results(events))).find(".//failure")
    assert failure is not None
    assert failure.get("message") == "red \ufffd[31m\ufffd"
    assert (failure.text or "").endswith("\ufffd < & é")


def test_rendering_again_gives_the_same_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records.write(tmp_path, records.whole_run(P, F, E, U))
    assert main(["render", str(tmp_path)]) == 0
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(first) == {"run.jsonl", *OUTPUTS}
    assert main(["render", str(tmp_path)]) == 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first
    assert capsys.readouterr().out.encode() == first["summary.txt"] * 2


@pytest.mark.parametrize("arguments", [["render", "."], ["render"], ["draw"], []])
def test_bad_input_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 4
    assert capsys.readouterr().err.startswith("ERROR: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("argv", "command"),
    [
        (("conformance", "-n", "2"), "pytest conformance -n 2 --rerun-failed=runs/run-1"),
        (("conformance", "--report-dir", "a b", "-n2"), "pytest conformance -n2 --rerun-failed=runs/run-1"),
        (("--report-dir=x", "--rerun-failed=y", "conformance"), "pytest conformance --rerun-failed=runs/run-1"),
        (("conformance", "-k", "a or b"), "pytest conformance -k 'a or b' --rerun-failed=runs/run-1"),
    ],
)
def test_the_command_to_run_again_is_the_runs_own(argv: tuple[str, ...], command: str) -> None:
    events = [records.started(argv=argv), *records.whole_run(P, F, P, P)[1:]]
    assert rerun_command(results(events)) == command


def test_an_interrupted_run_names_the_cases_that_did_not_finish() -> None:
    events = [*records.whole_run(P)[:-1], RunFinished(at=records.at(3), cases={}, unfinished=(), interrupted=True)]
    text = [line.text for line in summary(results(events))]
    assert "the run was interrupted" in text
    position = text.index("did not finish (3 cases, which count as error):")
    assert text[position + 1 : position + 4] == ["  cluster_ip.port [a::b]", "  dns.name", "  dns.name [x]"]
