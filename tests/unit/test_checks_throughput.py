"""What is said of load: ratios, losses, spread, fairness; and when the generator is called the limit."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.checks.load_policies import answered_by_its_own, stays_on_its_node
from fixtures.checks.throughput import (
    BYTES,
    carries,
    fair,
    interval,
    no_losses,
    quick,
    spread,
    too_few,
    undecided,
    used,
)
from fixtures.history import Finding, History, takes_of
from fixtures.loads import GROWTH, Effort, LoadBlock, LoadRow, LoadRows, LoadTarget, Take, quantile_ms
from fixtures.verdicts import Verdict
from tests.unit.made_probes import PROVEN, TOKEN

WORKERS = ("w1", "w2")
SECONDS, DUE = 5, 200.0


def bucket(ms: float) -> int:
    """Where a time is counted."""
    return round(math.log(ms, GROWTH))


def take(
    label: str,
    per_s: float = DUE,
    *,
    ms: float = 2.0,
    failed: dict[str, int] | None = None,
    pods: dict[str, int] | None = None,
    cpu: float = 0.4,
    late_ms: float = 2.0,
    names: tuple[str, ...] = ("t",),
    by_name: tuple[float, ...] = (1.0,),
) -> Take:
    """A block of which each worker reports once, with so many answers a second."""
    targets = tuple(LoadTarget(name=name, url="http://t/", token=TOKEN) for name in names)
    block = LoadBlock(
        id=label, label=label, seconds=SECONDS, users=4, rate_per_s=DUE, connection="new", targets=targets
    )
    reports = []
    for worker in WORKERS:
        rows = []
        for second in range(SECONDS + 1):
            for name, share in zip(names, by_name, strict=True):
                ok = round(per_s * share / len(WORKERS))
                lost = {k: v for k, v in (failed or {}).items() if second == 2 and worker == "w1"}
                said = {k: v for k, v in (pods or {}).items() if second == 2}
                rows.append(LoadRow(second=second, target=name, ok=ok, failed=lost, took={bucket(ms): ok}, pods=said))
        effort = Effort(second=SECONDS, cpu=cpu if worker == "w1" else 0.1, waited=0.0, lags={bucket(late_ms): 100})
        reports.append(LoadRows(block=label, worker=worker, rows=tuple(rows), effort=effort, done=True))
    return Take(block, 0.0, tuple(reports))


def turns(per_s: float, *, direct: float = DUE, **how: object) -> list[Take]:
    """Direct and a Service in turn, three pairs."""
    made = [take("direct", direct), take("ClusterIP", per_s, **how)] * 3  # type: ignore[arg-type]
    return [*made, take("direct", direct)]


def verdict(takes: list[Take]) -> Verdict:
    """Of a budget of 0.9."""
    return carries(takes, "ClusterIP", at_least=0.9, generator_per_s=400).verdict


def test_the_warm_up_and_what_ends_too_late_are_dropped() -> None:
    made = take("direct")
    assert {row.second for row in made.judged} == {1, 2, 3, 4}
    assert made.per_s() == DUE


@given(st.floats(1, 2 * DUE))
@PROVEN
def test_a_service_passes_at_the_budget_and_fails_below(per_s: float) -> None:
    found = verdict(turns(per_s))
    assert found is (Verdict.PASS if round(per_s / 2) * 2 / DUE >= 0.9 else Verdict.FAIL)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"cpu": 0.95}, "1 of 2 workers had no processor time left"),
        ({"late_ms": 95.0}, "2 of 2 workers were late"),
    ],
)
def test_a_generator_at_its_limit_is_neither_pass_nor_fail(how: dict[str, float], words: str) -> None:
    found = carries(turns(100, **how), "ClusterIP", at_least=0.9, generator_per_s=400)
    assert found.verdict is Verdict.NOT_OBSERVABLE
    assert found.sentence.startswith(f"the generator was the limit: {words}")
    assert verdict(turns(DUE, **how)) is Verdict.PASS


def test_pairs_of_a_generator_that_is_late_now_and_then_are_left_out() -> None:
    strained = [take("direct"), take("ClusterIP", 60, cpu=0.95)]
    some = [*strained, take("direct"), take("ClusterIP", 100), take("direct")]
    assert verdict([*strained, *some]) is Verdict.NOT_OBSERVABLE
    assert undecided([*strained, *some], "ClusterIP", 0.9)
    assert not undecided([*strained * 3, take("direct")], "ClusterIP", 0.9), "more would be no better"
    assert verdict([*strained, *turns(100)]) is Verdict.FAIL
    assert verdict([*strained, *turns(DUE)]) is Verdict.PASS


def test_losses_are_not_blamed_on_a_busy_generator() -> None:
    made = [take("direct"), take("ClusterIP", 100, cpu=0.95, failed={"timeout": 9})] * 3
    found = carries([*made, take("direct")], "ClusterIP", at_least=0.9, generator_per_s=400)
    assert found.verdict is Verdict.FAIL


def test_slow_pods_are_not_called_a_generator_limit() -> None:
    found = carries(turns(100, direct=100), "ClusterIP", at_least=0.9, generator_per_s=400)
    assert found.verdict is Verdict.NOT_OBSERVABLE
    assert found.sentence.startswith("the pods were the limit")


def test_pairs_that_are_too_unequal_are_undecided_until_there_are_more() -> None:
    unequal = [made for rate in (170, 100, 140) for made in (take("direct"), take("ClusterIP", rate))]
    assert undecided([*unequal, take("direct")], "ClusterIP", 0.9)
    assert not undecided([*unequal * 3, take("direct")], "ClusterIP", 0.9)
    assert verdict([*unequal * 3, take("direct")]) is Verdict.FAIL
    assert not undecided(turns(DUE), "ClusterIP", 0.9)


def test_too_few_pairs_are_an_error() -> None:
    assert verdict(turns(DUE)[:3]) is Verdict.ERROR
    assert verdict([]) is Verdict.ERROR


def test_ratios_that_differ_widely_say_nothing() -> None:
    made = turns(DUE)
    made[1], made[3] = take("ClusterIP", 60), take("ClusterIP", 160)
    assert verdict(made) is Verdict.ERROR


def test_an_interval_is_as_the_table_says() -> None:
    low, high = interval([0.9, 1.0, 1.1])
    width = 4.303 * 0.1 / math.sqrt(3)
    assert low == pytest.approx(1 - width)
    assert high == pytest.approx(1 + width)
    assert interval([1.0]) == (-math.inf, math.inf)


@pytest.mark.parametrize(
    ("failed", "expected"),
    [
        ({}, Verdict.PASS),
        ({"refused": 1}, Verdict.FAIL),
        ({"generator out of ports": 3}, Verdict.NOT_OBSERVABLE),
        ({"generator out of ports": 3, "reset": 1}, Verdict.FAIL),
    ],
)
def test_one_loss_is_a_failure_unless_it_is_the_generators(failed: dict[str, int], expected: Verdict) -> None:
    found = no_losses([take("ClusterIP", failed=failed)], "at all")
    assert found.verdict is expected
    assert all(name in found.sentence for name in failed)


def test_few_requests_prove_nothing() -> None:
    assert no_losses([take("ClusterIP", 10)], "at all").verdict is Verdict.ERROR


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        ({"a": 500, "b": 500}, Verdict.PASS),
        ({"a": 700, "b": 300}, Verdict.FAIL),
        ({"a": 500, "b": 500, "c": 1}, Verdict.FAIL),
        ({"a": 5, "b": 5}, Verdict.ERROR),
    ],
)
def test_connections_are_spread(pods: dict[str, int], expected: Verdict) -> None:
    takes, shares = [take("ClusterIP", pods=pods)], {"a": 0.5, "b": 0.5}
    assert spread(takes, shares=shares, margin=0.1).verdict is expected
    assert too_few(takes, shares=shares, margin=0.1) is (expected is Verdict.ERROR)


@pytest.mark.parametrize(
    ("ms", "late_ms", "expected"),
    [(3.0, 2.0, Verdict.PASS), (60.0, 2.0, Verdict.FAIL), (60.0, 90.0, Verdict.NOT_OBSERVABLE)],
)
def test_what_a_service_adds_is_judged(ms: float, late_ms: float, expected: Verdict) -> None:
    found = quick(turns(DUE, ms=ms, late_ms=late_ms), "ClusterIP", added_p50_ms=10, added_p99_ms=100)
    assert found.verdict is expected


@pytest.mark.parametrize(("shares", "expected"), [((0.5, 0.5), Verdict.PASS), ((0.8, 0.2), Verdict.FAIL)])
def test_two_services_share(shares: tuple[float, float], expected: Verdict) -> None:
    assert fair(take("two", names=("a", "b"), by_name=shares), margin=0.1).verdict is expected


@given(st.lists(st.floats(0.02, 1e5), min_size=1, max_size=50), st.sampled_from([0.5, 0.9, 0.99]))
@PROVEN
def test_quantiles_are_right_to_five_percent(values: list[float], q: float) -> None:
    counted: dict[int, int] = {}
    for value in values:
        counted[bucket(value)] = counted.get(bucket(value), 0) + 1
    exact = sorted(values)[math.ceil(q * len(values)) - 1]
    assert quantile_ms(counted, q) == pytest.approx(exact, rel=0.05)


def test_a_record_gives_its_blocks_again() -> None:
    history, made = History(), take("ClusterIP")
    history.add(made.block)
    for report in made.reports:
        history.add(report)
    (found,) = history.takes
    assert (found.block, found.reports) == (made.block, made.reports)
    assert takes_of(history.lines) == (found,)


def test_bytes_are_compared_where_answers_are_asked_for_by_size() -> None:
    def sized(label: str, ok: int, each: int) -> Take:
        made = take(label, ok)
        block = made.block.model_copy(update={"sizes_b": (1000, 9000)})
        reports = []
        for report in made.reports:
            rows = tuple(row.model_copy(update={"bytes": row.ok * each}) for row in report.rows)
            reports.append(report.model_copy(update={"rows": rows}))
        return Take(block, 0.0, tuple(reports))

    def found(ok: int, each: int) -> Finding:
        pairs = [sized("direct", 200, 5000), sized("ClusterIP", ok, each)] * 3
        takes = [*pairs, sized("direct", 200, 5000)]
        return carries(takes, "ClusterIP", at_least=0.9, generator_per_s=2, unit=BYTES)

    assert found(200, 5000).verdict is Verdict.PASS
    assert found(200, 5000).sentence.startswith("1.0 of 1.0 MB a second by ClusterIP, 1.0 directly: 1.000")
    assert found(200, 4000).verdict is Verdict.FAIL, "the large ones are missing"
    assert found(100, 5000).verdict is Verdict.FAIL


def test_what_nodes_keep_track_of_is_told() -> None:
    tracked = ({"n1": 5, "n2": 1}, {"n1": 900, "n2": 700})
    found = carries(turns(DUE), "ClusterIP", at_least=0.9, generator_per_s=400, tracked=tracked)
    assert (found.numbers["tracked_before"], found.numbers["tracked_after"]) == (6, 1600)
    assert "n1 kept track of 5 connections before, 900 after" in found.details
    assert "tracked_after" not in carries(turns(DUE), "ClusterIP", at_least=0.9, generator_per_s=400).numbers


def test_a_generator_without_ports_is_the_limit() -> None:
    out = {"generator out of ports": 300}
    found = carries(turns(100, failed=out), "ClusterIP", at_least=0.9, generator_per_s=400)
    assert found.verdict is Verdict.NOT_OBSERVABLE
    assert found.sentence.startswith("the generator was the limit: generator out of ports 300 times")


def test_each_pod_is_to_be_used() -> None:
    assert used(take("scaling", pods={"a": 3, "b": 1}), ["a", "b"]).verdict is Verdict.PASS
    found = used(take("scaling", pods={"a": 3}), ["a", "b"])
    assert (found.verdict, found.sentence) == (Verdict.FAIL, "none for b")


def test_with_policy_local_answers_come_from_the_workers_own_node() -> None:
    made, workers = take("internal", pods={"a": 3}), {"w1": "node-1", "w2": "node-2"}
    first, second = made.reports

    def found(pods: dict[str, int], nodes: dict[str, str]) -> Verdict:
        rows = tuple(row.model_copy(update={"pods": pods}) for row in second.rows)
        both = Take(made.block, 0.0, (first, second.model_copy(update={"rows": rows})))
        return stays_on_its_node(both, nodes=nodes, workers=workers).verdict

    nodes = {"a": "node-1", "b": "node-2"}
    assert found({"b": 3}, nodes) is Verdict.PASS
    assert found({"b": 3, "a": 1}, nodes) is Verdict.FAIL
    assert found({"gone": 3}, nodes) is Verdict.FAIL
    assert found({}, nodes) is Verdict.ERROR


def test_a_nodes_port_is_answered_by_its_own_pods() -> None:
    made = take("external", names=("one", "two"), by_name=(0.5, 0.5), pods={"a": 3})

    def found(**pods: set[str]) -> tuple[Verdict, str]:
        judged = answered_by_its_own([made], pods=pods)
        return judged.verdict, judged.sentence

    assert found(one={"a"}, two={"a", "b"}) == (Verdict.PASS, "12 answers, each from a pod of its target's own")
    assert found(one={"a"}, two={"b"}) == (Verdict.FAIL, "answered from elsewhere: 6 a for two")
    assert found(one={"a"}, two={"a"}, three={"c"}) == (Verdict.ERROR, "no answer by three")


def test_load_says_where_it_comes_from() -> None:
    made = take("external")
    outside = Take(made.block.model_copy(update={"place": "outside"}), 0.0, made.reports)
    assert no_losses([made], "x").vantage == "2 Locust workers in pods"
    assert no_losses([outside], "x").vantage == "2 Locust workers outside the cluster"


def test_targets_are_told_apart_and_sockets_counted() -> None:
    made = take("kinds", names=("a", "b"), by_name=(0.5, 0.5))
    assert {row.target for row in made.only("a").all_rows} == {"a"}
    assert made.only("a", "b").requests == made.requests
    first, second = made.reports
    effort = first.effort.model_copy(update={"sockets": 7, "closing": 40})
    assert Take(made.block, 0.0, (first.model_copy(update={"effort": effort}), second)).sockets == (7, 40)
