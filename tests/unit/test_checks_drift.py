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


def rows(target: str, share: float, late_ms: float, lost: dict[str, int]) -> list[LoadRow]:
    """Each second of a target: its rate goes evenly from 100 to a share of it, its times from 2 ms to later ones."""
    made = []
    for second in range(SECONDS):
        done = second / (SECONDS - 1)
        ok = round(100 * (1 + (share - 1) * done))
        failed = lost if second == SECONDS // 2 else {}
        took = {bucket(2.0 + late_ms * done): ok}
        made.append(LoadRow(second=second, target=target, ok=ok, failed=failed, took=took, pods={}))
    return made


def soak(
    share: float = 1.0,
    *,
    late_ms: float = 0.0,
    all_late_ms: float = 0.0,
    all_share: float = 1.0,
    failed: dict[str, int] | None = None,
    pods_failed: dict[str, int] | None = None,
    cpu: float = 0.4,
) -> Take:
    """A block of 41 s of a Service and its pod, in which the Service alone, or both, get slower and later."""
    made = take("soak", cpu=cpu, names=("service", "pod"), by_name=(0.5, 0.5))
    told = [
        *rows("service", share * all_share, late_ms + all_late_ms, failed or {}),
        *rows("pod", all_share, all_late_ms, pods_failed or {}),
    ]
    first, second = (
        report.model_copy(update={"rows": own, "effort": report.effort.model_copy(update={"second": float(SECONDS)})})
        for report, own in zip(made.reports, (tuple(told), ()), strict=True)
    )
    block = made.block.model_copy(update={"seconds": float(SECONDS)})
    return replace(made, block=block, reports=(first, second))


def judged(made: Take) -> Finding:
    """Beside what is allowed."""
    return does_not_drift(made, pods=("pod",), at_least=0.9, added=(10.0, 100.0))


@given(st.floats(0, 2))
@PROVEN
def test_a_rate_that_falls_by_more_than_a_tenth_fails(share: float) -> None:
    made = soak(share)
    first, last = quarters(made.only("service"), made.only("pod"))
    good = bool(first.per_s) and last.per_s >= 0.9 * first.per_s
    assert judged(made).verdict is (Verdict.PASS if good else Verdict.FAIL)


@pytest.mark.parametrize(
    ("made", "verdict", "words"),
    [
        (soak(), Verdict.PASS, "100 requests a second at first, 100 at last; +0.0 ms added to p50"),
        (soak(0.5), Verdict.FAIL, "93 requests a second at first, 56 at last"),
        (soak(late_ms=40.0), Verdict.FAIL, "ms added to p50"),
        (soak(all_late_ms=300.0, all_share=0.5), Verdict.PASS, "+0.0 ms added to p50"),
        (soak(failed={"timeout": 1}), Verdict.FAIL, "1 of 4101 lost: 1 timeout"),
        (soak(pods_failed={"timeout": 1}), Verdict.PASS, "0 of 4100 lost"),
        (soak(failed={"generator out of ports": 9}), Verdict.NOT_OBSERVABLE, "the generator was the limit"),
        (soak(0.5, cpu=0.95), Verdict.NOT_OBSERVABLE, "the generator was the limit: 1 of 2 workers had no"),
        (soak(cpu=0.95), Verdict.PASS, "100 at last"),
        (soak(0.5, cpu=0.95, failed={"timeout": 1}), Verdict.FAIL, "lost"),
        (take("soak"), Verdict.ERROR, "4 seconds without the warm-up, 8 are needed"),
    ],
    ids=[
        "even",
        "slower",
        "late",
        "all late",
        "a loss",
        "a pod's loss",
        "no ports",
        "busy",
        "busy and even",
        "busy and a loss",
        "short",
    ],
)
def test_what_a_soak_came_to(made: Take, verdict: Verdict, words: str) -> None:
    found = judged(made)
    assert (found.verdict, words in found.sentence) == (verdict, True), found.sentence
