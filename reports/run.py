"""The report of the run that is going on: the controller process tells it what happens, it writes the record."""

from __future__ import annotations

import contextlib
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import JsonValue

from fixtures.budgets import BudgetUsed
from fixtures.cases import Case, by_promise
from fixtures.errors import SuiteError, UsageError
from fixtures.verdicts import Outcome, Verdict, worst
from reports import summary
from reports.outputs import Rendered, digests, render
from reports.record import (
    FILE,
    CaseFinished,
    ClusterLogs,
    Collected,
    Event,
    Problem,
    Promise,
    RecordWriter,
    RunFinished,
    RunStarted,
)
from reports.results import load, results

DISTRIBUTION = "k8s-service-conformance"
NOTED_ATTRIBUTE = "conformance_noted"
"""Of the report of a case's last phase: fields of CaseFinished as plain data."""


@dataclass(frozen=True)
class Plan:
    """What a run is about, known before anything is made."""

    run_id: str
    start: Path
    """The folder in which pytest was started."""
    report_dir: Path | None
    """The report folder as the user wrote it; None: runs/RUN-ID."""
    argv: tuple[str, ...]
    profile: str
    cases: tuple[Case, ...]
    """What is to be run."""
    found: frozenset[str]
    """The ids of all promises that were collected, selected or not."""
    whole_profile: frozenset[str]
    """The ids of all cases of the profile; empty: not known."""
    budgets: Mapping[str, BudgetUsed]
    """What the checks allow, by name."""
    seed: int | None = None
    """What the tests draw by chance they draw from this."""
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def shown_folder(self) -> str:
        """The report folder in the words of the user."""
        return str(self.report_dir or Path("runs") / self.run_id)

    @property
    def folder(self) -> Path:
        """The report folder, absolute."""
        return self.start / self.shown_folder

    @property
    def not_selected(self) -> tuple[str, ...]:
        """Promises that were collected and are not run."""
        return tuple(sorted(self.found - {case.requirement.id for case in self.cases}))

    @property
    def left_out(self) -> tuple[str, ...]:
        """Cases of the profile that are not run."""
        return tuple(sorted(self.whole_profile - {case.id for case in self.cases}))


class RunReport:
    """Writes the record of one run; when it is finished, the outputs from the record."""

    def __init__(
        self,
        plan: Plan,
        cluster: Mapping[str, JsonValue] | None,
        detected: Mapping[str, JsonValue] | None = None,
        *,
        say: Callable[[str], None] = print,
    ) -> None:
        """Begin the record.

        Args:
            plan: what is to be run.
            cluster: ClusterInfo as JSON; None when there is no cluster because its set-up failed.
            detected: what was seen of the cluster beyond that.
            say: shows a line to the user.
        """
        self._plan = plan
        self._say = say
        self._events: list[Event] = []
        try:
            self._writer = RecordWriter(plan.folder)
        except OSError as error:
            raise SuiteError(f"--report-dir: {plan.shown_folder} cannot be written: {error.strerror}") from error
        self._cases = {case.id: case for case in plan.cases}
        self._promises = {requirement.id: _promise(requirement.id, own) for requirement, own in by_promise(plan.cases)}
        self._phases: dict[str, list[tuple[pytest.TestReport, Outcome]]] = {}
        self._finished: dict[str, Verdict] = {}
        self.last: CaseFinished | None = None
        """The case that finished last."""
        self._width = max(len(summary.title_of(case.requirement.id, case.id)) for case in plan.cases)
        self._write(
            RunStarted(
                at=plan.started,
                run_id=plan.run_id,
                suite_version=_suite_version(),
                suite_commit=_suite_commit(),
                argv=plan.argv,
                seed=plan.seed,
                report_dir=plan.shown_folder,
                profile=plan.profile,
                budgets=plan.budgets,
                cluster=cluster,
                detected=detected or {},
            )
        )
        promises = tuple(self._promises.values())
        self._write(Collected(promises=promises, not_selected=plan.not_selected, left_out=plan.left_out))

    def phase_finished(self, report: pytest.TestReport, outcome: Outcome) -> list[summary.Line]:
        """Take in the report of one phase of a case; returns what to print, nothing until the case is finished.

        A report of no phase (a worker process died) finishes the case as well.
        """
        case_id = self.case_id(report.nodeid)
        if case_id is None:
            self.problem("bookkeeping", f"{report.nodeid} was reported but never collected")
            return []
        self._phases.setdefault(case_id, []).append((report, outcome))
        if report.when in ("setup", "call"):
            return []
        case = _case_finished(self._cases[case_id], self._phases.pop(case_id))
        self._finished[case.case], self.last = case.verdict, case
        self._write(case)
        elapsed_s = (case.at - self._plan.started).total_seconds()
        return summary.case_lines(case, self._promises[case.requirement], elapsed_s, self._width)

    @property
    def folder(self) -> Path:
        """The report folder, absolute."""
        return self._plan.folder

    @property
    def titles(self) -> dict[str, str]:
        """Every case in a reader's words, by id."""
        return {case.id: summary.title_of(case.requirement.id, case.id) for case in self._plan.cases}

    def case_id(self, node_id: str) -> str | None:
        """The case that a pytest node id is of; None: it is none of this run's."""
        # With --dist=loadgroup a worker appends @GROUP to the node id.
        ungrouped = node_id.rpartition("@")[0]
        return next((case for case in (node_id, ungrouped) if case in self._cases), None)

    @property
    def bad(self) -> bool:
        """Whether a case so far is fail or error, or a case is still unfinished."""
        verdicts = set(self._finished.values())
        return bool({Verdict.FAIL, Verdict.ERROR} & verdicts) or len(self._finished) < len(self._cases)

    def problem(self, what: Literal["setup", "cleanup", "bookkeeping"], message: str) -> None:
        """Record that something outside the cases went wrong: the run is then not sound."""
        self._write(Problem(what=what, message=message))

    def logs_kept(self, path: str) -> None:
        """Record where logs of the cluster are."""
        self._write(ClusterLogs(path=path))

    def finish(self, *, interrupted: bool) -> Rendered:
        """End the record and write what is made from it; returns the run, added up."""
        unfinished = tuple(case for case in self._cases if case not in self._finished)
        counts = Counter([*self._finished.values(), *(Verdict.ERROR for _ in unfinished)])
        histories: dict[str, str] = {}
        with contextlib.suppress(OSError):
            # A history that cannot be read is told by the page.
            histories = digests(self._plan.folder)
        self._write(
            RunFinished(
                cases=counts,
                unfinished=unfinished,
                interrupted=interrupted,
                sha256=self._writer.sha256,
                histories=histories,
            )
        )
        self._writer.close()
        try:
            rendered = render(self._plan.folder, strict=False)
        except UsageError as error:
            rendered = Rendered(results(self._events), (f"the reports could not be made: {error}",))
        if self._writer.unwritten:
            # What was seen is more than what the record holds, and so than what was made from it.
            lost = f"{self._plan.folder / FILE}: its last {self._writer.unwritten} bytes are not written: {self._why}"
            return Rendered(results(self._events), (lost, *rendered.lost))
        return rendered

    @property
    def _why(self) -> str:
        return str(self._writer.problem and (self._writer.problem.strerror or self._writer.problem))

    def _write(self, event: Event) -> None:
        well = self._writer.problem is None
        self._events.append(event)
        self._writer.write(event)
        if well and self._writer.problem:
            self._say(f"error: {self._plan.shown_folder}/{FILE}: {self._why}; the run goes on")


