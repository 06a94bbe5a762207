"""Session affinity by the client's address."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conformance.affinity.pinned import SWITCHED, TIMEOUT_S, Changed, Pinned
from fixtures.checks.affinity import chose_anew, moved_on, told_apart
from fixtures.checks.clients import always_one_pod
from fixtures.checks.holding import must_hold
from fixtures.checks.reachability import connections_to_see_all, reachability
from fixtures.clusters import ClusterInfo, IPFamily
from fixtures.history import History
from fixtures.prober.plan import Protocol, Target
from fixtures.prober.probing import Probing
from fixtures.prober.vantages import OutsideVantage, PodVantage, Vantage
from fixtures.requirements import MUST, requirement
from fixtures.verdicts import Unsupported

pytestmark = pytest.mark.scenario("names")

ROUNDS = 2
RATE_PER_S = 40.0
"""Of each target."""
SILENCE_S, SILENCE_RATE_PER_S = TIMEOUT_S + 2.0, 10.0
CASES = [
    ("ClusterIP", "http"),
    ("ClusterIP", "udp"),
    ("NodePort", "http"),
    ("NodePort", "udp"),
    ("LoadBalancer", "http"),
]


Way = tuple[list[Target], list[Vantage], float]
"""What to connect to, from where, and the wall clock of the last change in the API."""


@pytest.fixture
def way(
    pinned: Pinned, changed: Changed, cluster: ClusterInfo, family: IPFamily, request: pytest.FixtureRequest
) -> Callable[[str, Protocol], Way]:
    """How a Service of a type is reached by its clients, over a protocol.

    What is changed of other Services is changed before, so that nobody need wait for it afterwards.
    """
    assert changed

    def find(service_type: str, protocol: Protocol) -> Way:
        if service_type not in pinned.made:
            raise Unsupported(cluster.without_load_balancers)
        if service_type == "LoadBalancer":
            balanced, at = request.getfixturevalue("balanced")
            return [balanced.by_external_ip(protocol, 80, family)], [request.getfixturevalue("outside")], at
        service, at = pinned.made[service_type], pinned.converged_at
        if service_type == "NodePort":
            return service.on_nodes(cluster, protocol, family), [request.getfixturevalue("node_port_client")], at
        return [service.by_address(protocol, 80, family)], list(request.getfixturevalue("inside_vantages")), at

    return find


@requirement(
    "affinity.a_client_keeps_its_pod",
    promise="With sessionAffinity ClientIP all connections of a client go to one pod, by every way to the Service.",
    source="kubernetes.io: Virtual IPs and Service Proxies, Session affinity; test/e2e/network/service.go",
    level=MUST,
)
@pytest.mark.parametrize(("service_type", "protocol"), CASES, ids=[f"{kind}-{protocol}" for kind, protocol in CASES])
def test_a_client_keeps_its_pod(
    *,
    pinned: Pinned,
    way: Callable[[str, Protocol], Way],
    probing: Probing,
    history: History,
    service_type: str,
    protocol: Protocol,
) -> None:
    """Fault: `affinity_forgotten`, an admission policy by which it is not stored."""
    targets, vantages, converged_at = way(service_type, protocol)
    count = connections_to_see_all(len(pinned.pods))
    batches = probing.run(
        targets, vantages, count=count, converged_at=converged_at, rate_per_s=RATE_PER_S * len(targets)
    )
    by_target = [[batch.of(target.name) for batch in batches] for target in targets]
    must_hold(history, *(always_one_pod(of_one, pods=len(pinned.pods)) for of_one in by_target))


@requirement(
    "affinity.clients_are_told_apart",
    promise="Session affinity goes by the client's address: another client of the same node port has a pod of its own.",
    source="kubernetes.io: Service v1, sessionAffinity; Virtual IPs and Service Proxies, Session affinity",
    level=MUST,
    features=("node_ports",),
)
def test_clients_are_told_apart(
    *,
    pinned: Pinned,
    cluster: ClusterInfo,
    pod_vantages: tuple[PodVantage, ...],
    node_port_client: OutsideVantage,
    probing: Probing,
    history: History,
) -> None:
    """Fault: `affinity_forgotten`."""
    address = cluster.nodes[0].address(pinned.family)
    numbers = [port["nodePort"] for port in pinned.made["apart"].body["spec"]["ports"]]
    targets = [Target(name=f"node port {number}", address=address, port=number, protocol="http") for number in numbers]
    vantages: list[Vantage] = [*pod_vantages, node_port_client]
    batches = probing.run(targets, vantages, count=5, converged_at=pinned.converged_at)
    must_hold(history, told_apart(batches, pods=len(pinned.pods)))


@requirement(
    "affinity.ends_after_the_timeout",
    promise="A client that stayed away for longer than timeoutSeconds is free again, by ClusterIP and by node port: "
    "its next pod is chosen anew.",
    source="kubernetes.io: Virtual IPs and Service Proxies, Session stickiness timeout; test/e2e/network/service.go",
    level=MUST,
)
def test_it_ends_after_the_timeout(
    pinned: Pinned, inside_vantages: tuple[PodVantage, ...], probing: Probing, history: History
) -> None:
    """Fault: `affinity_fixed`, an admission policy by which short timeouts are 3 hours and changes are not heeded.

    Another Service with the default timeout is used by the same clients meanwhile, and keeps them.
    """
    ways = [pinned.each_port("short", service_type) for service_type in ("ClusterIP", "NodePort")]
    targets = [target for way in ways for target in way]
    before = probing.run(targets, inside_vantages, count=ROUNDS, converged_at=pinned.converged_at)
    silence = int(SILENCE_S * SILENCE_RATE_PER_S)
    others = probing.run(pinned.targets("ClusterIP"), inside_vantages, count=silence, rate_per_s=SILENCE_RATE_PER_S)
    after = probing.run(targets, inside_vantages, count=1)
    pods = len(pinned.pods)
    names = [[target.name for target in way] for way in ways]
    anew = [chose_anew([b.of(*way) for b in before], [b.of(*way) for b in after], pods=pods) for way in names]
    must_hold(history, *anew, always_one_pod(others, pods=pods))


@requirement(
    "affinity.moves_on_when_its_pod_is_gone",
    promise="Clients whose pod has left the Service come to one other pod and stay there; all others keep theirs.",
    source="kubernetes.io: Virtual IPs and Service Proxies, Session affinity; EndpointSlices",
    level=MUST,
)
def test_it_moves_on_when_its_pod_is_gone(
    *,
    pinned: Pinned,
    changed: Changed,
    inside_vantages: tuple[PodVantage, ...],
    probing: Probing,
    history: History,
) -> None:
    """Fault: `affinity_forgotten`."""
    count = connections_to_see_all(len(pinned.pods) - 1)
    after = probing.run(pinned.targets("leaving"), inside_vantages, count=count, converged_at=changed.changed_at)
    must_hold(history, moved_on(changed.before["leaving", "ClusterIP"], after, gone=changed.gone))


@requirement(
    "affinity.can_be_switched",
    promise="Session affinity can be switched on and off for a Service that is there; connections follow.",
    source="Service v1, sessionAffinity; test/e2e/network/service.go: should be able to switch session affinity",
    level=MUST,
)
@pytest.mark.parametrize(("to", "service_type"), SWITCHED)
def test_it_can_be_switched(
    *,
    pinned: Pinned,
    changed: Changed,
    inside_vantages: tuple[PodVantage, ...],
    probing: Probing,
    history: History,
    to: str,
    service_type: str,
) -> None:
    """Fault: `affinity_fixed`."""
    names, count = {pod.name for pod in pinned.pods}, connections_to_see_all(len(pinned.pods))
    after = probing.run([pinned.way(to, service_type)], inside_vantages, count=count, converged_at=changed.changed_at)
    before = changed.before[to, service_type]
    on, off = (after, before) if to == "on" else (before, after)
    spread = reachability(off, pods=names, token=pinned.web.token)
    must_hold(history, always_one_pod(on, pods=len(names)), spread)
