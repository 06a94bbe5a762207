"""What a history shows, read once and kept small: probes as columns of numbers, events as marks on the wall clock."""

from __future__ import annotations

import hashlib
import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, get_args

from pydantic import ValidationError
from pydantic_core import from_json

from fixtures.checks.flows import Flow
from fixtures.checks.impairment import impairments
from fixtures.errors import UsageError
from fixtures.history import HISTORY_VERSION, Action, Fault, Line, Observation, Phase, ProbeRun, takes_of
from fixtures.loads import LoadBlock, LoadRows, Take
from fixtures.probes import COLUMNS, Outcome, Probe
from reports.page.objects import about, describe

OUTCOMES: tuple[str, ...] = get_args(Outcome)
OK = OUTCOMES.index("ok")
_TARGET, _STARTED, _SENT, _DONE = (COLUMNS.index(name) for name in ("target", "started_s", "sent_s", "done_s"))
_OUTCOME, _REQUEST, _ANSWER = (COLUMNS.index(name) for name in ("outcome", "request", "answer"))
_PROBES = b'"kind":"probe_lines"'
NOBODY = 0xFFFF


class Mark(NamedTuple):
    """Something that happened at a moment of the wall clock."""

    at: float
    text: str


class Span(NamedTuple):
    """Something that was done; without an end it went on until the record's end."""

    began_at: float
    ended_at: float | None
    text: str


class Change(NamedTuple):
    """A state of an object, as the API told of it."""

    at: float
    resource: str
    name: str
    text: str
    about: tuple[str, ...]
    """What ties it to others, see `objects.about`."""


class Gap(NamedTuple):
    """A time in which a strip lost probes; see fixtures.checks.impairment. What is not in the record is None."""

    at_least_s: float
    at_most_s: float | None
    began_at: float | None
    ended_at: float | None
    failed_at: float
    """Start of its first lost probe."""
    kinds: str
    failed: int
    probes: int


@dataclass
class Strip:
    """What one vantage saw of one target, in the order of the probes' starts."""

    vantage: str
    target: str
    at: array[float] = field(default_factory=lambda: array("d"))
    """Wall clock of each start."""
    took_s: array[float] = field(default_factory=lambda: array("f"))
    """From the first packet to the end of the probe."""
    outcome: array[int] = field(default_factory=lambda: array("B"))
    """Index in OUTCOMES."""
    pod: array[int] = field(default_factory=lambda: array("H"))
    """Index in the pods of the record; NOBODY."""
    fresh: array[int] = field(default_factory=lambda: array("B"))
    """Whether the probe was the first on its connection."""
    gaps: list[Gap] = field(default_factory=list)

    @property
    def failed(self) -> int:
        """How many probes were not answered as they should."""
        return len(self.outcome) - self.outcome.count(OK)


class Pod(NamedTuple):
    """Who answered."""

    name: str
    node: str
    token: str


@dataclass
class Seen:
    """A history."""

    file: str
    sha256: str
    cut_short: bool = False
    """Whether a crash cut its last line off."""
    strips: dict[tuple[str, str], Strip] = field(default_factory=dict)
    """By vantage and target."""
    pods: list[Pod] = field(default_factory=list)
    phases: list[Mark] = field(default_factory=list)
    actions: list[Span] = field(default_factory=list)
    faults: list[Span] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    takes: list[Take] = field(default_factory=list)
    """Blocks of load, in the order in which they began."""

    def phase(self, name: str) -> float | None:
        """When a phase last began; None: never."""
        return next((mark.at for mark in reversed(self.phases) if mark.text == name), None)


class _Run:
    """A plan that is being read: rows stay as they came until the file ends, then become columns."""

    def __init__(self, begun: ProbeRun) -> None:
        self.vantage, self.started_at, self.clock_error_s = begun.vantage, begun.started_at, begun.clock_error_s
        self.targets: list[str] = []
        self.answers: dict[int, Any] = {}
        self.rows: dict[int, list[list[Any]]] = {}
        self.whole = False

    def take(self, lines: list[Any]) -> None:
        """Take lines as the prober sent them."""
        for line in lines:
            if type(line) is list:
                try:
                    self.rows[line[_TARGET]].append(line)
                except KeyError:
                    self.rows[line[_TARGET]] = [line]
            elif "answer" in line:
                self.answers[line["answer"]] = line["is"]
            elif "targets" in line:
                self.targets = line["targets"]
            else:
                self.whole = "probes" in line


