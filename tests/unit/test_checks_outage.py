"""Outages: the truth lies between the bounds, and no outage is made of nothing."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.checks.flows import Flow, flows
from fixtures.checks.impairment import answers_that_end_it, clusters, impairments, witness
from fixtures.checks.outage import outage
from fixtures.probes import Outcome, Probe
from fixtures.verdicts import Verdict
from tests.unit.made_probes import PROVEN, Path, batch, probe, spaced

AROUND_S = 5.0
"""What is probed before and after an outage."""


def flow_of(path: Path, length_s: float, every_s: float, late_s: list[float], *, reused: int = 0) -> Flow:
    """The flow over an outage that begins at 0; `late_s` are used in turn. Every `reused`-th request is on a kept
    connection."""
    first, last = math.floor(-AROUND_S / every_s), math.ceil((length_s + AROUND_S) / every_s)
    edge = 40
    numbers = [n for n in range(first, last) if -edge * every_s < n * every_s < length_s + edge * every_s]
    starts = sorted(n * every_s + late_s[n % len(late_s)] * every_s for n in numbers)
    return Flow(
        "v",
        "t",
        0.0,
        0.0,
        tuple(path.probed(i, at_s, reused=reused > 0 and i % reused == 0) for i, at_s in enumerate(starts)),
    )


LENGTHS = st.floats(0.001, 4.0)
EVERY = st.floats(0.02, 0.5)
LATE = st.lists(st.floats(0, 1), min_size=1, max_size=7)
"""Late by up to an interval, and by that the phase of the grid as well."""
SHARE = st.floats(0, 1)


@PROVEN
@given(LENGTHS, EVERY, LATE, SHARE, st.booleans())
def test_the_length_of_an_outage_lies_within_its_bounds(
    length_s: float, every_s: float, late_s: list[float], service: float, refuses: bool
) -> None:
    path = Path(lambda t, _: 0 <= t < length_s, (service * 2 * every_s,), refuses)
    found = impairments(flow_of(path, length_s, every_s, late_s))
    for one in found:
        assert one.at_least_s <= length_s + 1e-9
        assert one.at_most_s >= length_s - 1e-9
        assert one.began_at <= 1e-9
        assert one.ended_at >= length_s - 1e-9
    assert found or length_s <= 3 * every_s


@PROVEN
@given(LENGTHS, EVERY, LATE)
def test_the_bounds_are_two_intervals_apart(length_s: float, every_s: float, late_s: list[float]) -> None:
    flow = flow_of(Path(lambda t, _: 0 <= t < length_s, (0.0,)), length_s, every_s, late_s)
    lateness_s = every_s * (max(late_s) - min(late_s))
    for one in impairments(flow):
        assert one.total
        assert one.at_most_s - one.at_least_s <= 2 * (every_s + lateness_s) + 0.001


@PROVEN
@given(LENGTHS, EVERY, LATE, SHARE, st.integers(1, 5))
def test_what_kept_connections_lost_was_lost_within_the_outage(
    length_s: float, every_s: float, late_s: list[float], service: float, reused: int
) -> None:
    path = Path(lambda t, _: 0 <= t < length_s, (0.0, service * 4 * every_s, 0.0))
    for one in impairments(flow_of(path, length_s, every_s, late_s, reused=reused)):
        assert one.at_least_s <= length_s + 1e-9
        assert one.at_most_s >= length_s - 1e-9
        assert one.began_at <= 1e-9


@PROVEN
@given(LENGTHS, EVERY, LATE, st.floats(0.05, 1), st.integers(0, 10**6))
def test_a_partial_loss_is_never_said_to_be_longer_than_it_was(
    length_s: float, every_s: float, late_s: list[float], loss: float, seed: int
) -> None:
    dice = random.Random(seed)
    dead = [dice.random() < loss for _ in range(1000)]
    path = Path(lambda t, number: 0 <= t < length_s and dead[number], (0.0,))
    flow = flow_of(path, length_s, every_s, late_s)
    found = impairments(flow)
    assert sum(one.at_least_s for one in found) <= length_s + 1e-9
    assert sum(len(one.failed) for one in found) == sum(not p.ok for p in flow.probes)
    assert not found or found[0].began_at <= found[0].failed[0].started_s
    assert all(one.total or one.at_most_s > one.at_least_s for one in found)


@pytest.mark.parametrize("loss", [1 / 3, 1 / 2, 2 / 3])
def test_a_dead_backend_is_one_impairment(loss: float) -> None:
    dice = random.Random(5)
    many = 0
    for _ in range(200):
        lost = [dice.random() < loss for _ in range(200)]
        pattern = "." * 60 + "".join("x" if one else "." for one in lost) + "." * 60
        found = impairments(flows([batch(spaced(pattern))])[0])
        many += len(found) > 1
        at_least_s = max(one.at_least_s for one in found)
        assert at_least_s <= 20.0 <= sum(one.at_most_s for one in found)
    assert many <= 6, "a third lost: 13 answers after the first loss are luck in 5 of 1,000 cases"


def test_answers_that_end_an_impairment() -> None:
    assert answers_that_end_it(1, 1) == 13
    assert answers_that_end_it(100, 100) == 3
    for failed, probes in ((1, 1), (3, 9), (1, 40)):
        loss, needed = (failed + 1) / (probes + 2), answers_that_end_it(failed, probes)
        assert (1 - loss) ** needed <= 1e-6 < (1 - loss) ** (needed - 1)
    flow = flows([batch(spaced("..x" + "." * 12 + "x" + "." * 13 + "x" + "." * 300 + "x."))])[0]
    assert list(clusters(flow)) == [(2, 29), (330, 330)]


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (probe(at_s=1.0, done_s=1.5), (1.0, 1.5)),
        (probe("timeout", at_s=1.0, sent_s=1.1, done_s=1.95), (1.0, 1.1)),
        (probe("refused", at_s=1.0, sent_s=1.1, done_s=1.2), (1.0, 1.2)),
        (probe("timeout", at_s=1.0, sent_s=None, done_s=1.95), (1.0, 1.95)),
        (probe("timeout", at_s=1.0, sent_s=1.1, connected_s=1.2, done_s=4.0), (1.0, 1.5)),
        (probe("timeout", at_s=1.0, sent_s=1.1, request=2, done_s=4.0), (1.0, 1.4)),
        (probe("timeout", at_s=1.0, sent_s=1.1, request=2, done_s=1.2), (1.0, 1.2)),
        (probe("reset", at_s=1.0, sent_s=1.1, request=2, done_s=1.2), (1.0, 1.2)),
    ],
)
def test_what_a_probe_witnesses(one: Probe, expected: tuple[float, float]) -> None:
    assert witness(one, slowest_s=0.3) == pytest.approx(expected)


def test_an_answer_that_may_have_come_before_the_outage_is_not_its_end() -> None:
    fast = [probe(at_s=n / 10, done_s=n / 10) for n in range(1, 30)]
    lost = probe("timeout", at_s=1.05, connected_s=1.05, done_s=4.05)
    flow = flows([batch([probe(done_s=0.3), *fast, lost])])[0]
    (one,) = impairments(flow)
    assert (one.began_at, one.ended_at) == pytest.approx((1001.0, 1001.4)), "it was asked at 1.05 and lost by 1.35"


def test_not_one_lost_probe_is_allowed() -> None:
    lost = [batch(spaced(".....xxxxx" + "." * 20)), batch(spaced("." * 30), "outside")]
    found = outage(lost, allowed_s=0, phase="the rollout")
    assert found.verdict is Verdict.FAIL
    longest = "the longest 0.400 to 0.610 s (x from pod on n1, timeout)"
    assert found.sentence == f"1 outage during the rollout, {longest}, allowed 0 s; 5 probes lost"
    assert found.vantage == "pod on n1"
    assert found.details[0].startswith(
        "x from pod on n1: 0.400 to 0.610 s, timeout, 5 of 5 probes lost, 00:16:40.400 to"
    )
    assert (found.numbers["failed"], found.numbers["probes"], found.numbers["flows"]) == (5, 60, 2)
    assert found.numbers["interval_s"] == pytest.approx(0.1)
    assert outage(lost[1:], allowed_s=0).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("pattern", "allowed_s", "verdict"),
    [
        ("." * 10 + "x" * 12 + "." * 20, 1.0, Verdict.FAIL),
        ("." * 10 + "x" * 11 + "." * 20, 1.0, Verdict.PASS),
        ("." * 10 + "x" * 11 + "." * 20, 0.99, Verdict.FAIL),
        ("." * 10 + "x" * 12, 1.0, Verdict.FAIL),
        ("." * 10 + "x" * 8, 1.0, Verdict.ERROR),
        ("x" * 8 + "." * 20, 1.0, Verdict.PASS),
        ("." * 20 + "x..x.x" + "." * 5, 2.0, Verdict.ERROR),
        ("." * 20 + "x..x.x" + "." * 30, 2.0, Verdict.PASS),
        ("." * 20 + "x..x.x...x.xx..x.x...x.x" + "." * 30, 2.0, Verdict.FAIL),
        ("." * 20 + " " * 45 + "." * 20, 1.0, Verdict.ERROR),
        ("." * 20 + " " * 15 + "." * 20, 1.0, Verdict.PASS),
        ("." * 20 + " " * 35 + "." * 20, 0.0, Verdict.ERROR),
        ("." * 20 + " " * 15 + "x...", 0.0, Verdict.FAIL),
        ("", 0.0, Verdict.ERROR),
    ],
)
def test_an_outage_against_its_budget(pattern: str, allowed_s: float, verdict: Verdict) -> None:
    found = outage([batch(spaced(pattern))], allowed_s=allowed_s)
    assert found.verdict is verdict, found.sentence


def test_the_clock_error_is_on_the_side_of_the_cluster() -> None:
    probes = spaced("." * 10 + "x" * 12 + "." * 20)
    assert outage([batch(probes, error_s=0.05)], allowed_s=1).verdict is Verdict.FAIL
    assert outage([batch(probes, error_s=0.15)], allowed_s=1).verdict is Verdict.PASS


def test_only_the_window_is_judged() -> None:
    batches = [batch(spaced("." * 10 + "x" * 20 + "." * 20))]
    assert outage(batches, allowed_s=0, since=1003.05, until=1005.0).verdict is Verdict.PASS
    assert outage(batches, allowed_s=0, until=1000.95).verdict is Verdict.PASS
    cut = outage(batches, allowed_s=0.5, since=1002.45)
    assert cut.verdict is Verdict.PASS
    assert cut.numbers["longest_at_least_s"] == pytest.approx(0.4)
    assert cut.numbers["longest_at_most_s"] == pytest.approx(0.56)
    assert outage(batches, allowed_s=0, since=1010.0).verdict is Verdict.ERROR
    for since, until in ((996.0, None), (None, 1009.0)):
        found = outage([batch(spaced("." * 50))], allowed_s=0, since=since, until=until)
        assert found.verdict is Verdict.ERROR
        assert "no probe was started for" in found.sentence


def test_plans_one_after_the_other_may_leave_a_hole_only_outside_of_a_window() -> None:
    two = [batch(spaced("." * 20)), batch(spaced("." * 20), at=1010.0)]
    assert outage(two, allowed_s=0).verdict is Verdict.PASS
    assert outage(two, allowed_s=0, since=1000.0).verdict is Verdict.ERROR
    assert outage(two, allowed_s=0, since=1010.0).verdict is Verdict.PASS


def test_a_record_that_was_cut_off_can_fail_and_not_pass() -> None:
    assert outage([batch(spaced("." * 20), late_ms=math.inf)], allowed_s=0).verdict is Verdict.ERROR
    assert outage([batch(spaced("...x..."), late_ms=math.inf)], allowed_s=0).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    "outcome", ["refused", "reset", "closed", "timeout", "unreachable", "name_error", "wrong_answer"]
)
def test_every_way_to_fail_is_an_outage(outcome: Outcome) -> None:
    flow = [*spaced("....."), probe(outcome, at_s=0.5), *(probe(at_s=0.6 + n / 10) for n in range(5))]
    assert outage([batch(flow)], allowed_s=0).verdict is Verdict.FAIL