def failed_in(start: Path, folder: Path) -> frozenset[str]:
    """The ids of the cases that are fail or error in an earlier run, for --rerun-failed.

    Args:
        start: the folder in which pytest was started.
        folder: the run's report folder, as the user wrote it.

    Raises:
        UsageError: there is no record, or nothing failed.
    """
    try:
        failed = frozenset(case.case for case in load(start / folder).bad())
    except UsageError as error:
        raise UsageError(f"--rerun-failed: {error}") from error
    if not failed:
        raise UsageError(f"--rerun-failed: nothing failed in the run of {folder}")
    return failed


def _promise(requirement_id: str, cases: Sequence[Case]) -> Promise:
    requirement = cases[0].requirement
    return Promise(
        id=requirement_id,
        promise=requirement.promise,
        source=requirement.source,
        level=requirement.level,
        cases=tuple(case.id for case in cases),
    )


def _case_finished(case: Case, phases: Sequence[tuple[pytest.TestReport, Outcome]]) -> CaseFinished:
    verdict = worst(outcome.verdict for _, outcome in phases)
    deciding = [phase for phase in phases if phase[1].verdict is verdict]
    report, outcome = min(deciding, key=lambda phase: phase[0].when != "call")
    started = phases[0][0].start
    attributes: dict[str, Any] = vars(report)
    return CaseFinished(
        requirement=case.requirement.id,
        case=case.id,
        params=case.params,
        verdict=verdict,
        phase=report.when if report.when in ("setup", "call", "teardown") else None,
        first_line=_clean(outcome.first_line),
        details=tuple(_clean(line) for line in outcome.details),
        started=datetime.fromtimestamp(started, UTC) if started else None,
        duration_s=round(sum(report.duration for report, _ in phases), 6),
        worker=attributes.get("worker_id", "main"),
        **vars(phases[-1][0]).get(NOTED_ATTRIBUTE, {}),
    )


def _clean(text: str) -> str:
    """Without lone surrogates, which UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode()


def _suite_version() -> str:
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "unknown"


def _suite_commit() -> str | None:
    """The commit that this source is of, when it lies in a git work tree of its own."""
    here = Path(__file__).resolve().parent
    asked = (["rev-parse", "--show-prefix", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
    try:
        said = [
            subprocess.run(["git", "-C", here, *words], capture_output=True, text=True, check=True) for words in asked
        ]
    except (OSError, subprocess.CalledProcessError):
        return None
    prefix, commit = said[0].stdout.split()
    return None if prefix != "reports/" else commit + ("-changed" if said[1].stdout else "")
