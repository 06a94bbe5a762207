"""report.html, from a run's record and its histories: one file without any other."""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from fixtures.verdicts import Verdict
from reports.compare import Comparison, verdict_of
from reports.page import views
from reports.page.histories import Histories
from reports.page.words import shortened
from reports.results import Results

FILE = "report.html"
INDENTED = re.compile(r"\n\s+(?=<)")
"""Space before tags, which the templates have for who reads them. What a run said has no tags: it is escaped."""
TEMPLATES = Path(__file__).with_name("templates")

SIGNS = {
    Verdict.PASS: ("pass", "✓"),
    Verdict.FAIL: ("fail", "✕"),
    Verdict.ERROR: ("error", "!"),
    Verdict.NOT_OBSERVABLE: ("unseen", "?"),
    Verdict.UNSUPPORTED: ("absent", "–"),  # noqa: RUF001
    Verdict.NOT_SELECTED: ("absent", "·"),
}
"""Class and sign of each verdict: told apart without colours, too."""


def environment() -> Environment:
    """The templates: everything is escaped, what is missing is an error."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["pct"] = lambda number: f"{number:.2f}".rstrip("0").rstrip(".") + "%"
    made.filters["minutes"] = views.minutes
    made.filters["short"] = shortened
    made.filters["kind"] = lambda verdict: SIGNS[verdict][0]
    made.filters["sign"] = lambda verdict: SIGNS[verdict][1]
    # Files of ours, not input: their text must not be escaped.
    made.globals["style"] = Markup((TEMPLATES / "page.css").read_text("utf-8"))
    made.globals["script"] = Markup((TEMPLATES / "page.js").read_text("utf-8"))
    return made


def comparison(found: Comparison) -> bytes:
    """The text of an HTML page about two runs."""
    text = environment().get_template("compare.html").render(found=found, verdict=verdict_of(found))
    return text.encode("utf-8", "replace")


def document(results: Results, *, strict: bool = True) -> bytes:
    """The text of report.html.

    Raises:
        UsageError: with `strict`, a history is of another version, or was changed after the run.
    """
    folder = results.folder / "history" if results.folder else None
    histories = Histories(folder, results.end.histories if results.end else {}, strict=strict)
    chapters = views.chapters(results, histories)
    bad = [promise for chapter in chapters for promise in chapter.promises if promise.is_bad]
    text = (
        environment()
        .get_template("report.html")
        .render(
            results=results,
            run=results.run,
            answer=views.answer(results),
            facts=views.facts(results),
            chapters=chapters,
            bad=sorted(bad, key=lambda promise: list(Verdict).index(promise.verdict)),
            verdicts=[verdict for verdict in Verdict if any(chapter.counts[verdict] for chapter in chapters)],
            total=sum(len(chapter.promises) for chapter in chapters),
        )
    )
    return INDENTED.sub("\n", text).encode("utf-8", "replace")
