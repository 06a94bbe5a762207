"""Pods that are being deleted and still serve: who gets to them, and who does not."""

import pytest

from conformance.judge import Judge
from conformance.traffic_policy.ending import HEALTH, PUBLISHED, Ending
from conformance.traffic_policy.policies import CONTROL
from fixtures.checks.health import health_said
from fixtures.checks.holding import must_hold
from fixtures.clusters import IPFamily
from fixtures.prober.vantages import OutsideVantage, PodVantage
from fixtures.requirements import MUST, requirement
from fixtures.verdicts import NotObservable

pytestmark = pytest.mark.scenario("ending")

HEALTH_PROBES = 3


@requirement(
    "traffic_policy.ending_pods_are_left_for_others",
    promise="A pod that is being deleted gets no new connection while another one is ready, though it still serves.",
    source="KEP-1669; kubernetes.io: Virtual IPs, Traffic to terminating endpoints; test/e2e/network/service.go",
    level=MUST,
)
def test_ending_pods_are_left_for_others(judge: Judge, ending: Ending, pod_vantages: tuple[PodVantage, ...]) -> None:
    """Fault: `proxy_frozen_once_ready`, kube-proxy of every node stops before."""
    ending.must_be_answered(judge, ending.everywhere(CONTROL, pod_vantages, ending.staying))


@requirement(
    "traffic_policy.local_pods_serve_while_they_end",
    promise="Where a policy is Local and a node's only pod is being deleted, traffic goes on to it while it serves.",
    source="KEP-1669; test/e2e/network/service.go: fallback to local terminating endpoints",
    level=MUST,
)
def test_local_pods_serve_while_they_end(judge: Judge, ending: Ending, pod_vantages: tuple[PodVantage, ...]) -> None:
    """Fault: `ending_pods_dropped`, nodes drop new connections to pods that are being deleted."""
    ending.must_be_answered(judge, ending.policies.from_inside("internal Local", "Local", pod_vantages, "http"))


@requirement(
    "traffic_policy.local_pods_serve_node_ports_while_they_end",
    promise="With externalTrafficPolicy Local a node port leads to the node's only pod while that is being deleted.",
    source="KEP-1669; test/e2e/network/service.go: fallback to local terminating endpoints",
    level=MUST,
    features=("node_ports",),
)
def test_local_pods_serve_node_ports_while_they_end(
    judge: Judge, ending: Ending, node_port_client: OutsideVantage
) -> None:
    """Fault: `ending_pods_dropped`."""
    ending.must_be_answered(judge, ending.policies.from_outside("Cluster and Local", "Local", node_port_client, "http"))


@requirement(
    "traffic_policy.ending_pods_can_be_published",
    promise="With publishNotReadyAddresses a pod that is being deleted gets its share of connections while it serves.",
    source="Service v1, publishNotReadyAddresses; test/e2e/network/service.go: terminating and unready endpoints",
    level=MUST,
)
def test_ending_pods_can_be_published(judge: Judge, ending: Ending, pod_vantages: tuple[PodVantage, ...]) -> None:
    """Fault: `ending_pods_dropped`."""
    ending.must_be_answered(judge, ending.everywhere(PUBLISHED, pod_vantages, ending.policies.names))


@requirement(
    "traffic_policy.health_check_leaves_out_ending_pods",
    promise="healthCheckNodePort says 503 on a node whose only pod is being deleted, so that load balancers leave it.",
    source="KEP-1669; test/e2e/network/service.go: fail health check node port if there are only terminating endpoints",
    level=MUST,
)
def test_the_health_check_leaves_out_ending_pods(
    judge: Judge, ending: Ending, pod_vantages: tuple[PodVantage, ...], family: IPFamily
) -> None:
    """Fault: `always_healthy`, every health check node port says 200."""
    if HEALTH not in ending.policies.made:
        raise NotObservable("Services of type LoadBalancer, which have such ports, are refused here")
    on_nodes = ending.policies.made[HEALTH].health_on_nodes(ending.policies.cluster, family)
    fit = {target.name: bool(ending.policies.on(node) & ending.staying) for node, target in on_nodes.items()}
    with ending.must_last():
        targets = list(on_nodes.values())
        batches = judge.probing.run(targets, pod_vantages, count=HEALTH_PROBES, converged_at=ending.since)
        must_hold(judge.history, health_said(batches, fit=fit))
