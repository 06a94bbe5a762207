"""Convergence and latency: bounds hold the truth, percentiles are nearest-rank, a detour is found."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.checks.convergence import (
    Sample,
    convergence,
    percentile,
    time_to_answer,
    time_to_first_answer_of,
    time_to_last_answer_of,
)
from fixtures.checks.latency import latency
from fixtures.history import Finding
from fixtures.probes import Probe, ProbeBatch
from fixtures.verdicts import Verdict
from tests.unit.made_probes import PROVEN, batch, probe, spaced

MOMENTS = st.floats(0.5, 8.0)
SEEDS = st.integers(0, 10**6)


def chosen(seed: int, until_s: float, pods_at: dict[str, tuple[float, float]]) -> list[Probe]:
    """Connections every 50 ms to a random one of the pods that are behind the Service, each from a time to a time."""
    dice, flow = random.Random(seed), []
    for n in range(int(until_s / 0.05)):
        at_s = n * 0.05
        there = [pod for pod, (begin_s, end_s) in pods_at.items() if begin_s <= at_s < end_s]
        flow.append(probe("ok", dice.choice(there), at_s))
    return flow


@PROVEN
@given(MOMENTS, SEEDS)
def test_the_first_answer_of_a_pod(moment_s: float, seed: int) -> None:
    flow = batch(chosen(seed, 12, {"old": (0, 99), "new": (moment_s, 99)}), error_s=0.001)
    (one,) = time_to_first_answer_of([flow], "new", share=0.5, since=1000.2)
    assert one.at_least_s <= moment_s - 0.2 <= one.at_most_s
    assert one.at_most_s - one.at_least_s < 21 * 0.05 + 0.1


@PROVEN
@given(MOMENTS, SEEDS)
def test_the_last_answer_of_a_pod(moment_s: float, seed: int) -> None:
    flow = batch(chosen(seed, 12, {"stays": (0, 99), "goes": (0, moment_s)}), error_s=0.001)
    (one,) = time_to_last_answer_of([flow], "goes", share=0.5, since=1000.2)
    assert one.at_least_s <= moment_s - 0.2 <= one.at_most_s


@PROVEN
@given(MOMENTS, st.floats(0.01, 0.3))
def test_the_first_answer_at_all(moment_s: float, every_s: float) -> None:
    count = int(12 / every_s)
    flow = [probe("ok" if n * every_s >= moment_s else "refused", at_s=n * every_s) for n in range(count)]
    (one,) = time_to_answer([batch(flow)], since=1000.0)
    assert one.at_least_s <= moment_s <= one.at_most_s
    assert one.at_most_s - one.at_least_s <= every_s + 0.02


def test_what_never_converges_has_no_upper_bound() -> None:
    flow = [batch(spaced("...xxx"))]
    assert time_to_answer(flow, since=1000.0)[0].at_most_s == float("inf")
    stays = [batch(chosen(1, 5, {"a": (0, 99), "b": (0, 99)}))]
    (one,) = time_to_last_answer_of(stays, "b", share=0.5, since=1000.0)
    assert one.at_least_s > 4
    assert one.at_most_s == float("inf")


def sample(at_least_s: float, at_most_s: float, vantage: str = "v") -> Sample:
    """A sample."""
    return Sample(vantage, "t", at_least_s, at_most_s)


@pytest.mark.parametrize(
    ("samples", "verdict", "says"),
    [
        ([sample(0.1, 0.2)] * 99 + [sample(0.9, 1.1)], Verdict.PASS, "p50 0.200 s, p99 0.200 s of 100"),
        ([sample(0.1, 0.2), sample(0.9, 1.1)], Verdict.PASS, "p50 0.200 s, longest 1.100 s of 2"),
        ([sample(0.1, 0.2), sample(1.01, 1.1)], Verdict.FAIL, "1 of 2 later"),
        ([sample(1.01, float("inf"))], Verdict.FAIL, "1 of 1 later"),
        ([sample(0.1, float("inf"))], Verdict.ERROR, "the end of 1 of 1 is not in the record"),
        ([], Verdict.ERROR, "the end of 0 of 0"),
    ],
)
def test_convergence_against_its_budget(samples: list[Sample], verdict: Verdict, says: str) -> None:
    found = convergence(samples, budget_s=1.0, what="a new endpoint answers")
    assert found.verdict is verdict
    assert says in found.sentence


@PROVEN
@given(st.lists(st.floats(0, 100), min_size=1, max_size=300), st.sampled_from([1.0, 50.0, 90.0, 99.0, 100.0]))
def test_percentiles_are_those_of_numpy(values: list[float], percent: float) -> None:
    assert percentile(values, percent) == np.percentile(values, percent, method="inverted_cdf")


def paired(added_ms: float, seed: int = 1, count: int = 200, vantage: str = "v") -> ProbeBatch:
    """Probes of a Service and of a pod in turn, of heavy-tailed latency, that the Service adds something to."""
    dice, flow = random.Random(seed), []
    for n in range(count):
        load_ms = dice.paretovariate(1.5)
        for side, target in enumerate(("service", "direct")):
            took_ms = load_ms + dice.paretovariate(2) + (0 if side else added_ms)
            at_s = n / 50 + side / 100
            flow.append(probe(at_s=at_s, index=2 * n + side, target=target, done_s=at_s + took_ms / 1000))
    return batch(flow, vantage)


def judged(*batches: ProbeBatch) -> Finding:
    """With a budget of 5 ms."""
    return latency(batches, service="service", direct="direct", added_p50_ms=5)


def test_what_a_service_adds_is_found() -> None:
    found = judged(paired(2.0), paired(3.0, vantage="w"))
    assert found.verdict is Verdict.PASS
    assert found.numbers["added_p50_low_ms"] < 3.0 < found.numbers["added_p50_high_ms"]
    assert found.numbers["service_p50_low_ms"] < found.numbers["service_p50_ms"] < found.numbers["service_p50_high_ms"]
    assert {"direct_p99_ms", "direct_p90_ms"} <= found.numbers.keys()
    assert len(found.details) == 2


def test_a_detour_fails_at_the_vantage_that_has_it() -> None:
    found = judged(paired(0.0), paired(8.0, vantage="w"))
    assert (found.verdict, found.vantage) == (Verdict.FAIL, "w")
    assert judged(paired(-8.0)).verdict is Verdict.PASS


def test_a_service_within_its_budget_hardly_ever_fails() -> None:
    assert all(judged(paired(5.0, seed)).verdict is Verdict.PASS for seed in range(100))


def test_few_pairs_are_not_judged() -> None:
    assert judged(paired(0, count=99)).verdict is Verdict.ERROR
    assert judged().verdict is Verdict.ERROR
    assert judged(batch([probe("timeout", target=t) for t in ("service", "direct")] * 200)).verdict is Verdict.ERROR
