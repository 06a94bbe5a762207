"""How the connections to a load balancer spread, over pods and over nodes, and with what they stay."""

import math

import pytest

from conformance.load_balancer.front import Front
from conformance.spreading import must_be_even, must_be_kept_evenly
from fixtures.checks.clients import always_one_pod
from fixtures.checks.distribution import connections_to_make, distribution, even_shares
from fixtures.checks.holding import must_hold
from fixtures.checks.hops import by_hop
from fixtures.checks.reachability import connections_to_see_all
from fixtures.checks.sessions import sessions_unbroken
from fixtures.clusters import ClusterInfo
from fixtures.prober.plan import Protocol
from fixtures.requirements import MUST, requirement
from fixtures.scenarios.spread import RATE_PER_S, Spreads
from fixtures.verdicts import NotObservable

MOST_NODES = 20
"""Of more nodes the shares are so small that showing them takes too many connections."""
FLOWS, REQUESTS_OF_EACH, PER_S = 32, 6, 100.0


@requirement(
    "load_balancer.connections_are_spread_evenly",
    promise="The pods of a Service share the connections that come by its load balancer: each gets its part.",
    source="seed: Kubernetes services, LoadBalancer; Azure Load Balancer distribution modes: hash-based by default",
    level=MUST,
    features=("load_balancer", "outside"),
)
@pytest.mark.long
@pytest.mark.scenario("spread")
@pytest.mark.parametrize("pods", [2, 3, 10])
def test_new_connections_are_spread_evenly(spreads: Spreads, pods: int) -> None:
    """Fault: `unfair`, every node prefers one backend."""
    must_be_even(spreads.over(pods), "LoadBalancer")


@requirement(
    "load_balancer.kept_connections_are_spread_evenly",
    promise="Connections that are kept open are shared by the pods as well, and each stays with its pod.",
    source="kubernetes.io: Service, Virtual IPs and Service Proxies: a backend is chosen when a connection is made",
    level=MUST,
    features=("load_balancer", "outside"),
)
@pytest.mark.long
@pytest.mark.scenario("spread")
@pytest.mark.parametrize("pods", [2, 3])
def test_kept_connections_are_spread_evenly(spreads: Spreads, pods: int) -> None:
    """Fault: `unfair`."""
    must_be_kept_evenly(spreads.over(pods), "LoadBalancer")


@requirement(
    "load_balancer.connections_come_by_every_node",
    promise="Traffic is routed through the load balancer to three nodes, and then to two pods: each node has its part.",
    source="seed: Kubernetes services, LoadBalancer, the diagram; kubernetes.io: externalTrafficPolicy Cluster",
    level=MUST,
    features=("load_balancer", "outside"),
)
def test_new_connections_come_by_every_node(front: Front, cluster: ClusterInfo) -> None:
    """Fault: `pool_lacks_a_node`, the load balancer's backend pool has all nodes but one."""
    if len(cluster.nodes) > MOST_NODES:
        raise NotObservable(f"shares of {len(cluster.nodes)} nodes are too small to be seen, allowed are {MOST_NODES}")
    target = front.external("diagram", "http", 80, cluster.families[0])
    front.settle([target], [front.outside])
    shares = even_shares([node.name for node in cluster.nodes])
    margin = min(front.budgets.distribution_margin, min(shares.values()) / 2)
    count = connections_to_make(shares, margin)
    batches = front.probing.run([target], [front.outside], count=count, rate_per_s=RATE_PER_S)
    hops = by_hop(batches, front.node_by_address)
    must_hold(front.history, distribution(hops, shares=shares, margin=margin, token=front.web.token))


@requirement(
    "load_balancer.a_flow_stays_with_its_node",
    promise="All packets of a flow go by the same node to the same pod, over TCP and over UDP.",
    source="Azure Load Balancer distribution modes: packets of a session go to the same instance behind the balancer",
    level=MUST,
    features=("load_balancer", "outside"),
)
@pytest.mark.parametrize(
    ("protocol", "name", "port"), [("tcp", "diagram", 80), ("udp", "ports", 8084)], ids=["tcp", "udp"]
)
def test_a_flow_stays_with_its_node(
    front: Front, cluster: ClusterInfo, protocol: Protocol, name: str, port: int
) -> None:
    """Fault: `hash_per_packet`, the load balancer sends each packet to any node."""
    target = front.external(name, protocol, port, cluster.families[0])
    front.settle([target], [front.outside])
    kept = target.model_copy(update={"connection": "reused", "connections": FLOWS})
    batches = front.probing.run([kept], [front.outside], count=FLOWS * REQUESTS_OF_EACH, rate_per_s=PER_S)
    opened_at = max(b.started_at + max(p.done_s for p in b.probes if p.index < FLOWS) for b in batches)
    nodes = {node.name for node in cluster.nodes}
    same_node = sessions_unbroken(by_hop(batches, front.node_by_address), nodes, since=opened_at, until=math.inf)
    must_hold(front.history, sessions_unbroken(batches, front.names, since=opened_at, until=math.inf), same_node)


@requirement(
    "load_balancer.client_ip_affinity_keeps_the_pod",
    promise="With sessionAffinity ClientIP all connections of a client go to one pod, through the load balancer too.",
    source="kubernetes.io: Virtual IPs and Service Proxies, Session affinity; AKS issue 682",
    level=MUST,
    features=("load_balancer", "outside"),
)
def test_a_client_comes_back_to_its_pod(front: Front, cluster: ClusterInfo) -> None:
    """Fault: `wishes_forgotten`, an admission policy by which new load balancers have no affinity."""
    target = front.external("affinity", "http", 80, cluster.families[0])
    front.settle([target], [front.outside])
    count = connections_to_see_all(len(front.pods))
    must_hold(front.history, always_one_pod(front.probing.run([target], [front.outside], count=count), pods=2))
