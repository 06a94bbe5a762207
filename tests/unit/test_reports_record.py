"""run.jsonl: its format, what a crash leaves, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from fixtures.errors import UsageError
from fixtures.verdicts import Verdict
from reports import record
from reports.__main__ import SCHEMAS
from tests.unit import records

FOLDER = Path(record.__file__).parent
SCHEMA = FOLDER / "run.schema.json"


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_committed_schemas_are_current(name: str) -> None:
    assert (FOLDER / name).read_text("utf-8") == SCHEMAS[name](), "run python -m reports schema"


def test_what_is_written_is_read_back_and_fits_the_schema(tmp_path: Path) -> None:
    events = records.whole_run(Verdict.PASS, Verdict.FAIL, Verdict.ERROR, Verdict.NOT_OBSERVABLE)
    records.write(tmp_path, events)
    assert record.read(tmp_path) == events
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text("utf-8")))
    for line in (tmp_path / record.FILE).read_text("utf-8").splitlines():
        validator.validate(json.loads(line))


def test_every_event_is_on_disk_as_soon_as_it_is_written(tmp_path: Path) -> None:
    writer = record.RecordWriter(tmp_path)
    writer.write(records.started())
    assert record.read(tmp_path) == [records.started()]
    writer.close()


def test_a_last_line_that_a_crash_cut_short_is_left_out(tmp_path: Path) -> None:
    events = records.whole_run(Verdict.PASS)
    records.write(tmp_path, events)
    file = tmp_path / record.FILE
    file.write_text(file.read_text("utf-8")[:-20], "utf-8")
    assert record.read(tmp_path) == events[:-1]


def test_an_earlier_record_is_never_overwritten(tmp_path: Path) -> None:
    records.write(tmp_path, [records.started()])
    with pytest.raises(FileExistsError):
        record.RecordWriter(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no record of a run"),
        ("", "does not begin with run_started"),
        ("{}\n", r"run.jsonl:1: line: .*event"),
        (records.started().model_dump_json() + '\n{"event": "collected"}\n', r"run.jsonl:2: collected.promises: .*"),
        (
            records.started().model_dump_json().replace('"version":1', '"version":2') + "\n",
            "version: Input should be 1",
        ),
    ],
)
def test_what_is_no_record_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / record.FILE).write_text(text, "utf-8")
    with pytest.raises(UsageError, match=message):
        record.read(tmp_path)
