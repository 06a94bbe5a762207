"""The record: written as it happens, read back, shown, described by a schema."""

from __future__ import annotations

import json
import math
import threading
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from fixtures import history
from fixtures.errors import SuiteError, UsageError
from fixtures.history import Action, Event, Fault, Finding, History, Observation, Phase, ProbeLines, ProbeRun
from fixtures.verdicts import Verdict
from tests.unit.made_probes import good, named, probe
from tests.unit.test_probes import lines_of

SCHEMA = Path(history.__file__).with_name("history.schema.json")
FINDING = Finding(
    check="outage", verdict=Verdict.FAIL, expected="none", sentence="1 outage", vantage="v", numbers={"failed": 1}
)


def recorded(record: History, lines: list[Any], *, parts: int = 2, vantage: str = "outside") -> None:
    """A run in some parts."""
    run = record.next_run()
    record.add(ProbeRun(run=run, vantage=vantage, started_at=1000.0, clock_error_s=0.002))
    size = math.ceil(len(lines) / parts)
    for part in range(parts):
        record.add(ProbeLines(run=run, lines=tuple(lines[part * size : (part + 1) * size])))


def whole_record(path: Path | None = None) -> History:
    """Events of each kind."""
    record = History(path)
    body = {"metadata": {"labels": None}}
    events: list[Event] = [
        Observation(change="READ", resource="services", name="web", namespace="n", body=body),
        FINDING,
    ]
    record.phase("judged")
    with record.action("delete web-a"), record.fault("no API server", by="a test"):
        recorded(record, lines_of([*good(4), probe("timeout"), named("10.0.0.1", rcode="NOERROR")]))
    for event in events:
        record.add(event)
    return record


def test_what_is_written_is_read_back_and_fits_the_schema(tmp_path: Path) -> None:
    path = tmp_path / "history" / history.file_name("conformance/dns/test_x.py::test_y[IPv4-a b]")
    record = whole_record(path)
    assert path.name == "dns-test_x.py-test_y-IPv4-a-b.jsonl"
    lines = tuple(history.read(path))
    kept = [line.model_dump(mode="json") for line in lines if not isinstance(line.event, ProbeLines)]
    assert kept == [line.model_dump(mode="json") for line in record.lines]
    assert history.batches_of(lines) == record.batches
    assert [batch.probes for batch in record.batches] == [batch.probes for batch in whole_record().batches]
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text("utf-8")))
    for text in path.read_text("utf-8").splitlines():
        validator.validate(json.loads(text))
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({"history_version": 2, "at": 1.0, "event": {"kind": "guess"}})


def test_the_committed_schema_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert history.main(["schema"]) == 0
    printed = capsys.readouterr().out
    assert SCHEMA.read_text("utf-8") == printed, "run python -m fixtures.history schema > fixtures/history.schema.json"


def test_events_are_on_disk_as_soon_as_they_are_added(tmp_path: Path) -> None:
    record = History(tmp_path / "a.jsonl")
    with pytest.raises(KeyError), record.action("delete web-a"), record.fault("a drop", by="a test"):
        raise KeyError
    assert [line.event for line in history.read(tmp_path / "a.jsonl")] == [
        Action(moment="start", what="delete web-a"),
        Fault(moment="start", what="a drop", by="a test"),
        Fault(moment="end", what="a drop", by="a test"),
        Action(moment="end", what="delete web-a"),
    ]


def test_probes_are_read_from_the_lines_of_runs_side_by_side() -> None:
    record = History()
    first, second = record.next_run(), record.next_run()
    lines = lines_of(good(6))
    for run, vantage in ((first, "outside"), (second, "pod on n1")):
        record.add(ProbeRun(run=run, vantage=vantage, started_at=1000.0 + run, clock_error_s=0.1))
    for line in lines:
        for run in (first, second):
            record.add(ProbeLines(run=run, lines=(line,)))
    one, other = record.batches
    assert (one.vantage, one.started_at, other.vantage, other.started_at) == ("outside", 1001.0, "pod on n1", 1002.0)
    assert one.probes == other.probes == tuple(good(6))


def test_a_run_that_a_crash_cut_off_keeps_what_was_seen(tmp_path: Path) -> None:
    record = History(tmp_path / "a.jsonl")
    recorded(record, lines_of(good(6))[:-1])
    (batch,) = history.batches_of(history.read(tmp_path / "a.jsonl"))
    assert (len(batch.probes), batch.lateness_p99_ms) == (6, math.inf)


def test_lines_that_do_not_parse_are_an_error_of_ours() -> None:
    record = History()
    recorded(record, [{"plan_version": 1}])
    with pytest.raises(SuiteError, match=r"prober outside: .*plan version 1"):
        _ = record.batches


def test_threads_write_whole_lines(tmp_path: Path) -> None:
    record = History(tmp_path / "a.jsonl")
    threads = [threading.Thread(target=lambda: [record.phase("x" * 2000) for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(history.read(tmp_path / "a.jsonl"))) == len(record.lines) == 200
    assert len({record.next_run() for _ in range(5)}) == 5


def test_the_states_of_an_object() -> None:
    record = History()
    for name, change in (("web", "ADDED"), ("other", "ADDED"), ("web", "DELETED")):
        event = {"change": change, "resource": "services", "name": name, "namespace": "n", "body": {}}
        record.add(Observation.model_validate(event))
    assert [seen.change for seen in record.observations("services", "web")] == ["ADDED", "DELETED"]


def test_show_prints_a_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole_record(tmp_path / "a.jsonl").close()
    assert history.main(["show", str(tmp_path / "a.jsonl")]) == 0
    lines = [line.partition(" s  ")[2] for line in capsys.readouterr().out.splitlines()]
    assert lines[:4] == [
        "phase judged",
        "action start: delete web-a",
        "fault start: no API server (by a test)",
        "probes from outside begin (clock +-2.0 ms)",
    ]
    assert lines[4].startswith("probes from outside: 1 x x ok web-a; 1 x x ok web-b")
    assert lines[5].endswith("1 x x timeout; end of run, late p99 0.5 ms")
    assert lines[-2:] == ["READ services n/web", "outage: fail: 1 outage (v)"]


NEWER = '{"history_version": 3, "at": 1, "event": {"kind": "phase", "name": "x"}}'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"history_version": 2, "at"', ":1: "),
        (NEWER, "a.jsonl:1: history_version: Input should be 2 (a line of version 2 is allowed)"),
        (NEWER.replace("3", "1"), "history_version: Input should be 2"),
        ('{"history_version": 2, "at": 1, "event": {"kind": "probes"}}', ":1: event: "),
        (Phase(name="x").model_dump_json(), ":1: at: Field required"),
    ],
)
def test_a_truncated_or_other_record_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as refused:
        list(history.read(path))
    assert says in str(refused.value)
    assert history.main(["show", str(path)]) == 4
    assert history.main(["show", str(tmp_path / "none")]) == 4
    assert capsys.readouterr().err.count("\n") == 2
