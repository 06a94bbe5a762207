"""The soak: what counts as a false alarm, and that the stress ends with its block."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from benchmarks.soak import STRESSES, Soaked, both_cores_busy, disk_loaded, main, soaked, table
from fixtures.clusters.local.cluster import LocalCluster
from fixtures.errors import SuiteError
from tests.unit.frame import Frame

pytest_plugins = ["pytester"]

NONE = cast(LocalCluster, None)
"""For stresses that need no cluster."""


def children() -> list[int]:
    """The ids of this process's children that run a program of their own."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == os.getpid() and state != "Z":
            found.append(int(entry.name))
    return found


def test_a_fail_is_an_alarm_and_an_error_is_none(frame: Frame) -> None:
    frame.run()
    found = soaked("cpu", frame.results())
    assert found.verdicts == Counter({"pass": 2, "unsupported": 1, "fail": 1, "error": 1, "not observable": 1})
    assert [alarm.partition(":")[0] for alarm in found.alarms] == ["conformance/test_all.py"]
    assert "expected an answer" in found.alarms[0]
    assert found.broken == ""


def test_runs_are_added_up_by_stress() -> None:
    runs = [Soaked(stress, 1.5, Counter({"pass": 3}), ()) for stress in ("none", "cpu", "none")]
    shown = table(runs)
    assert shown.row_count == 2
    assert [list(column.cells) for column in shown.columns[:3]] == [["none", "cpu"], ["2", "1"], ["3.0", "1.5"]]


def test_each_run_has_a_cluster_of_its_own_and_one_that_goes_wrong_is_told(
    frame: Frame, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    frame.run()
    opened: list[str | None] = []
    closed: list[None] = []

    def boot(name: str | None, **_: object) -> SimpleNamespace:
        opened.append(name)
        if len(opened) == 2:
            raise SuiteError("no node was Ready")
        return SimpleNamespace(close=lambda: closed.append(None))

    monkeypatch.setattr("benchmarks.soak.open_cluster", boot)
    monkeypatch.setattr("benchmarks.soak.check_root", lambda: None)
    monkeypatch.setattr("benchmarks.soak.run", lambda _, stress, *__: soaked(stress, frame.results()))
    assert main(["--runs", "3"]) == 1
    assert (opened, len(closed)) == ([None] * 3, 2)
    said = capsys.readouterr().out
    assert "run 2 of 3, stress none: nothing" in said
    assert "  no node was Ready" in said


def test_the_processors_are_busy_as_long_as_asked() -> None:
    before = len(children())
    with both_cores_busy(NONE):
        assert len(children()) == before + (os.cpu_count() or 1)
    assert len(children()) == before


def test_the_disk_is_loaded_as_long_as_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with disk_loaded(NONE):
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--runs", "0"], "--runs, -n: found 0 and 2"),
        (["--profile", "smok"], "--profile: found 'smok'; allowed is smoke, core, full"),
        (["--stress", "heat"], f"--stress: found 'heat'; allowed is {', '.join(STRESSES)}"),
        (["--chapter", "lifecycles"], "--chapter: found 'lifecycles'; allowed is cluster_ip"),
        (["--runs", "many"], "--runs: invalid int value"),
    ],
)
def test_bad_input_is_said_in_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert main(arguments) == 4
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
