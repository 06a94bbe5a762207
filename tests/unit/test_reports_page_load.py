"""Load over time in report.html."""

from __future__ import annotations

import re
from pathlib import Path

from fixtures.history import History
from reports.page.load import load_chart
from reports.page.seen import read
from tests.unit.test_checks_throughput import take


def test_load_is_drawn_with_its_losses_and_faults(tmp_path: Path) -> None:
    path, made = tmp_path / "load.jsonl", take("ClusterIP", ms=10.0, failed={"refused": 7})
    history = History(path)
    history.add(made.block)
    with history.fault("roll out v2", "the test"):
        for report in made.reports:
            history.add(report)
    history.close()
    chart = load_chart(read(path))
    assert chart is not None
    users, rate, times, lost = chart.lanes
    assert (users.top, rate.top, lost.top) == ("4", "200", "7")
    assert [line.name for line in times.lines] == ["p50", "p95", "p99"]
    assert [line.name for line in lost.lines] == ["refused"]
    assert [len(re.findall(r"[ML]", line.path)) for lane in chart.lanes for line in lane.lines] == [5] * 6
    assert [fault.text for fault in chart.faults] == ["roll out v2"]
    assert [block.text for block in chart.blocks] == ["ClusterIP, new"]


def test_bytes_are_drawn_where_they_were_asked_for(tmp_path: Path) -> None:
    path, made = tmp_path / "load.jsonl", take("ClusterIP", failed={"refused": 7})
    history = History(path)
    history.add(made.block.model_copy(update={"sizes_b": (1024,)}))
    for report in made.reports:
        rows = tuple(row.model_copy(update={"bytes": 3_000_000}) for row in report.rows)
        history.add(report.model_copy(update={"rows": rows}))
    history.close()
    chart = load_chart(read(path))
    assert chart is not None
    assert [(lane.title, lane.top) for lane in chart.lanes][2] == ("Megabytes a second", "6 MB")


def test_a_soak_of_hours_is_drawn_with_few_points(tmp_path: Path) -> None:
    path, hours_s = tmp_path / "soak.jsonl", 7200
    made = take("soak")
    (report, _), history = made.reports, History(path)
    history.add(made.block.model_copy(update={"seconds": float(hours_s)}))
    rows = tuple(report.rows[0].model_copy(update={"second": second}) for second in range(hours_s))
    effort = report.effort.model_copy(update={"second": float(hours_s)})
    history.add(report.model_copy(update={"rows": rows, "effort": effort}))
    history.close()
    chart = load_chart(read(path))
    assert chart is not None
    assert [text for _, text in chart.ticks][:3] == ["0 s", "1800 s", "3600 s"]
    rate = chart.lanes[1]
    assert (rate.top, len(re.findall("[ML]", rate.lines[0].path))) == ("100", 900)


def test_a_record_without_load_has_no_chart(tmp_path: Path) -> None:
    path = tmp_path / "none.jsonl"
    history = History(path)
    history.phase("nothing")
    history.close()
    assert load_chart(read(path)) is None
