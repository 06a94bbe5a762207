"""Whatever happens there is a report, made from the record so far, and it says so."""

from __future__ import annotations

import errno
import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from fixtures.verdicts import Verdict
from reports import record
from reports.__main__ import main
from reports.outputs import OUTPUTS
from tests.unit import made_runs, records
from tests.unit.frame import HEAD, Frame

pytest_plugins = ["pytester"]

DYING = (
    HEAD
    + """
import os, signal
from pathlib import Path
from threading import Event

@requirement("cluster_ip.kept", promise="P.", source="seed", level=MUST)
def test_kept(cluster):
    assert cluster.name == "fake-1"

@requirement("dns.blocks", promise="P.", source="seed", level=MUST)
def test_blocks(cluster):
    if Path("die").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    if Path("ready").exists():
        Path("ready").write_text("blocked")
        Event().wait(60)
"""
)


def state_of(frame: Frame) -> tuple[str, str]:
    """State and result of the run by conformance.yaml; every other output must be there too."""
    assert {path.name for path in frame.report.iterdir()} >= {record.FILE, *OUTPUTS}
    assert [path.name for path in frame.report.iterdir() if path.name.startswith(".")] in ([], [".turns"])
    found = yaml.safe_load((frame.report / "conformance.yaml").read_text("utf-8"))
    return found["run"]["state"], found["profiles"][0]["result"]


def wait_until_recorded(frame: Frame, test: str) -> None:
    """Wait until the record has the end of a test: a file tells nobody that it has grown."""
    give_up_at = time.monotonic() + 60
    ended = re.compile(rf'"event":"case_finished".*::{test}"')
    while not ended.search((frame.report / record.FILE).read_text("utf-8")):
        assert time.monotonic() < give_up_at, f"{test} is not in the record"
        time.sleep(0.02)


def page_of(frame: Frame) -> str:
    return (frame.report / "report.html").read_text("utf-8")


def test_the_set_up_dies(frame: Frame) -> None:
    frame.cluster('failure=SuiteError("no API server")')
    frame.run()
    assert state_of(frame) == ("not set up", "failure")
    assert "The cluster could not be set up; no promise was tested." in page_of(frame)
    assert "no API server" in page_of(frame)


def test_a_worker_dies(frame: Frame) -> None:
    frame.write("conformance/test_all.py", DYING)
    frame.write("die", "")
    frame.run_apart("-n2")
    assert state_of(frame) == ("finished", "failure")
    assert "1 of 2 promises could not be judged" in page_of(frame)


@pytest.mark.parametrize("arguments", [("-n0",), ("-n1",)])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_run_is_stopped(frame: Frame, number: signal.Signals, arguments: tuple[str, ...]) -> None:
    frame.write("conformance/test_all.py", DYING)
    os.mkfifo(frame.path / "ready")
    command = [sys.executable, "-m", "pytest", "conformance", f"--report-dir={frame.report}", *arguments]
    with subprocess.Popen(command, cwd=frame.path, stdout=subprocess.DEVNULL, start_new_session=True) as run:
        with (frame.path / "ready").open() as ready:
            assert ready.read() == "blocked"
        # A worker is ahead of what the controller has heard of it.
        wait_until_recorded(frame, "test_kept")
        if number is signal.SIGKILL:
            os.killpg(run.pid, number)
        else:
            run.send_signal(number)
        run.wait(60)
    if number is signal.SIGKILL:
        # Nobody was left to write the reports: the record has all that is needed.
        assert main(["render", str(frame.report)]) == 0
    state = "broken off" if number is signal.SIGKILL else "interrupted"
    assert state_of(frame) == (state, "failure")
    said = "The run was killed" if number is signal.SIGKILL else "The run was interrupted"
    assert said in page_of(frame)
    assert "with 1 of 2 cases unfinished" in page_of(frame)
    assert frame.verdicts()["test_kept"] is Verdict.PASS


class FullDisk(io.RawIOBase):
    """A file on a disk that has room for this many bytes, and for more once the reserve is given up."""

    def __init__(self, file: io.RawIOBase, room: int, reserve: Path, after: int) -> None:
        self.file, self.room, self.reserve, self.after = file, room, reserve, after

    def write(self, content: object) -> int:
        """Write as much as there is room for."""
        room = self.room if self.reserve.exists() else self.room + self.after
        part = memoryview(content)[: max(0, room)]  # type: ignore[arg-type]
        if not part:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= len(part)
        return self.file.write(part) or 0

    def close(self) -> None:
        """Close it."""
        self.file.close()


@pytest.mark.parametrize(("after", "whole"), [(1 << 20, True), (0, False)])
def test_a_full_disk_costs_the_reserve_first(tmp_path: Path, after: int, whole: bool) -> None:
    events = records.whole_run(Verdict.PASS, Verdict.FAIL)
    writer = record.RecordWriter(tmp_path)
    reserve = tmp_path / record.RESERVE
    assert reserve.stat().st_blocks * 512 >= record.RESERVED_BYTES
    writer._file = FullDisk(writer._file, 1500, reserve, after)  # type: ignore[assignment]
    for event in events:
        writer.write(event)
    assert writer.problem is not None
    assert writer.problem.errno == errno.ENOSPC
    assert not reserve.exists()
    assert (writer.unwritten == 0) is whole
    writer.close()
    assert record.read(tmp_path) == (events if whole else events[: len(record.read(tmp_path))])


EVENTS_FIT = 4
"""Onto the disk: the start of the run, and what comes right after it."""


def test_a_run_goes_on_when_its_record_cannot_be_written(frame: Frame, monkeypatch: pytest.MonkeyPatch) -> None:
    drain = record.RecordWriter._drain

    def full(self: record.RecordWriter) -> None:
        if (frame.report / record.FILE).read_bytes().count(b"\n") >= EVENTS_FIT:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        drain(self)

    monkeypatch.setattr(record.RecordWriter, "_drain", full)
    result = frame.run()
    result.stdout.fnmatch_lines(["error: */run.jsonl: No space left on device; the run goes on"])
    result.stdout.fnmatch_lines(["5 promises, 6 cases in *"])
    result.stdout.fnmatch_lines(["error: *run.jsonl: its last * bytes are not written: No space left on device"])
    assert state_of(frame)[0] == "broken off"


def test_an_output_that_cannot_be_written_stops_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_runs.run(tmp_path, Verdict.PASS)
    (tmp_path / "junit.xml").mkdir()
    assert main(["render", str(tmp_path)]) == 1
    assert "junit.xml could not be written: Is a directory" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} >= set(OUTPUTS)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
