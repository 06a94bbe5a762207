"""The checks over made-up records: each passes what is right and fails what is not."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network

import pytest

from fixtures.checks.isolation import must_not_answer
from fixtures.checks.names import must_not_exist, must_resolve_to
from fixtures.checks.reachability import connections_to_see_all, must_be_refused, must_reach
from fixtures.checks.stability import must_keep_addresses
from fixtures.checks.values import must_equal, must_lie_in
from fixtures.errors import BrokenPromise, SuiteError
from fixtures.history import Answer, DNSAnswer, History, Observation, Outcome, Probe, ProbeBatch
from fixtures.prober.probing import must_have_kept_schedule

TOKEN, OTHER_TOKEN = "t", "other"
PODS = ("web-a", "web-b", "web-c")


def answer(pod: str, token: str = TOKEN, port: int = 80) -> Answer:
    """What a backend says."""
    return Answer(
        pod=pod, node="n", ips=("10.0.0.1",), token=token, version="v1", protocol="tcp", port=port, peer="10.0.0.9:1"
    )


def probe(
    outcome: Outcome,
    who: Answer | None = None,
    *,
    dns: DNSAnswer | None = None,
    took_s: float = 0.01,
    target: str = "x",
) -> Probe:
    """One probe."""
    return Probe(
        index=0,
        target=target,
        protocol="tcp",
        scheduled_s=0,
        started_s=0,
        done_s=took_s,
        outcome=outcome,
        answer=who,
        dns=dns,
    )


def batch(probes: Sequence[Probe], vantage: str = "pod on n1", late_ms: float = 0.0) -> ProbeBatch:
    """The probes of one vantage."""
    return ProbeBatch(vantage=vantage, started_at=0.0, lateness_p99_ms=late_ms, probes=tuple(probes))


def good(count: int = 54) -> list[Probe]:
    """Answers of every pod in turn."""
    return [probe("ok", answer(PODS[i % 3])) for i in range(count)]


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
    must_reach([batch(good()), batch(good(), "outside")], pods=PODS, token=TOKEN, pod_port=80)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (probe("timeout"), "1 of 55 probes failed: 1 timeout"),
        (probe("refused"), "1 refused"),
        (probe("ok", answer("old-pod")), "answered by another pod (old-pod)"),
        (probe("ok", answer("web-a", token=OTHER_TOKEN)), "answered for another Service (other)"),
        (probe("ok", answer("web-a", port=8080)), "answered on port 8080"),
    ],
)
def test_one_wrong_probe_breaks_reachability(bad: Probe, says: str) -> None:
    with pytest.raises(BrokenPromise) as broken:
        must_reach([batch([*good(), bad])], pods=PODS, token=TOKEN, pod_port=80)
    assert says in broken.value.observed
    assert broken.value.vantage == "pod on n1"
    assert len(broken.value.details) == 1


def test_a_pod_that_one_vantage_never_sees_breaks_reachability() -> None:
    unfair = [probe("ok", answer(PODS[i % 2])) for i in range(54)]
    with pytest.raises(BrokenPromise, match="outside -> x: web-c never answered 54 probes"):
        must_reach([batch(good()), batch(unfair, "outside")], pods=PODS, token=TOKEN)


def test_a_pod_that_one_target_never_reaches_breaks_reachability() -> None:
    other = [probe("ok", answer("web-a"), target="y") for _ in range(54)]
    with pytest.raises(BrokenPromise, match="-> y: web-"):
        must_reach([batch([*good(), *other])], pods=PODS, token=TOKEN)


@pytest.mark.parametrize("batches", [[], [batch([])], [batch(good(53))]])
def test_too_few_probes_are_not_judged(batches: list[ProbeBatch]) -> None:
    with pytest.raises(SuiteError):
        must_reach(batches, pods=PODS, token=TOKEN)


def test_refusal() -> None:
    must_be_refused([batch([probe("refused")])], within_s=0.5)
    for bad in (probe("timeout"), probe("ok", answer("web-a")), probe("refused", took_s=0.6), probe("unreachable")):
        with pytest.raises(BrokenPromise):
            must_be_refused([batch([probe("refused"), bad])], within_s=0.5)
    with pytest.raises(SuiteError):
        must_be_refused([batch([])], within_s=0.5)


def test_isolation_tells_refused_from_timeout() -> None:
    silent = [batch([probe("refused"), probe("timeout"), probe("timeout"), probe("unreachable")])]
    assert must_not_answer(silent, control=[batch(good())]) == {"refused": 1, "timeout": 2, "unreachable": 1}


@pytest.mark.parametrize("bad", [probe("ok", answer("web-a")), probe("wrong_answer"), probe("reset")])
def test_any_answer_breaks_isolation(bad: Probe) -> None:
    with pytest.raises(BrokenPromise, match="1 of 2 probes were answered"):
        must_not_answer([batch([probe("timeout"), bad])], control=[batch(good())])


@pytest.mark.parametrize(
    "control", [[], [batch([])], [batch(good(), "elsewhere")], [batch([*good(), probe("timeout")])]]
)
def test_silence_without_a_control_is_no_proof(control: list[ProbeBatch]) -> None:
    with pytest.raises(SuiteError, match="proves nothing"):
        must_not_answer([batch([probe("timeout")])], control=control)


def named(*answers: str, rcode: str = "NOERROR") -> Probe:
    """A query and its answer."""
    found = DNSAnswer(name="web.test.", rcode=rcode, answers=answers, ttl_s=5)
    return probe("ok" if rcode == "NOERROR" else "name_error", dns=found)


def test_names_resolve_to_exactly_the_addresses() -> None:
    must_resolve_to([batch([named("10.0.0.1")])], ["10.0.0.1"])
    for bad in (named(), named("10.0.0.2"), named("10.0.0.1", "10.0.0.2"), named(rcode="NXDOMAIN"), probe("timeout")):
        with pytest.raises(BrokenPromise):
            must_resolve_to([batch([named("10.0.0.1"), bad])], ["10.0.0.1"])


def test_only_nxdomain_says_that_a_name_does_not_exist() -> None:
    must_not_exist([batch([named(rcode="NXDOMAIN")])])
    for bad in (named(), named("10.0.0.2"), named(rcode="SERVFAIL"), probe("timeout")):
        with pytest.raises(BrokenPromise):
            must_not_exist([batch([bad])])


@pytest.mark.parametrize("check", [must_not_exist, lambda batches: must_resolve_to(batches, ["10.0.0.1"])])
def test_no_query_no_judgement(check: Callable[[list[ProbeBatch]], None]) -> None:
    with pytest.raises(SuiteError):
        check([batch([])])


def seen(*states: tuple[str, str, int]) -> History:
    """A history of one Service: change, ClusterIP and node port of each state."""
    history = History()
    for change, ip, node_port in states:
        ports = [{"name": "web", "port": 80, "nodePort": node_port, "protocol": "TCP"}]
        body = {"metadata": {"uid": "u"}, "spec": {"type": "NodePort", "clusterIPs": [ip], "ports": ports}}
        event = {"change": change, "resource": "services", "name": "web", "namespace": "n", "body": body}
        history.add(Observation.model_validate(event))
    return history


def test_stability() -> None:
    first = ("READ", "10.0.0.1", 31000)
    must_keep_addresses(seen(first, ("MODIFIED", "10.0.0.1", 31000)), "web")
    for change in (("READ", "10.0.0.2", 31000), ("MODIFIED", "10.0.0.1", 31001), ("DELETED", "10.0.0.1", 31000)):
        with pytest.raises(BrokenPromise):
            must_keep_addresses(seen(first, change, first), "web")
    with pytest.raises(SuiteError, match="1 states"):
        must_keep_addresses(seen(first), "web")


def test_values() -> None:
    must_equal("type", "ClusterIP", "ClusterIP")
    must_lie_in("ClusterIP", ["10.96.0.1"], [IPv4Network("10.96.0.0/16")])
    with pytest.raises(BrokenPromise, match="expected type ClusterIP; observed NodePort"):
        must_equal("type", "ClusterIP", "NodePort")
    for addresses in ([], ["10.97.0.1"], ["10.96.0.1", "fd00::1"]):
        with pytest.raises(BrokenPromise):
            must_lie_in("ClusterIP", addresses, [IPv4Network("10.96.0.0/16")])


def test_a_starved_prober_is_not_believed_its_timeouts() -> None:
    must_have_kept_schedule(batch(good(), late_ms=9000))
    must_have_kept_schedule(batch([probe("timeout")], late_ms=500))
    with pytest.raises(SuiteError, match="could not keep its own schedule"):
        must_have_kept_schedule(batch([probe("timeout")], late_ms=3000))
