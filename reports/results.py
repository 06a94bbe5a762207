"""What a record says in the end: the verdict of every case, promise and chapter, and of the profile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fixtures.errors import UsageError
from fixtures.requirements import CHAPTERS, Level
from fixtures.verdicts import Verdict, of_promise
from reports.record import (
    NOTHING,
    CaseFinished,
    ClusterLogs,
    Collected,
    Event,
    Origin,
    Problem,
    Promise,
    RunFinished,
    RunStarted,
    read_with_origin,
)

State = Literal["finished", "interrupted", "broken off", "not set up"]
"""How a run ended. Broken off: its process was killed, and the record ends where it was."""


@dataclass(frozen=True)
class Results:
    """A record, added up. `cases` has exactly one entry for every collected case."""

    run: RunStarted
    promises: tuple[Promise, ...]
    not_selected: tuple[str, ...]
    left_out: tuple[str, ...]
    cases: dict[str, CaseFinished]
    unfinished: tuple[str, ...]
    problems: tuple[Problem, ...]
    logs: str | None
    interrupted: bool
    duration_s: float
    """From the first to the last event."""
    end: RunFinished | None
    """None: the run was killed."""
    origin: Origin
    folder: Path | None
    """Where the record is; None: in memory alone."""

    def verdict(self, promise: Promise) -> Verdict:
        """A promise takes the verdict of its worst case, among those that the cluster offers."""
        return of_promise(self.cases[case].verdict for case in promise.cases)

    def reason(self, promise: Promise) -> str:
        """Why a promise has its verdict: the first line of the case that decided it; empty when it is kept."""
        verdict = self.verdict(promise)
        return next(case.first_line for case in map(self.cases.get, promise.cases) if case and case.verdict is verdict)

    @property
    def state(self) -> State:
        """How the run ended."""
        if any(problem.what == "setup" for problem in self.problems):
            return "not set up"
        return "broken off" if self.end is None else "interrupted" if self.interrupted else "finished"

    def by_chapter(self) -> dict[str, Counter[Verdict]]:
        """How many promises have each verdict, for every chapter with any, in the order of the reports."""
        chapters: dict[str, Counter[Verdict]] = {chapter: Counter() for chapter in CHAPTERS}
        for promise in self.promises:
            chapters[promise.chapter][self.verdict(promise)] += 1
        return {chapter: counts for chapter, counts in chapters.items() if counts}

    def bad(self) -> list[CaseFinished]:
        """The cases that are fail or error, chapters in the order of the reports."""
        return [case for case in self.cases.values() if case.verdict in (Verdict.FAIL, Verdict.ERROR)]

    @property
    def sound(self) -> bool:
        """Whether nothing is fail or error and nothing went wrong outside the cases."""
        return not self.bad() and not self.problems

    @property
    def profile_verdict(self) -> str:
        """`conformant`, `not conformant` or `not judged`.

        Conformant: every case of the profile ran, every MUST promise is pass and nothing is fail or error.
        """
        kept = all(self.verdict(p) is Verdict.PASS for p in self.promises if p.level is Level.MUST)
        if not kept or not self.sound:
            return "not conformant"
        if self.left_out:
            return f"not judged ({len(self.left_out)} of its cases were not part of this run)"
        return "conformant"


def load(folder: Path) -> Results:
    """The record in a folder, added up; raises UsageError as `record.read` and `results` do."""
    return results(*read_with_origin(folder), folder)


def results(events: Sequence[Event], origin: Origin = NOTHING, folder: Path | None = None) -> Results:
    """Add up the events of a record.

    A case that was collected but never finished is an error: what was not seen is not a pass.

    Raises:
        UsageError: the record ends before it says what was collected.
    """
    collected = next((event for event in events if isinstance(event, Collected)), None)
    run = events[0]
    if collected is None or not isinstance(run, RunStarted):
        raise UsageError("the record ends before it says what was collected")
    finished = {event.case: event for event in events if isinstance(event, CaseFinished)}
    problems = tuple(event for event in events if isinstance(event, Problem))
    end = next((event for event in events if isinstance(event, RunFinished)), None)
    reason = next((f": {problem.message.splitlines()[0]}" for problem in problems if problem.what == "setup"), "")
    cases: dict[str, CaseFinished] = {}
    for promise in collected.promises:
        for case in promise.cases:
            cases[case] = finished.get(case) or _unfinished(promise, case, collected, reason)
    return Results(
        run=run,
        promises=collected.promises,
        not_selected=collected.not_selected,
        left_out=collected.left_out,
        cases=cases,
        unfinished=tuple(case for case in cases if case not in finished),
        problems=problems,
        logs=next((event.path for event in events if isinstance(event, ClusterLogs)), None),
        interrupted=end is None or end.interrupted,
        duration_s=(events[-1].at - run.at).total_seconds(),
        end=end,
        origin=origin,
        folder=folder,
    )


def _unfinished(promise: Promise, case: str, collected: Collected, reason: str) -> CaseFinished:
    return CaseFinished(
        at=collected.at,
        requirement=promise.id,
        case=case,
        params={},
        verdict=Verdict.ERROR,
        phase=None,
        first_line=f"did not finish{reason}",
        details=(),
        started=None,
        duration_s=0.0,
        worker="main",
    )
