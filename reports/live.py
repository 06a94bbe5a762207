"""Between pytest's reports and ours while a run goes on: verdicts on reports, lines on the terminal."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.noted import Noted
from fixtures.verdicts import Outcome, Verdict, judge
from reports.outputs import HISTORY
from reports.progress import Disturbances, Progress, View, known_durations
from reports.run import NOTED_ATTRIBUTE, RunReport
from reports.summary import Line

# Travels from a worker to the controller inside the report, hence of plain types only.
_ATTRIBUTE = "conformance"


def put_verdict(report: pytest.TestReport, error: BaseException | None, noted: Noted) -> None:
    """Judge a phase of a conformance test and make pytest's report say the same.

    The last phase also carries what was noted of the whole test.

    fail and error count as failed, so that they make the run exit with 1; not observable and
    unsupported count as skipped. A fail shows its own words, an error its traceback.
    """
    outcome = judge(error, report.when)
    attributes = vars(report)
    details = outcome.details
    if outcome.verdict is Verdict.PASS:
        report.outcome = "passed"
    elif outcome.verdict is Verdict.FAIL:
        report.outcome = "failed"
        report.longrepr = "\n".join([outcome.first_line, *details])
    elif outcome.verdict is Verdict.ERROR:
        report.outcome = "failed"
        if isinstance(report.longrepr, tuple):
            report.longrepr = outcome.first_line
        details = tuple(report.longreprtext.splitlines())
    else:
        report.outcome = "skipped"
        path, line, _ = report.location
        report.longrepr = (path, line or 0, f"{outcome.verdict}: {outcome.first_line}")
    attributes[_ATTRIBUTE] = [str(outcome.verdict), outcome.first_line, list(details)]
    if report.when == "teardown":
        attributes[NOTED_ATTRIBUTE] = {
            "findings": [finding.model_dump(mode="json") for finding in noted.findings],
            "histories": list(noted.histories),
            "manifests": list(noted.manifests),
            "evidence": noted.evidence,
        }


def get_verdict(report: pytest.TestReport) -> Outcome | None:
    """The outcome that `put_verdict` gave a report, also across processes; None: not a conformance test's."""
    verdict: list[Any] | None = vars(report).get(_ATTRIBUTE)
    return Outcome(Verdict(verdict[0]), verdict[1], tuple(verdict[2])) if verdict else None


def status(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """For pytest_report_teststatus: the category that a report is counted in, and no dot or word of pytest's."""
    outcome = get_verdict(report)
    if outcome is None:
        return None
    if outcome.verdict is Verdict.PASS:
        return ("passed" if report.when == "call" else "", "", "")
    return ("failed" if outcome.verdict is Verdict.FAIL else str(outcome.verdict), "", "")


VIEW_KEY = pytest.StashKey[View]()
"""What is kept at the foot of the terminal, in the controller process of a run that has one."""


class Terminal:
    """Writes lines to pytest's terminal, or nowhere when it is switched off."""

    def __init__(self, config: pytest.Config) -> None:
        """Take the terminal that a run has."""
        self._config = config
        self._reporter: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")

    def show_cases_only(self) -> None:
        """Leave out pytest's line per file and its own list of failures: ours say it."""
        if self._reporter:
            self._reporter.showfspath = False
            self._reporter.reportchars = ""

    def line(self, text: str, colour: str = "") -> None:
        """Write one line."""
        if self._reporter and (view := self._config.stash.get(VIEW_KEY, None)):
            view.print(Line(text, colour))
        elif self._reporter:
            self._reporter.ensure_newline()
            self._reporter.write_line(text, **({colour: True} if colour else {}))
            # Into a pipe or a CI log, output would otherwise come in blocks, minutes late.
            self._reporter.flush()

    def lines(self, lines: list[Line]) -> None:
        """Write several lines."""
        for text, colour in lines:
            self.line(text, colour)

    def watch(self, report: RunReport) -> None:
        """Keep at the foot of a terminal what the run is doing, until `unwatch`; elsewhere do nothing."""
        if self._reporter and View.fits() and self._config.get_verbosity() >= 0:
            workers = len(self._config.getoption("tx", None) or ["main"])
            progress = Progress(report.titles, workers=workers, known_s=known_durations(report.folder))
            self._config.stash[VIEW_KEY] = view = View(progress, Disturbances(report.folder / HISTORY))
            view.start()

    def unwatch(self) -> None:
        """End what `watch` began."""
        if view := self._config.stash.get(VIEW_KEY, None):
            del self._config.stash[VIEW_KEY]
            view.stop()

    def summary(self, lines: list[Line]) -> None:
        """Write the summary of the run below a heading."""
        if self._reporter:
            self._reporter.write_sep("=", "promises")
        self.lines(lines)


class CaseLines:
    """A pytest plugin of the controller process: hands reports to the record, and its lines to the terminal."""

    def __init__(self, run: RunReport, terminal: Terminal, config: pytest.Config) -> None:
        """Between a run's report and a terminal."""
        self._run = run
        self._terminal = terminal
        self._config = config

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test starts, here or in a worker."""
        if (view := self._config.stash.get(VIEW_KEY, None)) and (case := self._run.case_id(nodeid)):
            view.progress.begin(case, view.now_s)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in a phase of a case, or the death of the worker that ran it."""
        outcome = get_verdict(report)
        if outcome is None and self._run.case_id(report.nodeid):
            outcome = Outcome(Verdict.ERROR, report.longreprtext)
        if outcome:
            lines = self._run.phase_finished(report, outcome)
            if lines and (view := self._config.stash.get(VIEW_KEY, None)) and (case := self._run.last):
                view.progress.end(case.case, case.verdict, case.duration_s)
            self._terminal.lines(lines)
