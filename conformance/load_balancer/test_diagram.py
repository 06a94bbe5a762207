"""The LoadBalancer diagram: a load balancer, three nodes, two pods on port 80."""

import time

import pytest

from conformance.load_balancer.front import Front
from fixtures.checks.convergence import convergence, time_to_answer
from fixtures.checks.holding import must_hold
from fixtures.checks.values import equal
from fixtures.clusters import ClusterInfo, IPFamily
from fixtures.prober.plan import Protocol
from fixtures.prober.vantages import OutsideVantage, PodVantage
from fixtures.requirements import MUST, requirement
from fixtures.scenarios.stage import REQUEST_RATE_PER_S


@requirement(
    "load_balancer.external_ip_leads_to_two_pods_on_port_80",
    promise="LoadBalancer creates a load balancer, configures an external IP address and connects the requested pods.",
    source="seed: Kubernetes services, LoadBalancer, with the diagram",
    level=MUST,
    features=("load_balancer", "outside"),
)
@pytest.mark.parametrize("protocol", ["http", "tcp"])
def test_the_external_ip_leads_to_every_pod(front: Front, protocol: Protocol, family: IPFamily) -> None:
    """Fault: `rule_missing`, the load balancer has no rule for port 80."""
    front.must_reach([front.external("diagram", protocol, 80, family)])


@requirement(
    "load_balancer.external_ip_is_given_in_time",
    promise="The load balancer's address is in the Service's status soon after its creation, and answers.",
    source="kubernetes.io: Service, type: LoadBalancer; AKS issue 1392: external IP pending for ever",
    level=MUST,
    features=("load_balancer", "outside"),
)
def test_the_external_ip_is_given_in_time(front: Front, cluster: ClusterInfo) -> None:
    """Fault: `controller_stopped`, nobody makes load balancers."""
    made = front.services.create("load-balancer", selector=front.web.traffic_labels)
    limit_s = front.budgets.load_balancer_address_s
    service = front.services.must_have_external_ips(made, within_s=limit_s)
    given_at, targets = time.time(), [service.by_external_ip("http", 80, family) for family in cluster.families]
    health_s, rate_per_s = front.budgets.load_balancer_health_s, REQUEST_RATE_PER_S * len(targets)
    pairs = [(front.outside, targets)]
    with front.probing.during(pairs, rate_per_s=rate_per_s, longest_s=2 * health_s) as under_way:
        under_way.wait_until_quiet(since=given_at, quiet_s=1, timeout_s=health_s + 1)
    front.services.delete(service)
    samples = time_to_answer(under_way.batches, since=given_at)
    must_hold(front.history, convergence(samples, budget_s=health_s, what="a new external IP answers"))


@requirement(
    "load_balancer.has_a_cluster_ip_too",
    promise="To implement a load balancer, Kubernetes begins with what a ClusterIP has: that leads to the same pods.",
    source="kubernetes.io: Service, type: LoadBalancer",
    level=MUST,
    features=("load_balancer",),
)
def test_its_cluster_ip_works_as_well(
    front: Front, pod_vantages: tuple[PodVantage, ...], node_vantages: tuple[PodVantage, ...], family: IPFamily
) -> None:
    """Fault: `backend_dropped`, one node drops what goes to the backends on other nodes."""
    target = front.service("diagram").by_address("http", 80, family)
    front.must_reach([target], [*pod_vantages, *node_vantages])


@requirement(
    "load_balancer.has_node_ports_too",
    promise="To implement a load balancer, Kubernetes begins with what a NodePort has: those lead to the same pods.",
    source="kubernetes.io: Service, type: LoadBalancer; Disabling load balancer NodePort allocation",
    level=MUST,
    features=("load_balancer", "node_ports"),
)
def test_its_node_ports_work_as_well(
    front: Front, cluster: ClusterInfo, node_port_client: OutsideVantage, family: IPFamily
) -> None:
    """Fault: `node_port_closed`, one node drops what comes in on node ports."""
    front.must_reach(front.service("diagram").on_nodes(cluster, "http", family), [node_port_client])


@requirement(
    "load_balancer.dual_stack_has_an_address_of_each_family",
    promise="A dual-stack Service of type LoadBalancer has an external address of each family, and both answer.",
    source="kubernetes.io: IPv4/IPv6 dual-stack, Services; AKS: dual-stack networking",
    level=MUST,
    features=("load_balancer", "outside", "IPv4", "IPv6"),
)
def test_a_dual_stack_service_has_two_addresses(front: Front, cluster: ClusterInfo) -> None:
    """Fault: `wishes_forgotten`, an admission policy that makes every new load balancer single-stack."""
    made = front.services.create("load-balancer", selector=front.web.traffic_labels, ipFamilyPolicy="RequireDualStack")
    must_hold(front.history, equal("families of the Service", list(cluster.families), list(made.cluster_ips)))
    service = front.services.must_have_external_ips(made)
    front.must_reach([service.by_external_ip("http", 80, family) for family in cluster.families])
    front.services.delete(service)
