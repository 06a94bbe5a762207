"""badge.svg: the result of a run for a README."""

from __future__ import annotations

from xml.sax.saxutils import escape

from fixtures.verdicts import Verdict
from reports.results import Results

FILE = "badge.svg"
LABEL = "Services"
GREEN, RED, GREY = "#177a55", "#b3261e", "#59626e"


def document(results: Results) -> bytes:
    """The badge: conformant or not, and how many promises are kept."""
    verdict = results.profile_verdict.partition(" (")[0]
    kept = sum(results.verdict(promise) is Verdict.PASS for promise in results.promises)
    words = f"{verdict}, {kept} of {len(results.promises)} kept"
    colour = {"conformant": GREEN, "not conformant": RED}.get(verdict, GREY)
    left, right = _width(LABEL), _width(words)
    size = f'width="{left + right}" height="20"'
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{LABEL}: {escape(words)}">
<title>{LABEL}: {escape(words)}</title>
<clipPath id="round"><rect {size} rx="4"/></clipPath>
<g clip-path="url(#round)"><rect width="{left}" height="20" fill="#2b3138"/>
<rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>
<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
<text x="{left / 2:g}" y="14" textLength="{left - 14}">{LABEL}</text>
<text x="{left + right / 2:g}" y="14" textLength="{right - 14}">{escape(words)}</text></g>
</svg>
""".encode()


def _width(text: str) -> int:
    """Pixels that a text takes, with space on both sides; textLength makes it so where the font is another."""
    return round(6.4 * len(text)) + 14
