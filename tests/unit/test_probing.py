"""Batches of probers that hardly ran."""

from __future__ import annotations

import pytest

from fixtures.errors import SuiteError
from fixtures.prober.probing import MAX_LATENESS_P99_MS, must_have_kept_schedule
from fixtures.probes import Outcome
from tests.unit.made_probes import batch, good, probe

LATE_S = MAX_LATENESS_P99_MS / 1000 + 0.5


@pytest.mark.parametrize(
    ("outcome", "late_s", "p99_ms"),
    [("timeout", 0.1, MAX_LATENESS_P99_MS + 1), ("ok", LATE_S, MAX_LATENESS_P99_MS + 1), ("timeout", LATE_S, 10.0)],
    ids=["a timeout in time", "late and answered", "hardly ever late"],
)
def test_what_a_prober_had_time_for_is_judged(outcome: Outcome, late_s: float, p99_ms: float) -> None:
    last = probe(outcome, "web-a" if outcome == "ok" else None, 5.0, started_s=5.0 + late_s)
    must_have_kept_schedule(batch([*good(), last], late_ms=p99_ms))


def test_a_late_timeout_of_a_starved_prober_is_nobodys_fault() -> None:
    starved = batch([*good(), probe("timeout", None, 5.0, started_s=5.0 + LATE_S)], late_ms=MAX_LATENESS_P99_MS + 1)
    with pytest.raises(SuiteError, match="pod on n1: 1 timeouts, but it could not keep its own schedule"):
        must_have_kept_schedule(starved)
