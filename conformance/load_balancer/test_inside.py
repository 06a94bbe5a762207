"""A load balancer's address, used from inside the cluster."""

import pytest

from conformance.load_balancer.front import Front
from fixtures.clusters import IPFamily
from fixtures.prober.vantages import PodVantage
from fixtures.requirements import MUST, SHOULD, requirement
from fixtures.workloads.vantages import TalkingPod


@requirement(
    "load_balancer.external_ip_works_from_inside",
    promise="The external IP leads to the Service's pods from inside the cluster too, from every node.",
    source="KEP-1860, LoadBalancerIPMode VIP; test/e2e/network/loadbalancer.go: should work from pods",
    level=MUST,
    features=("load_balancer",),
)
def test_the_external_ip_works_from_pods(
    front: Front, pod_vantages: tuple[PodVantage, ...], node_vantages: tuple[PodVantage, ...], family: IPFamily
) -> None:
    """Fault: `external_ips_dropped_inside`, the nodes drop what their own pods send to external IPs."""
    front.must_reach([front.external("diagram", "http", 80, family)], [*pod_vantages, *node_vantages])


@requirement(
    "load_balancer.local_policy_is_for_traffic_from_outside",
    promise="externalTrafficPolicy Local is about traffic from outside: pods reach the external IP from every node.",
    source="KEP-1860; test/e2e/network/loadbalancer.go: should work from pods; cilium issue 45252",
    level=SHOULD,
    features=("load_balancer",),
)
def test_a_local_service_works_from_pods_of_every_node(
    front: Front, pod_vantages: tuple[PodVantage, ...], family: IPFamily
) -> None:
    """Fault: `external_ips_dropped_inside`."""
    front.must_reach([front.external("local", "http", 80, family)], pod_vantages)


@requirement(
    "load_balancer.a_pod_reaches_itself",
    promise="A pod that calls the external IP of its own Service, whose only pod it is, reaches itself.",
    source="Kubernetes, kubelet --hairpin-mode; AKS issue 4341; azure-container-networking issue 248",
    level=MUST,
    features=("load_balancer",),
)
@pytest.mark.parametrize("policy", ["Cluster", "Local"])
def test_a_pod_reaches_itself(front: Front, talking_pod: TalkingPod, policy: str, family: IPFamily) -> None:
    """Fault: `external_ips_dropped_inside`."""
    service = front.services.create("load-balancer", selector=talking_pod.labels, externalTrafficPolicy=policy)
    service = front.services.must_have_external_ips(service)
    target = service.by_external_ip("http", 80, family)
    front.must_reach([target], [talking_pod.vantage], pods={talking_pod.name}, token=talking_pod.token)
    front.services.delete(service)
