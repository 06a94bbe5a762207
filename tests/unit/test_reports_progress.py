"""What a terminal shows of a run that goes on."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.history import History
from fixtures.verdicts import Verdict
from reports.progress import Disturbances, Progress, known_durations
from tests.unit import records
from tests.unit.frame import Frame

pytest_plugins = ["pytester"]

TITLES = {"a": "one", "b": "two", "c": "three"}


def test_it_says_what_runs_how_it_went_and_what_disturbs() -> None:
    progress = Progress(TITLES, workers=1, known_s={})
    progress.begin("a", 0.0)
    progress.end("a", Verdict.FAIL, 10.0)
    progress.begin("b", 10.0)
    lines = progress.lines(14.0, ["node-3 fails"])
    assert [line.text for line in lines] == [
        "1 of 3 cases · 1 fail · 14 s, about 16 s left",
        "      4 s  two",
        "  disturbance: node-3 fails",
    ]
    assert lines[0].colour == "red"


def test_the_time_left_is_that_of_an_earlier_run_where_there_is_one() -> None:
    progress = Progress(TITLES, workers=2, known_s={"a": 100.0, "b": 40.0, "c": 2.0})
    assert progress.left_s(0.0) == 71.0
    progress.begin("a", 0.0)
    assert progress.left_s(50.0) == 46.0
    assert Progress(TITLES, workers=2, known_s={"a": 1.0}).left_s(0.0) is None


def test_disturbances_are_those_that_have_begun_and_not_ended(tmp_path: Path) -> None:
    found = Disturbances(tmp_path)
    assert found.now() == []
    history = History(tmp_path / "a.jsonl")
    with history.fault("node-3 fails", "the test"):
        assert found.now() == ["node-3 fails"]
        with history.fault("delete web", "the test"):
            assert found.now() == ["node-3 fails", "delete web"]
    assert found.now() == []
    history.close()


def test_durations_are_those_of_the_newest_run_beside(tmp_path: Path) -> None:
    records.write(tmp_path / "old", records.whole_run(Verdict.PASS, Verdict.PASS))
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "run.jsonl").write_text("x\n")
    assert set(known_durations(tmp_path / "new").values()) == {0.5}
    assert known_durations(tmp_path / "old") == {}


@pytest.mark.parametrize("arguments", [("-n0",), ("-n2",)])
def test_on_a_terminal_what_runs_is_shown_and_taken_away(frame: Frame, arguments: tuple[str, ...]) -> None:
    """The lines of the cases, and the summary, are the same as without a terminal."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "pytest", "conformance", f"--report-dir={frame.report}", *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | {"TERM": "xterm"}
    with subprocess.Popen(command, cwd=frame.path, stdin=follower, stdout=follower, stderr=follower, env=environment):
        os.close(follower)
        said = b""
        while True:
            try:
                part = os.read(leader, 1 << 16)
            except OSError:
                break
            said += part
    text = said.decode()
    assert " of 6 cases · " in text
    assert "expected an answer; observed a timeout; seen from node-1" in text
    assert "profile full: not conformant" in text
    assert text.index(" of 6 cases · ") < text.index("profile full")


def test_without_a_terminal_there_are_lines_alone(frame: Frame) -> None:
    said = frame.run_apart().stdout.str()
    assert " of 6 cases · " not in said
    assert "profile full: not conformant" in said
