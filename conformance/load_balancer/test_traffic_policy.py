"""externalTrafficPolicy Local behind a load balancer: the client's address, and only nodes with ready pods."""

import pytest

from conformance.load_balancer.front import Front
from fixtures.checks.clients import client_address_kept
from fixtures.checks.health import health_said
from fixtures.checks.holding import must_hold
from fixtures.checks.isolation import isolated
from fixtures.checks.reachability import reachability
from fixtures.clusters import ClusterInfo, IPFamily
from fixtures.prober.plan import Protocol
from fixtures.prober.vantages import OutsideVantage, PodVantage
from fixtures.requirements import MUST, requirement

CONNECTIONS, HEALTH_PROBES = 40, 3


@requirement(
    "load_balancer.local_policy_keeps_the_client_address",
    promise="With externalTrafficPolicy Local the pods see the client's own source address, over TCP and over UDP.",
    source="kubernetes.io: Create an External Load Balancer, Preserving the client source IP; AKS issues 785 and 3699",
    level=MUST,
    features=("load_balancer", "outside"),
)
@pytest.mark.parametrize("protocol", ["http", "udp"])
def test_the_client_address_is_kept(front: Front, protocol: Protocol, family: IPFamily) -> None:
    """Fault: `source_address_lost`, the nodes put their own address in its place."""
    batches = front.must_reach([front.external("local", protocol, 80, family)])
    must_hold(front.history, client_address_kept(batches, nodes=front.node_by_address))


@requirement(
    "load_balancer.local_policy_goes_to_nodes_with_pods",
    promise="With externalTrafficPolicy Local the load balancer sends to nodes with ready pods alone; none is lost.",
    source="kubernetes.io: Create an External Load Balancer, Preserving the client source IP; KEP-3669",
    level=MUST,
    features=("load_balancer", "outside"),
)
def test_only_nodes_with_pods_get_traffic(front: Front, family: IPFamily) -> None:
    """Fault: `always_healthy`, every health check node port says 200."""
    targets = [front.external("local", "http", 80, family)]
    front.settle(targets, [front.outside])
    batches = front.probing.run(targets, [front.outside], count=CONNECTIONS)
    must_hold(front.history, reachability(batches, pods=front.names, token=front.web.token))


@requirement(
    "load_balancer.local_policy_holds_for_node_ports",
    promise="With externalTrafficPolicy Local a node hands traffic from outside to its own pods only, or to nobody.",
    source="kubernetes.io: Service, External traffic policy: Local",
    level=MUST,
    features=("load_balancer", "node_ports"),
)
def test_a_node_without_pods_does_not_answer(
    front: Front, cluster: ClusterInfo, node_port_client: OutsideVantage, family: IPFamily
) -> None:
    """Fault: `wishes_forgotten`, an admission policy by which new load balancers have the policy Cluster."""
    service = front.service("local")
    by_node = dict(zip((node.name for node in cluster.nodes), service.on_nodes(cluster, "http", family), strict=True))
    answering = [target for node, target in by_node.items() if node in front.nodes_of_pods]
    front.settle(answering, [node_port_client])
    (batch,) = front.probing.run(list(by_node.values()), [node_port_client], count=CONNECTIONS)
    own = [
        reachability(
            [batch.of(by_node[node].name)],
            pods={pod.name for pod in front.pods if pod.node == node},
            token=front.web.token,
        )
        for node in sorted(front.nodes_of_pods)
    ]
    others = [batch.of(target.name) for target in by_node.values() if target not in answering]
    control = [batch.of(target.name) for target in answering]
    must_hold(front.history, *own, isolated(others, control=control))


@requirement(
    "load_balancer.health_check_node_port_tells_where_pods_are",
    promise="healthCheckNodePort answers 200 on the nodes that have ready pods of the Service, and 503 on the others.",
    source="kubernetes.io: Service v1, healthCheckNodePort; KEP-3669; test/e2e/network/loadbalancer.go",
    level=MUST,
    features=("load_balancer",),
)
@pytest.mark.parametrize("name", ["local", "empty"])
def test_the_health_check_node_port(
    front: Front, cluster: ClusterInfo, pod_vantages: tuple[PodVantage, ...], name: str, family: IPFamily
) -> None:
    """Fault: `always_healthy`."""
    on_nodes = front.made[name].health_on_nodes(cluster, family)
    converged_at = front.services.must_have_endpoints(front.made[name], () if name == "empty" else front.pods)
    batches = front.probing.run(list(on_nodes.values()), pod_vantages, count=HEALTH_PROBES, converged_at=converged_at)
    fit = {target.name: name == "local" and node in front.nodes_of_pods for node, target in on_nodes.items()}
    must_hold(front.history, health_said(batches, fit=fit))


@requirement(
    "load_balancer.without_pods_nothing_answers",
    promise="With externalTrafficPolicy Local and no pods at all nothing answers at the external IP.",
    source="kubernetes.io: Service, External traffic policy: Local; Kubernetes issues 75262 and 85643",
    level=MUST,
    features=("load_balancer", "outside"),
)
def test_without_pods_nothing_answers(front: Front, family: IPFamily) -> None:
    """Fault: `answers_leaked`, what is sent to an external IP without pods is sent on to others' pods."""
    control = front.must_reach([front.external("local", "http", 80, family)])
    silent = front.probing.run([front.external("empty", "http", 80, family)], [front.outside], count=CONNECTIONS)
    must_hold(front.history, isolated(silent, control=control))
