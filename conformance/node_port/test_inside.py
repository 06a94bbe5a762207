"""Node ports as pods and nodes reach them."""

import pytest

from conformance.shared_web import SharedWeb
from fixtures.clusters import ClusterInfo, IPFamily
from fixtures.prober.plan import Protocol
from fixtures.prober.vantages import PodVantage
from fixtures.requirements import MUST, requirement
from fixtures.workloads.services import Service


@requirement(
    "node_port.pods_and_nodes_reach_it_too",
    promise="The node port is open on every node for pods and for nodes as it is for clients outside.",
    source="kubernetes.io: Service, type: NodePort; test/e2e/network/networking.go: pod-Service, node-Service",
    level=MUST,
    features=("node_ports",),
)
@pytest.mark.parametrize("protocol", ["http", "udp"])
def test_pods_and_nodes_reach_node_ports(
    *,
    cluster: ClusterInfo,
    node_port_service: Service,
    shared_web: SharedWeb,
    inside_vantages: tuple[PodVantage, ...],
    protocol: Protocol,
    family: IPFamily,
) -> None:
    """Fault: `node_port_closed`, one node drops what comes in on its node ports."""
    targets = node_port_service.on_nodes(cluster, protocol, family)
    shared_web.must_be_reached(node_port_service, targets, inside_vantages)
