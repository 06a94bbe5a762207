"""The record: written as it happens, read back, shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures import history
from fixtures.errors import UsageError
from fixtures.history import Action, History, Phase, Probe, ProbeBatch


def test_events_are_on_disk_as_soon_as_they_are_added(tmp_path: Path) -> None:
    path = tmp_path / "history" / history.file_name("conformance/dns/test_x.py::test_y[IPv4-a b]")
    record = History(path)
    record.add(Phase(name="judged"))
    with pytest.raises(KeyError), record.action("delete web-a"):
        raise KeyError
    record.add(
        ProbeBatch(
            vantage="outside",
            started_at=1.0,
            lateness_p99_ms=0.1,
            probes=(
                Probe(index=0, target="x", protocol="tcp", scheduled_s=0, started_s=0, done_s=1, outcome="timeout"),
            ),
        )
    )
    assert path.name == "dns-test_x.py-test_y-IPv4-a-b.jsonl"
    lines = list(history.read(path))
    assert tuple(lines) == record.lines
    assert [line.event for line in lines[1:3]] == [
        Action(moment="start", what="delete web-a"),
        Action(moment="end", what="delete web-a"),
    ]


def test_show_prints_a_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.jsonl"
    History(path).add(Phase(name="judged"))
    assert history.main(["show", str(path)]) == 0
    assert capsys.readouterr().out == "    0.000 s  phase judged\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [('{"history_version": 1, "at"', ":1: "), ('{"history_version": 2, "at": 1, "event": {}}', "history_version")],
)
def test_a_truncated_or_newer_record_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=says):
        list(history.read(path))
    assert history.main(["show", str(path)]) == 4
    assert history.main(["show", str(tmp_path / "none")]) == 4
    assert capsys.readouterr().err.count("\n") == 2
