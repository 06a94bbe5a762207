"""Protocols of which one connection carries much for long: HTTP/2 without TLS, gRPC, WebSockets."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest

from conformance.judge import settle
from conformance.versions import must_be_of
from fixtures.api import Api
from fixtures.budgets import Budgets
from fixtures.checks.holding import must_hold
from fixtures.checks.reachability import connections_to_see_all, reachability
from fixtures.checks.sessions import sessions_end, sessions_unbroken, sessions_undivided
from fixtures.clusters import ClusterInfo
from fixtures.errors import SuiteError
from fixtures.history import History
from fixtures.prober.plan import Protocol, Target
from fixtures.prober.probing import Pairs, Probing
from fixtures.prober.underway import not_quiet
from fixtures.prober.vantages import OutsideVantage, PodVantage, Vantage, node_port_client
from fixtures.requirements import MUST, requirement
from fixtures.scenarios.ways import EVERY_TYPE, ServiceType, Way, create_services
from fixtures.verdicts import NotObservable, Unsupported
from fixtures.workloads.namespaces import Namespaces
from fixtures.workloads.needed import Needed
from fixtures.workloads.services import Service, Services
from fixtures.workloads.vantages import start_vantages
from fixtures.workloads.web import Shape, Web

pytestmark = pytest.mark.scenario("protocols")
PROTOCOLS: tuple[Protocol, ...] = ("h2c", "grpc", "websocket")
for_each_type = pytest.mark.parametrize("kind", EVERY_TYPE)
for_each_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)
GRPC_PROBES = (1, 24)
"""Kubelet's own client of gRPC says first that the pods speak it."""
RATE_PER_S, TIMEOUT_MS = 100.0, 5000
"""From each vantage. A connection takes several turns of both sides before its first answer."""
REQUESTS, SLOW_MS = 4, 1000
"""Of each connection; the pods wait so long before they answer, so that several are under way at once."""
HELD, EVERY_S = 4, 0.5
"""Connections of each target from each vantage, and how often each is used."""
QUIET_S, WITHIN_S = 1.5, 20.0
"""For so long all connections have been used before one is judged, and how soon."""


@dataclass(frozen=True)
class Speaking:
    """Pods that speak these protocols, a Service of each type in front of them, and who talks to them."""

    cluster: ClusterInfo
    web: Web
    services: dict[ServiceType, Service]
    inside: tuple[PodVantage, ...]

    def vantages(self, kind: ServiceType) -> list[Vantage]:
        """Who uses a Service of this type.

        Raises:
            Unsupported: nobody provides load balancers.
            NotObservable: there is no vantage for it.
        """
        if kind == "ClusterIP":
            return list(self.inside)
        if kind == "LoadBalancer":
            Way(kind, "new").must_be_there(self.cluster)
            assert self.cluster.outside is not None
            return [OutsideVantage(self.cluster.outside)]
        client = node_port_client(self.cluster)
        return [*self.inside[:1], *([client] if client else [])]

    def pairs(self, kind: ServiceType, *protocols: Protocol) -> Pairs:
        """What is probed of a type, a new connection each time; raises as `vantages` does."""
        vantages = self.vantages(kind)
        places = Way(kind, "new").targets(self.services[kind], self.cluster)
        targets = [
            place.model_copy(update={"name": f"{protocol} {place.name}", "protocol": protocol})
            for protocol in protocols
            for place in places
        ]
        return [(vantage, targets) for vantage in vantages]

    def must_speak(self) -> None:
        """Refuse pods that somebody finds mute who calls them directly; raises SuiteError."""
        pods = [(pod.name, pod.ips[0]) for pod in self.web.wait_until_serving()]
        targets = [
            Target(name=f"{protocol} {name}", address=address, port=80, protocol=protocol)
            for protocol in PROTOCOLS
            for name, address in pods
        ]
        probes = [p for batch in Probing(History()).run(targets, self.inside, count=1) for p in batch.probes]
        for target in targets:
            of_it = [probe for probe in probes if probe.target == target.name]
            if not any(probe.ok for probe in of_it):
                raise SuiteError(f"without any Service, {target.name}: {of_it[0].outcome} {of_it[0].detail}")


def kept(pairs: Pairs, connections: int) -> list[tuple[Vantage, list[Target]]]:
    """The same over connections that are kept."""
    how = {"connection": "reused", "connections": connections}
    return [(vantage, [target.model_copy(update=how) for target in targets]) for vantage, targets in pairs]


@pytest.fixture(scope="module")
def speaking(api: Api, cluster: ClusterInfo, namespaces: Namespaces, needed: Needed) -> Speaking:
    """Three pods that speak these protocols, when their Services answer, or have had their time for that."""
    must_be_of(cluster, GRPC_PROBES, "gRPC probes are")
    namespace = namespaces.create("protocols", libraries=True)
    needed.until_last("speaking", lambda: namespaces.delete(namespace))
    web = Web(api, cluster, namespace, shape=Shape(multiplexed=True))
    inside = start_vantages(api, cluster, namespace, multiplexed=True)
    pods = web.wait_until_serving()
    made = Speaking(cluster, web, create_services(api, cluster, web, History()), inside)
    for service in made.services.values():
        Services(api, namespace, History()).must_have_endpoints(service, pods)
    made.must_speak()
    settle(Probing(History()), [pair for kind in seen_of(made) for pair in made.pairs(kind, "h2c")])
    return made


