"""The record of a run: run.jsonl, one event per line, written as it happens.

The models are the format; `reports/run.schema.json` is generated from them by
`python -m reports schema`. Everything else in a report folder is made from the record alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from fixtures.budgets import BudgetUsed
from fixtures.errors import UsageError
from fixtures.requirements import Level
from fixtures.verdicts import Verdict

FILE = "run.jsonl"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Event(_Model):
    version: Literal[1] = 1
    """The version of the format."""
    at: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    """When the event was written, by the clock of the machine that ran the suite."""


class RunStarted(_Event):
    """The first line of every record."""

    event: Literal["run_started"] = "run_started"
    run_id: str
    suite_version: str
    argv: tuple[str, ...]
    """The arguments that pytest was started with."""
    report_dir: str
    """The report folder as seen from the folder in which the run was started."""
    profile: str
    """The suite's profile of this name, or the user's own in this file."""
    budgets: Mapping[str, BudgetUsed] = {}
    """What the checks allowed, by name; empty in records of before there were any."""
    cluster: Mapping[str, JsonValue] | None
    """fixtures.clusters.ClusterInfo; None when the set-up of the cluster did not come to its end."""


class Promise(_Model):
    """A promise that this run checks, and its case ids."""

    id: str
    promise: str
    source: str
    level: Level
    cases: tuple[str, ...]

    @property
    def chapter(self) -> str:
        """The part of the id before the dot."""
        return self.id.partition(".")[0]


class Collected(_Event):
    """What is to be run."""

    event: Literal["collected"] = "collected"
    promises: tuple[Promise, ...]
    not_selected: tuple[str, ...]
    """Ids of promises that were found and, by the options of the run, left out."""
    left_out: tuple[str, ...]
    """Case ids that belong to the profile but not to this run; with any, the profile is not judged."""


class CaseFinished(_Event):
    """A test case came to its end."""

    event: Literal["case_finished"] = "case_finished"
    requirement: str
    case: str
    params: Mapping[str, str]
    verdict: Verdict
    phase: Literal["setup", "call", "teardown"] | None
    """The phase that decided the verdict; None: the case did not finish."""
    first_line: str
    details: tuple[str, ...]
    started: AwareDatetime | None
    duration_s: float
    """Set-up, call and teardown together."""
    worker: str
    """The process that ran the case: gw0, gw1 …; main without workers."""


class ClusterLogs(_Event):
    """Logs of the cluster were kept."""

    event: Literal["cluster_logs"] = "cluster_logs"
    path: str


class Problem(_Event):
    """Something outside any test case went wrong: the set-up, the clean-up, the book-keeping."""

    event: Literal["problem"] = "problem"
    what: Literal["setup", "cleanup", "bookkeeping"]
    message: str


class RunFinished(_Event):
    """The last line of every record of a run that was not killed."""

    event: Literal["run_finished"] = "run_finished"
    cases: Mapping[Verdict, int]
    """How many cases have each verdict; a verdict without cases is left out."""
    unfinished: tuple[str, ...]
    """Case ids that were collected but never finished; they count as error."""
    interrupted: bool


Event = Annotated[
    RunStarted | Collected | CaseFinished | ClusterLogs | Problem | RunFinished, Field(discriminator="event")
]
_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)


class RecordWriter:
    """Appends events to a new run.jsonl; every line is flushed, so that a crash keeps what was seen."""

    def __init__(self, folder: Path) -> None:
        """Make the folder and the file.

        Raises:
            OSError: it cannot be written, or the folder already holds a record (FileExistsError).
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / FILE).open("x", encoding="utf-8")

    def write(self, event: Event) -> None:
        """Append one event."""
        self._file.write(event.model_dump_json() + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._file.close()


def read(folder: Path) -> list[Event]:
    """The events of the record in `folder`, in order.

    A last line that a crash cut short is left out.

    Raises:
        UsageError: there is no record, or a line is not an event of this version.
    """
    path = folder / FILE
    try:
        *lines, _cut_short = path.read_text("utf-8").split("\n")
    except OSError as error:
        raise UsageError(f"{path}: no record of a run: {error.strerror}") from error
    events: list[Event] = []
    for number, line in enumerate(lines, 1):
        try:
            events.append(_ADAPTER.validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "line"
            raise UsageError(f"{path}:{number}: {field}: {first['msg']}") from error
    if not events or not isinstance(events[0], RunStarted):
        raise UsageError(f"{path}: does not begin with run_started")
    return events


def schema() -> str:
    """The JSON Schema of one line, as the text of reports/run.schema.json."""
    document: dict[str, Any] = _ADAPTER.json_schema()
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": FILE, **document}
    return json.dumps(document, indent=2, sort_keys=True) + "\n"
