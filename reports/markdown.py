"""The summary of a run as Markdown, for the job summary of GitHub Actions and whatever shows such text."""

from __future__ import annotations

import re
from pathlib import Path

from fixtures.verdicts import Verdict
from reports.page.views import answer, facts
from reports.page.words import CHAPTERS
from reports.results import Results
from reports.summary import COLUMNS, reproduce_command, title

SHOWN = 20
"""Broken promises that are told one by one: the summary of a job has a limit of 1 MiB."""
SIGNS = {"yes": "✅", "no": "❌", "unknown": "⚠️"}


def document(results: Results) -> str:
    """The text: the answer, a table by chapter, what is wrong with how to see it again."""
    said = answer(results)
    lines = [f"## {SIGNS[said.kind]} {said.word} {said.sentence}", ""]
    lines += [f"- **{name}**: {_text(value)}" for name, value in facts(results)]
    lines += [f"- **{problem.what}**: {_text(problem.message)}" for problem in results.problems]
    lines += ["", "| chapter | " + " | ".join(COLUMNS) + " |", "|---|" + "---:|" * len(COLUMNS)]
    for chapter, counts in results.by_chapter().items():
        cells = " | ".join(str(counts[column]) for column in COLUMNS)
        lines.append(f"| {CHAPTERS[chapter][0]} | {cells} |")
    bad = [p for p in results.promises if results.verdict(p) in (Verdict.FAIL, Verdict.ERROR)]
    for promise in bad[:SHOWN]:
        cases = [results.cases[case] for case in promise.cases]
        lines += ["", f"### {results.verdict(promise)}: {_text(promise.promise)}", ""]
        wrong = [case for case in cases if case.verdict in (Verdict.FAIL, Verdict.ERROR)]
        lines += [f"- `{title(case)}`: {_text(case.first_line)}" for case in wrong[:SHOWN]]
        lines += ["", f"Source: {_text(promise.source)}", "", "```sh", reproduce_command(results, promise.id), "```"]
    if len(bad) > SHOWN:
        lines += ["", f"and {len(bad) - SHOWN} more, see report.html"]
    return "\n".join(lines) + "\n"


def append(results: Results, file: Path) -> tuple[str, ...]:
    """Append the summary to a file, as GitHub wants it; returns what went wrong, one line or none."""
    try:
        with file.open("a", encoding="utf-8", errors="replace") as out:
            out.write(document(results))
    except OSError as error:
        return (f"--job-summary: {file} cannot be written: {error.strerror}",)
    return ()


def _text(text: str) -> str:
    """Text of others that Markdown must not take for its own, in one line."""
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", " ".join(text.split()))
