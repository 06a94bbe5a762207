"""The words of a run: the line of a case as it finishes, and the summary at the end; plain text."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from fixtures.verdicts import Verdict
from reports.record import CaseFinished, Promise
from reports.results import Results

FILE = "summary.txt"
FILES = f"conformance.yaml, junit.xml, {FILE}, badge.svg, run.jsonl"
"""The other files of a report folder, as they are told."""
COLUMNS = (Verdict.PASS, Verdict.FAIL, Verdict.ERROR, Verdict.NOT_OBSERVABLE, Verdict.UNSUPPORTED)

COLOURS = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.ERROR: "red"}
"""The colour of a verdict's line on a terminal; the others are yellow."""


WIDTH = 110
"""Of lines that are wrapped."""
CHOOSING = ("--requirement", "--chapter", "-k", "-m")
"""Flags that choose tests."""
LISTED = 10
"""How many unfinished cases are named."""


class Line(NamedTuple):
    """A line of text and the colour that a terminal may give it; no colour: empty."""

    text: str
    colour: str = ""


def colour(verdict: Verdict) -> str:
    """The colour of a verdict."""
    return COLOURS.get(verdict, "yellow")


def case_lines(case: CaseFinished, promise: Promise, elapsed_s: float, width: int) -> list[Line]:
    """What the terminal says of a case that finished: one line, and below it why it is not a pass.

    Args:
        case: the case.
        promise: the promise that it checks.
        elapsed_s: since the run started, in seconds.
        width: of the column with promise and parameters, in characters.
    """
    name = f"{title(case):{width}}"
    lines = [Line(f"{elapsed_s:7.1f} s  {case.verdict:14}  {name}  {case.duration_s:.2f} s", colour(case.verdict))]
    if case.verdict is Verdict.PASS:
        return lines
    if case.verdict is Verdict.FAIL:
        lines.append(Line(f"{'':11}promise: {promise.promise}"))
    return [*lines, Line(f"{'':11}{case.first_line}")]


def count(number: int, noun: str) -> str:
    """A number of things in words."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def title(case: CaseFinished) -> str:
    """A case in a reader's words: requirement id and parameters."""
    return title_of(case.requirement, case.case)


def title_of(requirement: str, case: str) -> str:
    """As `title`, from a requirement id and a case id."""
    _, bracket, params = case.partition("[")
    return f"{requirement} {bracket}{params}".rstrip()


def summary(results: Results) -> list[Line]:
    """The summary of a run: a table by chapter, totals and the profile's verdict, what is not right and what to do."""
    lines = [*_table(results), Line(""), *_totals(results)]
    for problem in results.problems:
        lines.append(Line(f"{problem.what}: {problem.message}", "red"))
    lines += [*_bad(results), *_unfinished(results)]
    lines += [Line(""), Line(f"report: {results.run.report_dir}/report.html (beside it: {FILES})")]
    if results.logs:
        lines.append(Line(f"cluster logs: {results.run.report_dir}/{results.logs}"))
    if results.bad():
        lines.append(Line(f"run these again: {rerun_command(results)}"))
    return lines


def document(results: Results) -> bytes:
    """The text of summary.txt."""
    return "".join(f"{line.text}\n" for line in summary(results)).encode("utf-8", "replace")


def rerun_command(results: Results) -> str:
    """A command to paste that runs again what failed: the run's own, without what chose its cases and folder."""
    kept = _without(results.run.argv, ("--report-dir", "--rerun-failed", "--shard"))
    # Joined by "=": pytest takes a separate value that is an existing folder for a path with tests, too.
    return shlex.join(["pytest", *kept, f"--rerun-failed={results.run.report_dir}"])


def reproduce_command(results: Results, requirement: str) -> str:
    """A command to paste that tests one promise again, on the same kind of cluster and from the same seed."""
    kept = _without(
        results.run.argv, (*CHOOSING, "--report-dir", "--rerun-failed", "--shard", "--profile", "--seed", "-n")
    )
    kept = [word for word in kept if word.partition("/")[0] != "conformance" and not re.fullmatch(r"-n\d+", word)]
    # A profile of the suite only chooses promises; a user's own has budgets.
    own = [f"--profile={results.run.profile}"] if results.run.profile.endswith((".yaml", ".yml")) else []
    seed = [] if results.run.seed is None else [f"--seed={results.run.seed}"]
    return shlex.join(["pytest", "conformance", *kept, *own, f"--requirement={requirement}", *seed])


