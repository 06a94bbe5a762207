"""Distribution: the error rates are those that are stated; scipy and numpy are the oracle."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from fixtures.checks.binomial import at_least, at_most, clopper_pearson, quantile_interval
from fixtures.checks.distribution import (
    FAIR_FAILS,
    UNFAIR_PASSES,
    accepted,
    connections_needed,
    connections_to_make,
    distribution,
    even_shares,
    fair_fails,
)
from fixtures.history import Finding
from fixtures.probes import Probe
from fixtures.verdicts import Verdict
from tests.unit.made_probes import OTHER_TOKEN, PODS, PROVEN, TOKEN, answer, batch, probe

RUNS = 10_000
EVEN = even_shares(PODS)
NEEDED = connections_needed(EVEN, 0.1)
CASES = [(2, 0.15), (3, 0.15), (3, 0.1), (5, 0.1), (10, 0.05)]


@PROVEN
@given(st.integers(1, 3000), st.floats(0, 1), st.floats(0, 1))
def test_tails_are_those_of_scipy(n: int, fraction: float, p: float) -> None:
    count = round(fraction * n)
    assert at_most(count, n, p) == pytest.approx(stats.binom.cdf(count, n, p), rel=1e-8, abs=1e-13)
    assert at_least(count, n, p) == pytest.approx(stats.binom.sf(count - 1, n, p), rel=1e-8, abs=1e-13)


@PROVEN
@given(st.integers(1, 3000), st.floats(0, 1), st.sampled_from([1e-6, 1e-3, 0.025]))
def test_intervals_are_those_of_scipy(n: int, fraction: float, tail: float) -> None:
    count = round(fraction * n)
    oracle = stats.binomtest(count, n).proportion_ci(1 - 2 * tail, method="exact")
    assert clopper_pearson(count, n, tail) == pytest.approx((oracle.low, oracle.high), abs=1e-8)


@PROVEN
@given(st.integers(10, 2000), st.floats(0.05, 0.95), st.floats(0.1, 0.9), st.floats(0, 1))
def test_a_count_is_accepted_when_its_interval_lies_inside(n: int, share: float, part: float, fraction: float) -> None:
    margin, count = share * part, round(fraction * n)
    least, most = accepted(n, share, margin)
    oracle = stats.binomtest(count, n).proportion_ci(1 - 2 * UNFAIR_PASSES, method="exact")
    inside = oracle.low >= share - margin and (oracle.high <= share + margin or share + margin >= 1)
    near = min(abs(oracle.low - share + margin), abs(oracle.high - share - margin)) < 1e-9
    assert (least <= count <= most) == inside or near


@pytest.mark.parametrize(("pods", "margin"), CASES)
def test_a_share_that_is_off_by_the_margin_passes_once_in_a_thousand(pods: int, margin: float) -> None:
    share, n = 1 / pods, connections_needed(even_shares([str(i) for i in range(pods)]), margin)
    least, most = accepted(n, share, margin)
    for off in (share + margin, share - margin):
        passes = stats.binom.cdf(most, n, off) - stats.binom.cdf(least - 1, n, off)
        assert passes <= UNFAIR_PASSES
    unfair = np.array([share + margin, *[(1 - share - margin) / (pods - 1)] * (pods - 1)])
    counts = np.random.default_rng(3).multinomial(n, unfair, size=RUNS)
    passed = np.all((least <= counts) & (counts <= most), axis=1).sum()
    assert passed <= stats.binom.ppf(1 - 1e-6, RUNS, UNFAIR_PASSES)


@pytest.mark.parametrize(("pods", "margin"), CASES)
def test_a_fair_balancer_fails_once_in_a_million(pods: int, margin: float) -> None:
    shares = even_shares([str(i) for i in range(pods)])
    n = connections_needed(shares, margin)
    least, most = accepted(n, 1 / pods, margin)
    one_fails = stats.binom.cdf(least - 1, n, 1 / pods) + stats.binom.sf(most, n, 1 / pods)
    assert fair_fails(n, shares.values(), margin) == pytest.approx(pods * one_fails, rel=1e-6)
    assert pods * one_fails <= FAIR_FAILS
    assert all(fair_fails(n + more, shares.values(), margin) <= FAIR_FAILS for more in range(0, n, max(1, n // 50)))
    counts = np.random.default_rng(4).multinomial(n, [1 / pods] * pods, size=RUNS)
    assert np.all((least <= counts) & (counts <= most))


def test_uneven_shares_have_their_own_number() -> None:
    shares = {"a": 0.5, "b": 0.25, "c": 0.25}
    n = connections_needed(shares, 0.1)
    assert fair_fails(n, shares.values(), 0.1) <= FAIR_FAILS
    assert connections_needed({"a": 1.0}, 0.1) == math.ceil(math.log(UNFAIR_PASSES) / math.log(0.9))


def test_one_connection_of_a_hundred_may_be_lost() -> None:
    made = connections_to_make(EVEN, 0.1)
    assert made - made // 100 >= NEEDED
    assert made < 1.02 * NEEDED


@pytest.mark.parametrize(
    ("shares", "margin", "says"),
    [
        ({}, 0.1, "shares"),
        ({"a": 0.5, "b": 0.4}, 0.1, "add up to 1"),
        ({"a": 1.0, "b": 0.0}, 0.1, "above 0"),
        (EVEN, 0.0, "margin: 0, allowed"),
        (EVEN, 1 / 3, "less than the least share"),
    ],
)
def test_what_cannot_be_judged_is_refused(shares: dict[str, float], margin: float, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        connections_needed(shares, margin)


def answers(*counts: int, request: int = 1) -> list[Probe]:
    """New connections answered by each pod this often."""
    pods = [pod for pod, count in zip(PODS, counts, strict=False) for _ in range(count)]
    return [probe("ok", pod, n / 1000, request=request) for n, pod in enumerate(pods)]


def judged(*flows: list[Probe], pooled: bool = False) -> Finding:
    """The judgement of three pods with a margin of 0.1, a vantage for each flow."""
    batches = [batch(flow, f"v{n}") for n, flow in enumerate(flows)]
    return distribution(batches, shares=EVEN, margin=0.1, token=TOKEN, pooled=pooled)


def test_a_round_robin_passes_and_says_its_shares() -> None:
    third = math.ceil(NEEDED / 3)
    found = judged(answers(third, third, third))
    assert found.verdict is Verdict.PASS
    assert found.numbers["share_of_web_a"] == pytest.approx(1 / 3)
    assert 0.23 < found.numbers["low_of_web_a"] < 1 / 3 < found.numbers["high_of_web_a"] < 0.44
    assert found.numbers["connections"] == 3 * third
    assert found.details == (
        f"x from v0: web-a 0.333 [{found.numbers['low_of_web_a']:.3f}, {found.numbers['high_of_web_a']:.3f}], "
        + found.sentence.partition("web-a ")[2].partition("], ")[2],
    )


def test_a_share_that_is_off_fails_where_it_is_off() -> None:
    third = math.ceil(NEEDED / 3)
    found = judged(answers(third, third, third), answers(NEEDED - 2 * 400, 400, 400))
    assert found.verdict is Verdict.FAIL
    assert found.sentence.startswith("1 of 2 distributions off; x from v1: web-a 0.48")
    assert judged(answers(0, NEEDED // 2, NEEDED - NEEDED // 2)).verdict is Verdict.FAIL


def test_few_connections_are_not_judged_but_pooled() -> None:
    third = math.ceil(NEEDED / 6)
    half = answers(third, third, third)
    assert judged(half, half).verdict is Verdict.ERROR
    assert judged(half, half, pooled=True).verdict is Verdict.PASS
    assert judged().verdict is Verdict.ERROR
    assert judged([]).verdict is Verdict.ERROR
    lost = [probe("timeout")] * NEEDED
    assert judged(half, lost).verdict is Verdict.ERROR


def test_only_new_connections_count() -> None:
    third = math.ceil(NEEDED / 3)
    assert judged([*answers(third, third, third), *answers(5000, request=2)]).verdict is Verdict.PASS


@pytest.mark.parametrize("who", [answer("web-d"), answer("web-a", OTHER_TOKEN)])
def test_an_answer_of_a_stranger_fails(who: object) -> None:
    third = math.ceil(NEEDED / 3)
    assert judged([*answers(third, third, third), probe("ok", who)]).verdict is Verdict.FAIL  # type: ignore[arg-type]


@PROVEN
@given(st.integers(1, 400), st.sampled_from([0.1, 0.5, 0.9, 0.99]), st.sampled_from([1e-6, 0.005, 0.05]))
def test_ranks_of_a_quantile_keep_their_error_rate(n: int, q: float, tail: float) -> None:
    low, high = quantile_interval([float(rank) for rank in range(1, n + 1)], q, tail)
    if math.isfinite(low):
        assert stats.binom.cdf(low - 1, n, q) <= tail < stats.binom.cdf(low, n, q)
    else:
        assert stats.binom.cdf(0, n, q) > tail
    if math.isfinite(high):
        assert stats.binom.sf(high - 1, n, q) <= tail < stats.binom.sf(high - 2, n, q)
    else:
        assert stats.binom.sf(n - 1, n, q) > tail