def read(path: Path) -> Seen:
    """Read a history; a last line that a crash cut short is left out.

    Raises:
        UsageError: a line is not one of this version.
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    reader = _Reader(Seen(path.name, ""))
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            digest.update(text)
            if not text.endswith(b"\n"):
                reader.seen.cut_short = True
                break
            try:
                reader.take(text)
            except (ValidationError, ValueError, KeyError, IndexError, TypeError) as error:
                why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else f"{type(error).__name__}"
                raise UsageError(f"{path}:{number}: {why} (a line of version {HISTORY_VERSION} is allowed)") from None
    reader.seen.sha256 = digest.hexdigest()
    reader.finish()
    return reader.seen


class _Reader:
    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.runs: dict[int, _Run] = {}
        self.pods: dict[tuple[str, str, str], int] = {}
        self.open: dict[tuple[str, str], list[int]] = {}
        self.load: list[Line] = []

    def take(self, text: bytes) -> None:
        """One line of the file."""
        if _PROBES in text[:200]:
            # The bulk of a record: what it is made of is checked by the check that judged it.
            line = from_json(text)
            if line["history_version"] != HISTORY_VERSION:
                raise ValueError("history_version")
            self.runs[line["event"]["run"]].take(line["event"]["lines"])
            return
        parsed = Line.model_validate_json(text)
        event, at = parsed.event, parsed.at
        if isinstance(event, ProbeRun):
            self.runs[event.run] = _Run(event)
        elif isinstance(event, LoadBlock | LoadRows):
            self.load.append(parsed)
        elif isinstance(event, Phase):
            self.seen.phases.append(Mark(at, event.name))
        elif isinstance(event, Action | Fault):
            self._span(event, at)
        elif isinstance(event, Observation):
            self.seen.changes.append(Change(at, event.resource, event.name, describe(event), about(event)))

    def _span(self, event: Action | Fault, at: float) -> None:
        spans = self.seen.faults if isinstance(event, Fault) else self.seen.actions
        waiting = self.open.setdefault((event.kind, event.what), [])
        if event.moment == "start":
            waiting.append(len(spans))
            spans.append(Span(at, None, event.what))
        elif waiting:
            number = waiting.pop()
            spans[number] = spans[number]._replace(ended_at=at)

    def finish(self) -> None:
        """Turn rows into strips, each in the order of time, and reports of load into blocks."""
        self.seen.takes = list(takes_of(self.load))
        for run in sorted(self.runs.values(), key=lambda run: run.started_at):
            for number, rows in run.rows.items():
                rows.sort(key=lambda row: row[_STARTED])
                self._columns(run, run.targets[number], rows)

    def _columns(self, run: _Run, target: str, rows: list[list[Any]]) -> None:
        strip = self.seen.strips.setdefault((run.vantage, target), Strip(run.vantage, target))
        begin = run.started_at
        codes = {name: number for number, name in enumerate(OUTCOMES)}
        strip.at.extend([begin + row[_STARTED] for row in rows])
        sent = (row[_STARTED] if row[_SENT] is None else row[_SENT] for row in rows)
        strip.took_s.extend([row[_DONE] - first for row, first in zip(rows, sent, strict=True)])
        strip.outcome.extend([codes[row[_OUTCOME]] for row in rows])
        strip.fresh.extend([row[_REQUEST] <= 1 for row in rows])
        numbers: dict[int | None, int] = {answer: self._pod(said) for answer, said in run.answers.items()}
        numbers[None] = NOBODY
        strip.pod.extend([numbers[row[_ANSWER]] for row in rows])
        if any(row[_OUTCOME] != "ok" for row in rows):
            strip.gaps += _gaps(run, target, rows)

    def _pod(self, said: dict[str, Any]) -> int:
        """The number of the pod that gave an answer; DNS servers are not told apart."""
        if "pod" not in said:
            return NOBODY
        pod = Pod(said["pod"], said["node"], said["token"])
        if pod not in self.pods:
            self.pods[pod] = len(self.pods)
            self.seen.pods.append(pod)
        return self.pods[pod]


def _gaps(run: _Run, target: str, rows: Iterable[list[Any]]) -> list[Gap]:
    """The impairments of one flow, bounded as the checks do it."""
    probes = []
    for row in rows:
        values = dict(zip(COLUMNS, row, strict=True))
        probes.append(Probe(**{**values, "target": target, "answer": None}))
    flow = Flow(run.vantage, target, run.started_at, run.clock_error_s, tuple(probes), run.whole)
    return [
        Gap(
            found.at_least_s,
            found.at_most_s if math.isfinite(found.at_most_s) else None,
            found.began_at if math.isfinite(found.began_at) else None,
            found.ended_at if math.isfinite(found.ended_at) else None,
            run.started_at + found.failed[0].started_s,
            ", ".join(dict.fromkeys(probe.outcome for probe in found.failed)),
            len(found.failed),
            found.probes,
        )
        for found in impairments(flow)
    ]
