"""The record of a run: run.jsonl, one event per line, written as it happens.

The models are the format; `reports/run.schema.json` is generated from them by
`python -m reports schema`. Everything else in a report folder is made from the record alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from fixtures.budgets import BudgetUsed
from fixtures.errors import UsageError
from fixtures.history import Finding
from fixtures.redaction import redact
from fixtures.requirements import Level
from fixtures.verdicts import Verdict

FILE = "run.jsonl"
RESERVE = ".reserve"
RESERVED_BYTES = 4 << 20
"""Of the disk, for the end of the record and the reports: those of a full run take 3 MiB."""


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
    suite_commit: str | None = None
    """The commit of the suite's source, `-changed` behind it when files differ from it; None: not known."""
    argv: tuple[str, ...]
    """The arguments that pytest was started with."""
    seed: int | None = None
    """What each test draws by chance, it draws from this and its id; None: not known."""
    report_dir: str
    """The report folder as seen from the folder in which the run was started."""
    profile: str
    """The suite's profile of this name, or the user's own in this file."""
    budgets: Mapping[str, BudgetUsed] = {}
    """What the checks allowed, by name; empty in records of before there were any."""
    cluster: Mapping[str, JsonValue] | None
    """fixtures.clusters.ClusterInfo; None when the set-up of the cluster did not come to its end."""
    detected: Mapping[str, JsonValue] = {}
    """What was seen of the cluster beyond that, see fixtures.clusters.detection; empty: it was not looked at."""


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
    findings: tuple[Finding, ...] = ()
    """What the checks said, in order; also those that passed."""
    histories: tuple[str, ...] = ()
    """Files in the folder history/ that the case wrote to or judged."""
    manifests: tuple[str, ...] = ()
    """Files in the folder manifests/ that what it ran on was made of."""
    evidence: str | None = None
    """The folder, below the report folder, with what was kept of its failure; see fixtures.evidence."""


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
    sha256: str | None = None
    """Of all bytes of the file before this line: whether somebody has changed them since."""
    histories: Mapping[str, str] = {}
    """The same of each file in the folder history/, by its name."""


Event = Annotated[
    RunStarted | Collected | CaseFinished | ClusterLogs | Problem | RunFinished, Field(discriminator="event")
]
_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)


class Origin(NamedTuple):
    """What results were made of: the first `bytes` bytes of a file, and their digest."""

    file: str
    bytes: int
    sha256: str


NOTHING = Origin(FILE, 0, hashlib.sha256().hexdigest())


class RecordWriter:
    """Appends events to a new run.jsonl; every line is on its way to the disk at once, so that a crash keeps it.

    A full disk does not stop a run: space that was reserved at the beginning is given up for the record and the
    reports, and what cannot be written even so is kept and tried again with the next event.
    """

    def __init__(self, folder: Path) -> None:
        """Make the folder and the file.

        Raises:
            OSError: it cannot be written, or the folder already holds a record (FileExistsError).
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / FILE).open("xb", buffering=0)
        self._reserve = folder / RESERVE
        with self._reserve.open("wb") as reserve:
            os.posix_fallocate(reserve.fileno(), 0, RESERVED_BYTES)
        self._digest = hashlib.sha256()
        self._waiting = b""
        self.problem: OSError | None = None
        """Why a line could not be written when it was to be, for the first time; None: all could."""

    def write(self, event: Event) -> None:
        """Append one event."""
        line = redact(event.model_dump_json()).encode() + b"\n"
        self._digest.update(line)
        self._waiting += line
        try:
            self._drain()
        except OSError as error:
            self.problem = self.problem or error
            self._give_up_reserve()
            with contextlib.suppress(OSError):
                self._drain()

    @property
    def unwritten(self) -> int:
        """Bytes that could not be written up to now."""
        return len(self._waiting)

    @property
    def sha256(self) -> str:
        """The digest of what was appended so far."""
        return self._digest.hexdigest()

    def close(self) -> None:
        """Close the file, and give up the space that was reserved for it; may be called twice."""
        self._give_up_reserve()
        if not self._file.closed:
            with contextlib.suppress(OSError):
                self._drain()
            self._file.close()

    def _drain(self) -> None:
        while self._waiting:
            # A full disk may take a part of it.
            self._waiting = self._waiting[self._file.write(self._waiting) or 0 :]

    def _give_up_reserve(self) -> None:
        with contextlib.suppress(OSError):
            self._reserve.unlink(missing_ok=True)


def read(folder: Path) -> list[Event]:
    """The events of the record in `folder`, in order.

    A last line that a crash cut short is left out.

    Raises:
        UsageError: there is no record, or a line is not an event of this version, or it was changed after the run.
    """
    return read_with_origin(folder)[0]


def read_with_origin(folder: Path) -> tuple[list[Event], Origin]:
    """As `read`, with what the events were read from."""
    path = folder / FILE
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: no record of a run: {error.strerror}") from error
    whole = content[: content.rfind(b"\n") + 1]
    lines = whole.splitlines(keepends=True)
    events = [_event(path, number, line) for number, line in enumerate(lines, 1)]
    if not events or not isinstance(events[0], RunStarted):
        raise UsageError(f"{path}: does not begin with run_started")
    for number, event in enumerate(events):
        digest = hashlib.sha256(b"".join(lines[:number])).hexdigest() if isinstance(event, RunFinished) else None
        if isinstance(event, RunFinished) and event.sha256 not in (None, digest):
            raise UsageError(
                f"{path}: it was changed after the run: its first {number} lines have the SHA-256 {digest}, "
                f"{event.sha256} is allowed"
            )
    return events, Origin(FILE, len(whole), hashlib.sha256(whole).hexdigest())


def _event(path: Path, number: int, line: bytes) -> Event:
    try:
        return _ADAPTER.validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "line"
        raise UsageError(f"{path}:{number}: {field}: {first['msg']}") from error


def schema() -> str:
    """The JSON Schema of one line, as the text of reports/run.schema.json."""
    document: dict[str, Any] = _ADAPTER.json_schema()
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": FILE, **document}
    return json.dumps(document, indent=2, sort_keys=True) + "\n"
