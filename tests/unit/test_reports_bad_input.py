"""Bad input to `python -m reports`: one line that names it, exit code 4, and nothing written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.verdicts import Verdict
from reports.__main__ import main
from tests.unit import made_runs

HISTORY = "history/scenario-0.jsonl"


def cut_off(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def made_by_hand(folder: Path) -> None:
    assert main(["render", str(folder)]) == 0
    made_runs.edit(folder / "run.jsonl", "No <request>", "Many <request>")


CASES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (lambda folder: folder.rename(folder.with_name("gone")), "no such folder"),
    "a file": (lambda folder: (folder.rename(folder.with_name("gone")), folder.write_text("x")), "no such folder"),
    "no record": (lambda folder: (folder / "run.jsonl").unlink(), "run.jsonl: no record of a run"),
    "empty": (lambda folder: cut_off(folder / "run.jsonl", 0), "does not begin with run_started"),
    "cut off in its first line": (lambda folder: cut_off(folder / "run.jsonl", 100), "does not begin with run_started"),
    "another version": (
        lambda folder: made_runs.edit(folder / "run.jsonl", '"version":1', '"version":2'),
        "run.jsonl:1: run_started.version: Input should be 1",
    ),
    "not JSON": (lambda folder: made_runs.edit(folder / "run.jsonl", '{"version"', "{version"), "run.jsonl:1: line: "),
    "an unknown field": (
        lambda folder: made_runs.edit(folder / "run.jsonl", '"run_id"', '"run_name"'),
        "run.jsonl:1: run_started.run_id: Field required",
    ),
    "a line taken out": (
        lambda folder: (folder / "run.jsonl").write_bytes(
            b"".join((folder / "run.jsonl").read_bytes().splitlines(keepends=True)[1:])
        ),
        "does not begin with run_started",
    ),
    "changed by hand after the report": (made_by_hand, "run.jsonl: it was changed after the report"),
    "a history of another version": (
        lambda folder: made_runs.edit(folder / HISTORY, '"history_version":2', '"history_version":3'),
        "scenario-0.jsonl:1: ",
    ),
    "a history changed by hand": (
        lambda folder: made_runs.edit(folder / HISTORY, '"ok"', '"reset"'),
        "scenario-0.jsonl: it was changed after the run",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_record_is_named_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    folder = made_runs.run(tmp_path / "run", Verdict.PASS)
    spoil, said = CASES[name]
    spoil(folder)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert main(["render", str(folder)]) == 4
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ERROR: ")
    assert said in line
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_record_whose_end_states_another_digest_is_refused(tmp_path: Path) -> None:
    folder = made_runs.run(tmp_path, Verdict.PASS)
    made_runs.edit(folder / "run.jsonl", '"sha256":null', f'"sha256":"{"0" * 64}"')
    assert main(["render", str(folder)]) == 4


def test_a_folder_that_cannot_be_written_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made_runs.run(tmp_path / "run", Verdict.PASS)
    # Root may write everywhere, so the system is asked in its place.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != folder or not mode & os.W_OK)
    assert main(["render", str(folder)]) == 4
    assert f"DIR {folder}: cannot be written" in capsys.readouterr().err
