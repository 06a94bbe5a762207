"""ClusterIPs as the nodes themselves reach them."""

import pytest

from conformance.shared_web import SharedWeb
from fixtures.clusters import IPFamily
from fixtures.prober.plan import Protocol
from fixtures.prober.vantages import PodVantage
from fixtures.requirements import MUST, requirement
from fixtures.verdicts import NotObservable
from fixtures.workloads.services import Service


@requirement(
    "cluster_ip.nodes_reach_it_too",
    promise="A ClusterIP leads from the nodes themselves, and from pods in their network, to every pod as well.",
    source="kubernetes.io: Virtual IPs and Service Proxies; test/e2e/network/networking.go: node-Service",
    level=MUST,
)
@pytest.mark.parametrize("protocol", ["http", "udp"])
def test_nodes_reach_cluster_ips(
    *,
    cluster_ip_service: Service,
    shared_web: SharedWeb,
    node_vantages: tuple[PodVantage, ...],
    protocol: Protocol,
    family: IPFamily,
) -> None:
    """Fault: `proxy_stopped`, kube-proxy of one node does not run, so that its rules lack new Services."""
    if not node_vantages:
        raise NotObservable("no pod may be in the network of a node")
    shared_web.must_be_reached(cluster_ip_service, [cluster_ip_service.by_address(protocol, 80, family)], node_vantages)
