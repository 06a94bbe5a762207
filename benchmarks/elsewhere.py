"""Figures that are asked for, and take longer than a collection may, or another machine: which command gives each."""

from __future__ import annotations

from benchmarks.figures import Bound, Figure, Wanted, at_most


def _by(command: str, name: str, asked: str, unit: str, bound: Bound) -> Figure:
    return Wanted(name, asked, unit, bound).unmeasured(f"by itself: {command}")


ELSEWHERE = (
    _by("python -m benchmarks.boot --cold", "cold build of everything", "design 10", "min", at_most(15)),
    _by("time tox -e local -- -n 3", "full local run with -n 3", "design 10, issue 10", "min", at_most(10)),
    _by("time tox -e local -- --profile core -n 3", "core local run with -n 3", "issue 10", "min", at_most(5)),
    _by("tox -e faults", "seeded faults missed", "design 10, issue 9", "faults", at_most(0)),
    _by(
        "python -m benchmarks.soak --runs 100",
        "failures in 100 healthy runs of core",
        "design 10, issue 9",
        "runs",
        at_most(0),
    ),
    _by(
        "pytest tests/seeded_faults/test_known_truths.py",
        "outage bounds, width",
        "design 10, issue 4",
        "probe intervals",
        at_most(2),
    ),
    _by("time tox -e throughput", "throughput stage", "issue 7", "min", at_most(3)),
    _by("time tox -e kind -- --profile core", "core profile on kind", "issue 6", "min", at_most(8)),
    _by(
        "python -m benchmarks.upstream",
        "time to upstream's tests of the same promises",
        "design 10, issue 10",
        "",
        at_most(0.33),
    ),
)
"""Told in the table of all figures, so that none is forgotten."""
