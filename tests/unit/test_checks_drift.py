"""What is said of a long load: whether its end is like its beginning."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.checks.drift import does_not_drift, quarters
from fixtures.history import Finding
from fixtures.loads import LoadRow, Take
from fixtures.verdicts import Verdict
from tests.unit.made_probes import PROVEN
from tests.unit.test_checks_throughput import bucket, take

SECONDS = 41
ALLOWED = {"at_least": 0.9, "added_p50_ms": 10.0, "added_p99_ms": 100.0}


def soak(ends_at: float = 1.0, *, ends_ms: float = 2.0, failed: dict[str, int] | None = None, **how: float) -> Take:
    """A block of 41 s whose rate goes evenly from 100 a second to a share of it, its times of answers from 2 ms."""
    made = take("soak", **how)  # type: ignore[arg-type]
    rows = []
    for second in range(SECONDS):
        done = second / (SECONDS - 1)
        ok = round(100 * (1 + (ends_at - 1) * done))
        lost = failed if failed and second == SECONDS // 2 else {}
        ms = 2.0 + (ends_ms - 2.0) * done
        rows.append(LoadRow(second=second, target="t", ok=ok, failed=lost, took={bucket(ms): ok}, pods={}))
    efforts = [report.effort.model_copy(update={"second": float(SECONDS)}) for report in made.reports]
    first, *others = made.reports
    reports = [first.model_copy(update={"rows": tuple(rows)}), *(r.model_copy(update={"rows": ()}) for r in others)]
    told = [r.model_copy(update={"effort": effort}) for r, effort in zip(reports, efforts, strict=True)]
    block = made.block.model_copy(update={"seconds": float(SECONDS)})
    return replace(made, block=block, reports=tuple(told))


def judged(made: Take) -> Finding:
    """Beside what is allowed."""
    return does_not_drift(made, **ALLOWED)


@given(st.floats(0, 2))
@PROVEN
def test_a_rate_that_falls_by_more_than_a_tenth_fails(ends_at: float) -> None:
    first, last = quarters(soak(ends_at))
    good = bool(first.per_s) and last.per_s >= 0.9 * first.per_s
    assert judged(soak(ends_at)).verdict is (Verdict.PASS if good else Verdict.FAIL)


@pytest.mark.parametrize(
    ("made", "verdict", "words"),
    [
        (soak(), Verdict.PASS, "100 requests a second at first, 100 at last; +0.0 ms at p50"),
        (soak(0.5), Verdict.FAIL, "93 requests a second at first, 56 at last"),
        (soak(ends_ms=40.0), Verdict.FAIL, "ms at p50"),
        (soak(failed={"timeout": 1}), Verdict.FAIL, "1 of 4101 lost: 1 timeout"),
        (soak(failed={"generator out of ports": 9}), Verdict.NOT_OBSERVABLE, "the generator was the limit"),
        (soak(0.5, cpu=0.95), Verdict.NOT_OBSERVABLE, "the generator was the limit: 1 of 2 workers had no"),
        (soak(cpu=0.95), Verdict.PASS, "100 at last"),
        (soak(0.5, cpu=0.95, failed={"timeout": 1}), Verdict.FAIL, "lost"),
        (take("soak"), Verdict.ERROR, "4 seconds without the warm-up, 8 are needed"),
    ],
    ids=["even", "slower", "late", "a loss", "no ports", "busy", "busy and even", "busy and a loss", "short"],
)
def test_what_a_soak_came_to(made: Take, verdict: Verdict, words: str) -> None:
    found = judged(made)
    assert (found.verdict, words in found.sentence) == (verdict, True), found.sentence
