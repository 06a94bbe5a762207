"""Endpoints that are in the network of their nodes, as those of many components of a cluster are."""

from __future__ import annotations

import pytest

from conformance.judge import Answers, Judge, settle
from fixtures.api import Api
from fixtures.checks.holding import must_hold
from fixtures.checks.reachability import connections_to_see_all, reachability
from fixtures.clusters import ClusterInfo, IPFamily
from fixtures.history import History
from fixtures.prober.plan import Protocol, Target
from fixtures.prober.probing import Probing
from fixtures.prober.vantages import PodVantage
from fixtures.requirements import MUST, requirement
from fixtures.verdicts import NotObservable
from fixtures.workloads.host_web import HostWeb, start_host_web
from fixtures.workloads.namespaces import Namespaces
from fixtures.workloads.needed import Needed
from fixtures.workloads.services import Service, Services

pytestmark = pytest.mark.scenario("host network")
protocols = pytest.mark.parametrize("protocol", ["http", "udp"])


@pytest.fixture(scope="module")
def host_web(api: Api, cluster: ClusterInfo, namespaces: Namespaces, needed: Needed) -> HostWeb:
    """A backend in the network of each node."""
    if not cluster.pods.host_network:
        raise NotObservable("no pod may be in the network of a node")
    namespace = namespaces.create("hosts", pod_security="privileged")
    needed.until_last("host_web", lambda: namespaces.delete(namespace))
    return start_host_web(api, cluster, namespace)


@pytest.fixture(scope="module")
def fronts(api: Api, host_web: HostWeb, inside_vantages: tuple[PodVantage, ...]) -> dict[str, Service]:
    """A Service of HTTP and UDP in front of all of them for each internalTrafficPolicy, when they answer."""
    services = Services(api, host_web.namespace, History())
    ports = [
        {"name": name, "port": 80, "targetPort": host_web.port, "protocol": protocol}
        for name, protocol in (("web", "TCP"), ("web-udp", "UDP"))
    ]
    made = {
        policy: services.create("node-port", selector=host_web.labels, ports=ports, internalTrafficPolicy=policy)
        for policy in ("Cluster", "Local")
    }
    for service in made.values():
        services.must_have_endpoints(service, host_web.pods)
    targets = [target for service in made.values() for target in by_address(service, host_web, "http")]
    settle(Probing(History()), [(vantage, targets) for vantage in inside_vantages])
    return made


def families_of(service: Service, web: HostWeb) -> list[IPFamily]:
    """Of both."""
    return [family for family in service.cluster_ips if family in web.families]


def by_address(service: Service, web: HostWeb, protocol: Protocol) -> list[Target]:
    """Its ClusterIPs."""
    return [service.by_address(protocol, 80, family) for family in families_of(service, web)]


@requirement(
    "endpoints.may_be_in_the_network_of_their_node",
    promise="Pods in the network of their nodes serve behind a Service like others, at its ClusterIPs and node ports.",
    source="kubernetes.io: Service; test/e2e/network/networking.go: service endpoints using hostNetwork",
    level=MUST,
)
@protocols
def test_endpoints_in_the_network_of_nodes(
    *,
    cluster: ClusterInfo,
    host_web: HostWeb,
    fronts: dict[str, Service],
    inside_vantages: tuple[PodVantage, ...],
    probing: Probing,
    protocol: Protocol,
    history: History,
) -> None:
    """Fault: `target_ports_changed`, by which the ports of new Services lead to other ports of pods."""
    service, names = fronts["Cluster"], {pod.name for pod in host_web.pods}
    targets = by_address(service, host_web, protocol)
    if protocol == "http":
        # Where calls of nodes are masqueraded, kube-proxy forgets flows of datagrams in passing.
        for family in families_of(service, host_web):
            targets += service.on_nodes(cluster, protocol, family)
    batches = probing.run(targets, inside_vantages, count=connections_to_see_all(len(names)))
    must_hold(history, reachability(batches, pods=names, token=host_web.token, pod_port=host_web.port))


@requirement(
    "endpoints.in_the_network_of_nodes_are_local_too",
    promise="With internalTrafficPolicy Local clients on a node reach the pod in that node's network, and no other.",
    source="kubernetes.io: Service Internal Traffic Policy; test/e2e/network/service.go: to Pod (hostNetwork: true)",
    level=MUST,
)
@protocols
def test_endpoints_in_the_network_of_nodes_are_local(
    *,
    judge: Judge,
    host_web: HostWeb,
    fronts: dict[str, Service],
    pod_vantages: tuple[PodVantage, ...],
    node_vantages: tuple[PodVantage, ...],
    protocol: Protocol,
) -> None:
    """Fault: `settings_ignored`, an admission policy by which new Services have the policy Cluster."""
    targets = by_address(fronts["Local"], host_web, protocol)
    answers = [
        Answers(vantage, targets, {pod.name for pod in host_web.pods if pod.node == vantage.node})
        for vantage in (*pod_vantages, *node_vantages)
    ]
    judge.must_be_answered(answers, token=host_web.token, of=len(host_web.pods), port=host_web.port)