def _without(argv: Sequence[str], flags: Sequence[str]) -> list[str]:
    """Arguments without these flags and their values."""
    kept: list[str] = []
    arguments = iter(argv)
    for argument in arguments:
        flag, equals, _ = argument.partition("=")
        if flag not in flags:
            kept.append(argument)
        elif not equals:
            next(arguments, None)
    return kept


def _table(results: Results) -> list[Line]:
    chapters = results.by_chapter()
    total = sum(chapters.values(), Counter[Verdict]())
    width = max(len(name) for name in (*chapters, "promises"))
    lines = [Line("  ".join([f"{'promises':{width}}", *(str(column) for column in COLUMNS)]))]
    for name, counts in (*chapters.items(), ("total", total)):
        cells = (f"{counts[column]:{len(column)}}" for column in COLUMNS)
        shown = colour(worst_of(counts))
        lines.append(Line("  ".join([f"{name:{width}}", *cells]), shown))
    return lines


def worst_of(counts: Counter[Verdict]) -> Verdict:
    """The worst verdict that is counted at all."""
    return next((verdict for verdict in Verdict if counts[verdict]), Verdict.NOT_SELECTED)


def _bad(results: Results) -> list[Line]:
    """Every case that finished as fail or error, with the promise and why."""
    bad = [case for case in results.bad() if case.case not in results.unfinished]
    if not bad:
        return []
    lines = [Line(""), Line(f"{count(len(bad), 'case')} failed or went wrong:")]
    promises = {promise.id: promise for promise in results.promises}
    for case in bad:
        lines.append(Line(f"  {case.verdict:5}  {title(case)}", "red"))
        lines.append(Line(f"         promise: {promises[case.requirement].promise}"))
        lines.append(Line(f"         {case.first_line}"))
    return lines


def _unfinished(results: Results) -> list[Line]:
    """The cases that never finished, by name; many of them only by number."""
    if not results.unfinished:
        return []
    cases = [results.cases[case] for case in results.unfinished]
    lines = [Line(""), Line(f"{cases[0].first_line} ({count(len(cases), 'case')}, which count as error):")]
    lines += [Line(f"  {title(case)}", "red") for case in cases[:LISTED]]
    if len(cases) > LISTED:
        lines.append(Line(f"  and {len(cases) - LISTED} more, see run.jsonl"))
    return lines


def _budgets(results: Results) -> list[Line]:
    """What the checks allowed, and of what the profile has changed: to what and why."""
    used = results.run.budgets
    if not used:
        return []
    text = "budgets: " + ", ".join(f"{name} {budget.value:g}" for name, budget in used.items())
    lines = [Line(line) for line in textwrap.wrap(text, WIDTH, subsequent_indent=" " * 9)]
    own = {name: budget for name, budget in used.items() if budget.profile}
    return lines + [Line(f"  {n} {b.value:g} is from the profile {b.profile}: {b.reason}") for n, b in own.items()]


def _totals(results: Results) -> list[Line]:
    cluster = results.run.cluster
    where = f"{cluster['kind']} cluster {cluster['name']}, {cluster['kubernetes_version']}" if cluster else "no cluster"
    text = f"{count(len(results.promises), 'promise')}, {count(len(results.cases), 'case')}"
    if results.not_selected:
        text += f" ({count(len(results.not_selected), 'promise')} not selected)"
    lines = [Line(f"{text} in {results.duration_s:.1f} s on {where}")]
    lines += _budgets(results)
    if results.interrupted:
        lines.append(Line("the run was interrupted", "red"))
    verdict = results.profile_verdict
    shade = {"conformant": "green", "not conformant": "red"}.get(verdict, "yellow")
    return [*lines, Line(f"profile {results.run.profile}: {verdict}", shade)]
