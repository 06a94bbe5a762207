"""conformance.yaml: what it says, that it adds up, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from fixtures.errors import SuiteError, UsageError
from fixtures.requirements import Level
from fixtures.verdicts import Verdict
from reports import conformance, record
from reports.__main__ import main
from reports.conformance import document, must_add_up, report
from reports.record import Problem
from reports.results import load, results
from tests.unit import records

P, F, E = Verdict.PASS, Verdict.FAIL, Verdict.ERROR
N, U = Verdict.NOT_OBSERVABLE, Verdict.UNSUPPORTED
SCHEMA = Path(record.__file__).with_name("conformance.schema.json")


def run_of(*verdicts: Verdict, second: Level = Level.MUST, **changes: Any) -> list[record.Event]:  # noqa: ANN401
    """A run of two promises with two cases each; the first is a MUST, the second of this level."""
    first, other = records.collected().promises
    events = records.whole_run(*verdicts)
    events[1] = records.collected(promises=(first, other.model_copy(update={"level": second})), **changes)
    return events


@pytest.mark.parametrize(
    ("verdicts", "second", "result"),
    [
        ((P, P, P, P), Level.MUST, "success"),
        ((P, U, P, P), Level.MUST, "success"),
        ((U, U, P, P), Level.MUST, "partial"),
        ((P, P, N, P), Level.MUST, "partial"),
        ((P, P, F, P), Level.MUST, "failure"),
        ((P, P, P, E), Level.MUST, "failure"),
        ((P, P, P), Level.MUST, "failure"),
        ((P, P, U, U), Level.SHOULD, "success"),
        ((P, P, N, P), Level.SHOULD, "partial"),
        ((P, P, F, F), Level.SHOULD, "failure"),
    ],
)
def test_the_result_of_a_profile(verdicts: tuple[Verdict, ...], second: Level, result: str) -> None:
    assert report(results(run_of(*verdicts, second=second))).profiles[0].result == result


def test_a_profile_that_did_not_run_whole_is_partial_and_a_problem_is_a_failure() -> None:
    assert report(results(run_of(P, P, P, P, left_out=("x",)))).profiles[0].result == "partial"
    events = [*run_of(P, P, P, P), Problem(at=records.at(8), what="cleanup", message="a node is left")]
    found = report(results(events))
    assert (found.profiles[0].result, found.run.problems) == ("failure", ("cleanup: a node is left",))


def test_the_file_fits_its_schema_and_says_why(tmp_path: Path) -> None:
    records.write(tmp_path, run_of(P, F, N, U, second=Level.SHOULD))
    data = yaml.safe_load(document(load(tmp_path)))
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text("utf-8"))).validate(data)
    core, extended = data["profiles"][0]["core"], data["profiles"][0]["extended"]
    assert core["statistics"] == {"passed": 0, "failed": 1, "errors": 0, "notObservable": 0, "unsupported": 0}
    assert core["failed"] == [{"id": "cluster_ip.port", "reason": "because of 1"}]
    assert extended["notObservable"] == [{"id": "dns.name", "reason": "because of 2"}]
    assert data["record"]["bytes"] == (tmp_path / record.FILE).stat().st_size


def test_arm_is_said_to_be_real_or_emulated() -> None:
    for arm, said in ((None, "none"), ({"emulated": True}, "emulated"), ({"emulated": False}, "real")):
        cluster = {"kind": "local", "name": "dev", "kubernetes_version": "v1.36.3", "arm": arm}
        events = [records.started(cluster=cluster), *records.whole_run(P, P, P, P)[1:]]
        assert report(results(events)).arm == said


def test_a_report_that_does_not_add_up_is_refused() -> None:
    found = report(results(run_of(P, P, P, P)))
    with pytest.raises(SuiteError, match=r"dns\.name has 2 cases in the report, 3 were collected"):
        must_add_up(found, {"cluster_ip.port": 2, "dns.name": 3})
    with pytest.raises(SuiteError, match=r"dns\.other has no cases in the report, 1 were collected"):
        must_add_up(found, {"cluster_ip.port": 2, "dns.name": 2, "dns.other": 1})


def changed(tmp_path: Path, old: str, new: str, *, beside_record: bool = True) -> Path:
    """A rendered conformance.yaml in which a text was replaced by hand."""
    records.write(tmp_path, run_of(P, P, P, P))
    assert main(["render", str(tmp_path)]) == 0
    file = tmp_path / conformance.FILE
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")
    if not beside_record:
        (tmp_path / record.FILE).unlink()
    return file


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("passed: 2", "passed: 3", r"core\.statistics: "),
        ("verdict: pass", "verdict: fail", r"core\.statistics: "),
        ("service-conformance/v1", "service-conformance/v2", "apiVersion: .*; found"),
        ("pass: 2", "pass: x", r"promises\.0\.cases\.pass: .*; found 'x'"),
        ("kind: ConformanceReport", "kind: [", "not YAML"),
    ],
)
def test_a_changed_file_is_refused_by_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, message: str
) -> None:
    file = changed(tmp_path, old, new, beside_record=False)
    assert main(["validate", str(file)]) == 4
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(UsageError, match=message):
        conformance.read(file)


def test_a_changed_file_is_refused_by_its_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = changed(tmp_path, "version: 0.1.0", "version: 0.2.0")
    assert main(["validate", str(file)]) == 4
    assert "is not what its record gives" in capsys.readouterr().err


def test_a_file_as_it_was_written_is_valid_with_and_without_its_record(tmp_path: Path) -> None:
    file = changed(tmp_path, "version: 0.1.0", "version: 0.1.0")
    assert main(["validate", str(file)]) == 0
    (tmp_path / record.FILE).unlink()
    assert main(["validate", str(file)]) == 0
    file.unlink()
    assert main(["validate", str(file)]) == 4


def test_a_record_that_was_changed_after_the_report_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = changed(tmp_path, "version: 0.1.0", "version: 0.1.0")
    run = tmp_path / record.FILE
    run.write_text(run.read_text("utf-8").replace("because", "despite").replace('"pass"', '"fail"', 1), "utf-8")
    for command in (["render", str(tmp_path)], ["validate", str(file)]):
        assert main(command) == 4
        assert "it was changed after the report" in capsys.readouterr().err
