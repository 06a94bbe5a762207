"""internalTrafficPolicy and externalTrafficPolicy, each by itself and together, over node ports."""

import pytest

from conformance.judge import Judge
from conformance.traffic_policy.policies import Policies, Policy
from fixtures.checks.clients import client_address_kept
from fixtures.checks.holding import must_hold
from fixtures.prober.plan import Protocol
from fixtures.prober.vantages import OutsideVantage, PodVantage
from fixtures.requirements import MUST, requirement

pytestmark = pytest.mark.scenario("policies")


@requirement(
    "traffic_policy.internal_local_stays_on_the_node",
    promise="With internalTrafficPolicy Local clients on a node reach its own pods only, and nobody where are none.",
    source="kubernetes.io: Service Internal Traffic Policy; test/e2e/network/service.go: internalTrafficPolicy=Local",
    level=MUST,
)
@pytest.mark.parametrize("protocol", ["http", "udp"])
def test_internal_local_stays_on_the_node(
    *,
    judge: Judge,
    policies: Policies,
    pod_vantages: tuple[PodVantage, ...],
    node_vantages: tuple[PodVantage, ...],
    protocol: Protocol,
) -> None:
    """Fault: `settings_ignored`, an admission policy by which new Services have the policy Cluster."""
    vantages = [*pod_vantages, *node_vantages]
    answers = policies.from_inside("internal Local", "Local", vantages, protocol)
    judge.must_be_answered(answers, token=policies.web.token, of=len(policies.pods))


@requirement(
    "traffic_policy.external_local_stays_on_the_node",
    promise="With externalTrafficPolicy Local a node port leads to the node's own pods, and where are none to nobody.",
    source="kubernetes.io: Service, External traffic policy; test/e2e/network/service.go: externalTrafficPolicy=Local",
    level=MUST,
    features=("node_ports",),
)
@pytest.mark.parametrize("protocol", ["http", "udp"])
def test_external_local_stays_on_the_node(
    judge: Judge, policies: Policies, node_port_client: OutsideVantage, protocol: Protocol
) -> None:
    """Fault: `settings_ignored`."""
    answers = policies.from_outside("Cluster and Local", "Local", node_port_client, protocol)
    judge.must_be_answered(answers, token=policies.web.token, of=len(policies.pods))


@requirement(
    "traffic_policy.external_local_keeps_the_client_address",
    promise="With externalTrafficPolicy Local pods see the address of a client that comes by a node port.",
    source="kubernetes.io: Using Source IP, Source IP for Services with Type=NodePort",
    level=MUST,
    features=("node_ports",),
)
@pytest.mark.parametrize("protocol", ["http", "udp"])
def test_external_local_keeps_the_client_address(
    judge: Judge, policies: Policies, node_port_client: OutsideVantage, protocol: Protocol
) -> None:
    """Fault: `settings_ignored`: the policy Cluster puts a node's address in the client's place."""
    by_node = policies.from_outside("Cluster and Local", "Local", node_port_client, protocol)
    targets = [target for each in by_node if each.pods for target in each.targets]
    (batch,) = judge.probing.run(targets, [node_port_client], count=10)
    nodes = {str(address) for node in policies.cluster.nodes for address in node.addresses}
    of_families = zip(*(each.targets for each in by_node if each.pods), strict=True)
    must_hold(
        judge.history,
        *(client_address_kept([batch.of(*(one.name for one in some))], nodes=nodes) for some in of_families),
    )


@requirement(
    "traffic_policy.external_cluster_answers_on_every_node",
    promise="With externalTrafficPolicy Cluster the node port of every node, with pods or without, leads to all pods.",
    source="kubernetes.io: Service, External traffic policy",
    level=MUST,
    features=("node_ports",),
)
@pytest.mark.parametrize("protocol", ["http", "udp"])
def test_external_cluster_answers_on_every_node(
    judge: Judge, policies: Policies, node_port_client: OutsideVantage, protocol: Protocol
) -> None:
    """Fault: `node_port_closed`, one node drops what comes in on node ports."""
    answers = policies.from_outside("Cluster and Cluster", "Cluster", node_port_client, protocol)
    judge.must_be_answered(answers, token=policies.web.token, of=len(policies.pods))


@requirement(
    "traffic_policy.external_local_is_not_about_the_inside",
    promise="externalTrafficPolicy Local is about traffic from outside: the ClusterIP leads to all pods everywhere.",
    source="kubernetes.io: Virtual IPs and Service Proxies, Traffic policies; KEP-2086",
    level=MUST,
)
def test_external_local_is_not_about_the_inside(
    judge: Judge, policies: Policies, pod_vantages: tuple[PodVantage, ...]
) -> None:
    """Fault: `backend_dropped`, one node drops what goes to backends on another node."""
    answers = policies.from_inside("Cluster and Local", "Cluster", pod_vantages, "http")
    judge.must_be_answered(answers, token=policies.web.token, of=len(policies.pods))


@requirement(
    "traffic_policy.policies_are_independent",
    promise="The policies for traffic from inside and from outside hold each for itself, in every combination.",
    source="kubernetes.io: Virtual IPs and Service Proxies, Traffic policies; KEP-2086",
    level=MUST,
    features=("node_ports",),
)
@pytest.mark.parametrize(("inside", "outside"), [("Local", "Cluster"), ("Local", "Local")])
def test_policies_are_independent(
    *,
    judge: Judge,
    policies: Policies,
    pod_vantages: tuple[PodVantage, ...],
    node_port_client: OutsideVantage,
    inside: Policy,
    outside: Policy,
) -> None:
    """Fault: `settings_ignored`."""
    name = f"{inside} and {outside}"
    answers = [
        *policies.from_inside(name, inside, pod_vantages, "http"),
        *policies.from_outside(name, outside, node_port_client, "http"),
    ]
    judge.must_be_answered(answers, token=policies.web.token, of=len(policies.pods))