def seen_of(speaking: Speaking) -> list[ServiceType]:
    """The types that the cluster offers and somebody can use."""
    found: list[ServiceType] = []
    for kind in EVERY_TYPE:
        try:
            speaking.vantages(kind)
        except (Unsupported, NotObservable):
            continue
        found.append(kind)
    return found


@requirement(
    "cluster_ip.http2_grpc_and_websockets_pass",
    promise="HTTP/2 without TLS, gRPC and WebSockets go through a Service of each type as they do to its pods: "
    "answers, trailers, messages both ways; and connections reach each pod.",
    source="kubernetes.io: Service, Application protocol; Virtual IPs and Service Proxies: connections are passed on",
    level=MUST,
)
@for_each_protocol
@for_each_type
def test_protocols_pass(
    speaking: Speaking, probing: Probing, history: History, kind: ServiceType, protocol: Protocol
) -> None:
    """Fault: `target_ports_changed`."""
    pairs, pods = speaking.pairs(kind, protocol), {pod.name for pod in speaking.web.wait_until_serving()}
    count = connections_to_see_all(len(pods))
    batches = probing.run_from(pairs, count=count, rate_per_s=RATE_PER_S, timeout_ms=TIMEOUT_MS)
    must_hold(history, reachability(batches, pods=pods, token=speaking.web.token, pod_port=80))


@requirement(
    "cluster_ip.requests_of_a_connection_stay_together",
    promise="All that is asked on one connection of HTTP/2, of gRPC or of a WebSocket, also at once, is answered by "
    "one pod; several connections reach all pods.",
    source="kubernetes.io: Virtual IPs and Service Proxies; gRPC Load Balancing on Kubernetes without Tears",
    level=MUST,
)
@for_each_type
def test_requests_of_a_connection_stay_together(
    speaking: Speaking, probing: Probing, history: History, kind: ServiceType
) -> None:
    """Fault: `backend_dropped`, connections by one node to the pods on others come to nothing."""
    pairs, pods = speaking.pairs(kind, *PROTOCOLS), speaking.web.wait_until_serving()
    connections = -(-connections_to_see_all(len(pods)) // sum(len(targets) for _, targets in pairs))
    try:
        for pod in pods:
            speaking.web.slow_down(pod, SLOW_MS)
        batches = probing.run_from(
            kept(pairs, connections), count=REQUESTS * connections, rate_per_s=2 * RATE_PER_S, timeout_ms=TIMEOUT_MS
        )
    finally:
        for pod in pods:
            speaking.web.slow_down(pod, 0)
    must_hold(history, sessions_undivided(batches, {pod.name for pod in pods}))


@requirement(
    "cluster_ip.open_connections_stay_with_their_pod",
    promise="An open connection of HTTP/2, gRPC or a WebSocket goes on when another pod of the Service is replaced, "
    "and its client is told soon when its own pod ends.",
    source="kubernetes.io: Virtual IPs and Service Proxies; Pod Lifecycle, Termination of Pods",
    level=MUST,
)
def test_open_connections_stay_with_their_pod(
    speaking: Speaking, probing: Probing, history: History, budgets: Budgets
) -> None:
    """Fault: `paths_closed_at_loss`, each node cuts off all connections to a Service that loses an endpoint."""
    web = speaking.web
    gone, *others = web.wait_until_serving()
    pairs = kept([pair for kind in seen_of(speaking) for pair in speaking.pairs(kind, *PROTOCOLS)], HELD)
    rates = [HELD * len(targets) / EVERY_S for _, targets in pairs]
    with probing.during(pairs, rate_per_s=rates, longest_s=120, timeout_ms=TIMEOUT_MS) as under_way:
        since = time.time()
        if not under_way.wait_until_quiet(since=since, quiet_s=QUIET_S, timeout_s=WITHIN_S):
            raise not_quiet(under_way, since, QUIET_S, WITHIN_S, expected="all connections to be answered")
        began_at = time.time()
        with history.fault(f"delete {gone.name}", "the test"):
            web.delete_pods(gone)
        web.wait_until_serving(other_than=(gone,))
        web.wait_until_gone(gone)
        gone_at = time.time()
        under_way.wait_until_quiet(since=gone_at, quiet_s=QUIET_S, timeout_s=budgets.established_break_s)
        ended_at = time.time()
    must_hold(
        history,
        sessions_unbroken(under_way.batches, {pod.name for pod in others}, since=began_at, until=ended_at),
        sessions_end(under_way.batches, gone.name, gone_at=gone_at, within_s=budgets.established_break_s),
    )
