"""The checks over made-up records: each passes what is right and fails what is not."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from fixtures.checks.answered import answered_only_by
from fixtures.checks.connection import connected
from fixtures.checks.finding import finding
from fixtures.checks.holding import must_hold
from fixtures.checks.isolation import OTHER_QUESTION, isolated, turned_away
from fixtures.checks.names import does_not_exist, leads_nowhere, resolves_to
from fixtures.checks.reachability import connections_to_see_all, reachability
from fixtures.checks.refusal import refused
from fixtures.checks.values import equal, lie_in
from fixtures.clusters import IPFamily
from fixtures.errors import BrokenPromise, SuiteError
from fixtures.history import Finding, History
from fixtures.probes import Probe, ProbeBatch
from fixtures.verdicts import NotObservable, Unsupported, Verdict
from tests.unit.made_probes import OTHER_TOKEN, PODS, TOKEN, answer, batch, good, named, probe


def test_the_number_of_connections_keeps_the_chance_of_a_miss_below_1e_9() -> None:
    assert connections_to_see_all(1) == 1
    assert connections_to_see_all(3) == 54
    for k in (2, 3, 5, 10):
        n = connections_to_see_all(k)
        assert k * (1 - 1 / k) ** n <= 1e-9 < k * (1 - 1 / k) ** (n - 1)
    with pytest.raises(ValueError, match="pods"):
        connections_to_see_all(0)


def test_the_bound_is_an_upper_bound_of_what_happens() -> None:
    fair = random.Random(7)
    n, runs = connections_to_see_all(3, 0.05), 4000
    missed = sum(len({fair.randrange(3) for _ in range(n)}) < 3 for _ in range(runs))
    assert missed / runs <= 0.06


def test_reachability_passes_what_is_right() -> None:
    found = reachability([batch(good()), batch(good(), "outside")], pods=PODS, token=TOKEN, pod_port=80)
    assert found.verdict is Verdict.PASS
    assert found.vantage == "outside, pod on n1"
    assert found.numbers == {"probes": 108, "failed": 0, "pods": 3}


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (probe("timeout"), "1 of 55 probes failed: 1 timeout"),
        (probe("refused"), "1 refused"),
        (probe("ok"), "answered without saying by whom"),
        (probe("ok", answer("old-pod")), "answered by another pod (old-pod)"),
        (probe("ok", answer("web-a", token=OTHER_TOKEN)), "answered for another Service (other)"),
        (probe("ok", answer("web-a", port=8080)), "answered on port 8080"),
    ],
)
def test_one_wrong_probe_breaks_reachability(bad: Probe, says: str) -> None:
    found = reachability([batch([*good(), bad]), batch(good(), "outside")], pods=PODS, token=TOKEN, pod_port=80)
    assert found.verdict is Verdict.FAIL
    assert says.replace("55", "109") in found.sentence
    assert found.vantage == "pod on n1"
    assert len(found.details) == 1
    assert found.details[0].startswith("00:16:40.000 pod on n1 -> x: ")


def test_rows_are_counted_when_they_are_many() -> None:
    found = reachability([batch([probe("timeout", detail="no connection within 950 ms")] * 30)], pods=PODS, token=TOKEN)
    assert len(found.details) == 21
    assert found.details[0].endswith("x: timeout no connection within 950 ms")
    assert found.details[-1] == "and 10 more"


def test_a_pod_that_one_vantage_never_sees_breaks_reachability() -> None:
    unfair = [probe("ok", PODS[i % 2]) for i in range(54)]
    found = reachability([batch(good()), batch(unfair, "outside")], pods=PODS, token=TOKEN)
    assert (found.verdict, found.sentence) == (Verdict.FAIL, "outside -> x: web-c never answered 54 probes")


def test_a_pod_that_one_target_never_reaches_breaks_reachability() -> None:
    other = [probe("ok", "web-a", target="y") for _ in range(54)]
    found = reachability([batch([*good(), *other])], pods=PODS, token=TOKEN)
    assert (found.verdict, found.sentence) == (Verdict.FAIL, "pod on n1 -> y: web-b never answered 54 probes")
    assert found.details == ("pod on n1 -> y: web-c never answered 54 probes",)


@pytest.mark.parametrize("batches", [[], [batch([])], [batch(good(53))]])
def test_too_few_probes_are_not_judged(batches: list[ProbeBatch]) -> None:
    assert reachability(batches, pods=PODS, token=TOKEN).verdict is Verdict.ERROR


def test_refusal() -> None:
    assert refused([batch([probe("refused")])], within_s=0.5).verdict is Verdict.PASS
    late = probe("refused", done_s=0.6)
    for bad in (probe("timeout"), probe("ok", "web-a"), late, probe("unreachable"), probe("reset")):
        assert refused([batch([probe("refused"), bad])], within_s=0.5).verdict is Verdict.FAIL
    assert refused([batch([])], within_s=0.5).verdict is Verdict.ERROR
    assert refused([], within_s=0.5).verdict is Verdict.ERROR


def test_connections_are_made_whatever_is_said_on_them() -> None:
    good = probe("wrong_answer", connected_s=0.001)
    assert connected([batch([good])]).verdict is Verdict.PASS
    found = connected([batch([good]), batch([good, probe("refused")], "pod on n2")])
    assert (found.verdict, found.vantage) == (Verdict.FAIL, "pod on n2")
    assert "1 of 3 probes: " in found.sentence
    assert connected([batch([good]), batch([])]).verdict is Verdict.ERROR
    assert connected([]).verdict is Verdict.ERROR


def test_isolation_tells_refused_from_timeout() -> None:
    silent = [batch([probe("refused"), probe("timeout"), probe("timeout"), probe("unreachable")])]
    found = isolated(silent, control=[batch(good())])
    assert found.verdict is Verdict.PASS
    assert found.numbers == {"probes": 4, "answered": 0, "refused": 1, "timeout": 2, "unreachable": 1}


@pytest.mark.parametrize("bad", [probe("ok", "web-a"), probe("wrong_answer"), probe("reset"), probe("closed")])
def test_any_answer_breaks_isolation(bad: Probe) -> None:
    found = isolated([batch([probe("timeout"), bad])], control=[batch(good())])
    assert (found.verdict, found.sentence) == (Verdict.FAIL, "1 of 2 probes were answered")
    assert isolated([batch([bad])], control=[]).verdict is Verdict.FAIL, "an answer needs no control"


@pytest.mark.parametrize(
    "control", [[], [batch([])], [batch(good(), "elsewhere")], [batch([*good(), probe("timeout")])]]
)
def test_silence_without_a_control_is_no_proof(control: list[ProbeBatch]) -> None:
    found = isolated([batch([probe("timeout")])], control=control)
    assert found.verdict is Verdict.ERROR
    assert "proves nothing" in found.sentence


def test_who_is_turned_away_is_answered_by_no_pod() -> None:
    others = [probe("wrong_answer", detail="not one of our backends: 404"), probe("timeout"), probe("closed")]
    assert turned_away([batch(others)], control=[batch(good())]).verdict is Verdict.PASS
    assert turned_away([batch(others)], control=[]).verdict is Verdict.ERROR
    for ours in (probe("ok", "web-a"), probe("wrong_answer", detail=OTHER_QUESTION)):
        found = turned_away([batch([*others, ours])], control=[batch(good())])
        assert (found.verdict, found.sentence) == (Verdict.FAIL, "1 of 4 probes were answered")


def test_names_resolve_to_exactly_the_addresses() -> None:
    assert resolves_to([batch([named("10.0.0.1")])], ["10.0.0.1"]).verdict is Verdict.PASS
    for bad in (named(), named("10.0.0.2"), named("10.0.0.1", "10.0.0.2"), named(rcode="NXDOMAIN"), probe("timeout")):
        assert resolves_to([batch([named("10.0.0.1"), bad])], ["10.0.0.1"]).verdict is Verdict.FAIL
    found = resolves_to([batch([named("10.0.0.2")])], ["10.0.0.1"])
    assert found.sentence == "1 of 1 answers are other ones, first x: NOERROR web.test. 10.0.0.2, for 5 s"


def test_a_name_that_leads_nowhere_may_be_denied_or_failed_on_the_way_out() -> None:
    for rcode in ("NXDOMAIN", "SERVFAIL"):
        assert leads_nowhere([batch([named(rcode=rcode)])]).verdict is Verdict.PASS
    assert leads_nowhere([batch([named("10.0.0.1")])]).verdict is Verdict.FAIL
    assert leads_nowhere([]).verdict is Verdict.ERROR


def test_only_nxdomain_says_that_a_name_does_not_exist() -> None:
    assert does_not_exist([batch([named(rcode="NXDOMAIN")])]).verdict is Verdict.PASS
    for bad in (named(), named("10.0.0.2"), named(rcode="SERVFAIL"), probe("timeout")):
        assert does_not_exist([batch([named(rcode="NXDOMAIN"), bad])]).verdict is Verdict.FAIL


@pytest.mark.parametrize("check", [does_not_exist, lambda batches: resolves_to(batches, ["10.0.0.1"])])
def test_no_query_no_judgement(check: Callable[[list[ProbeBatch]], Finding]) -> None:
    assert check([batch([])]).verdict is Verdict.ERROR


def test_new_connections_are_answered_by_the_right_pods_alone() -> None:
    stale = replace(probe("ok", "old", 1.0), index=7)

    def judged(*more: Probe, since: float = 1000.0) -> Finding:
        return answered_only_by([batch([*good(), *more])], pods=PODS, token=TOKEN, since=since, until=1009.0)

    assert judged().verdict is Verdict.PASS
    assert judged(probe("timeout"), replace(stale, request=2), named("10.0.0.1")).verdict is Verdict.PASS
    assert judged(stale, since=1001.01).verdict is Verdict.PASS, "it started before"
    found = judged(stale)
    assert (found.verdict, found.sentence) == (Verdict.FAIL, "1 of 55: 1 answered by another pod (old)")
    assert judged(probe("ok", answer("web-a", OTHER_TOKEN))).verdict is Verdict.FAIL
    assert judged(since=1001.5).verdict is Verdict.ERROR, "24 answers are too few"
    assert answered_only_by([], pods=PODS, token=TOKEN, since=0, until=1).verdict is Verdict.ERROR


def test_values_are_told_as_yaml_has_them() -> None:
    found = equal("families", [IPFamily.IPV4], {"families": (IPFamily.IPV6,)})
    assert (found.expected, found.sentence) == ("families ['IPv4']", "{'families': ('IPv6',)}")


def test_values() -> None:
    assert equal("type", "ClusterIP", "ClusterIP").verdict is Verdict.PASS
    network = [IPv4Network("10.96.0.0/16")]
    assert lie_in("ClusterIP", ["10.96.0.1"], network).verdict is Verdict.PASS
    with pytest.raises(BrokenPromise, match="expected type ClusterIP; observed NodePort; seen from the API"):
        must_hold(History(), equal("type", "ClusterIP", "NodePort"))
    for addresses in ([], ["10.97.0.1"], ["10.96.0.1", "fd00::1"]):
        assert lie_in("ClusterIP", addresses, network).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("verdicts", "raised"),
    [
        ((Verdict.ERROR, Verdict.FAIL, Verdict.PASS), BrokenPromise),
        ((Verdict.PASS, Verdict.ERROR), SuiteError),
        ((Verdict.PASS, Verdict.NOT_OBSERVABLE, Verdict.UNSUPPORTED), NotObservable),
        ((Verdict.UNSUPPORTED,), Unsupported),
        ((), SuiteError),
    ],
)
def test_the_worst_finding_decides(verdicts: tuple[Verdict, ...], raised: type[Exception]) -> None:
    record = History()
    findings = [finding(f"c{n}", verdict, "a", "b", ["v"]) for n, verdict in enumerate(verdicts)]
    with pytest.raises(raised):
        must_hold(record, *findings)
    assert [line.event for line in record.lines] == findings


def test_findings_that_are_as_bad_are_details_of_the_first() -> None:
    bad = [finding(name, Verdict.FAIL, "a", f"{name} broke", ["v"], rows=["row"] * 15) for name in ("first", "second")]
    with pytest.raises(BrokenPromise) as broken:
        must_hold(History(), finding("good", Verdict.PASS, "a", "b", ["v"]), *bad)
    assert broken.value.observed == "first broke"
    assert broken.value.details == (*["row"] * 15, "second: second broke; seen from v")


def test_numbers_are_such_as_json_can_hold() -> None:
    found = finding("c", Verdict.PASS, "a", "b", [], numbers={"x_s": float("inf"), "y_s": 1.0})
    assert found.numbers == {"y_s": 1.0}
    assert Finding.model_validate_json(found.model_dump_json()) == found
