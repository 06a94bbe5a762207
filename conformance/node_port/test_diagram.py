"""The NodePort diagram: port 31000 on three nodes, one NodePort, three pods on port 80."""

import pytest

from conformance.shared_web import SharedWeb
from fixtures.clusters import ClusterInfo, IPFamily
from fixtures.prober.plan import Protocol
from fixtures.prober.vantages import OutsideVantage, PodVantage
from fixtures.requirements import MUST, requirement
from fixtures.workloads.services import Service


@requirement(
    "node_port.port_31000_of_every_node_leads_to_three_pods",
    promise="NodePort maps a port on the underlying node, so that the application is reached by node IP and port.",
    source="seed: Kubernetes services, NodePort, with the diagram",
    level=MUST,
    features=("node_ports",),
)
@pytest.mark.parametrize("protocol", ["http", "tcp", "udp"])
def test_the_node_port_of_every_node_leads_to_every_pod(
    *,
    cluster: ClusterInfo,
    node_port_service: Service,
    shared_web: SharedWeb,
    node_port_client: OutsideVantage,
    protocol: Protocol,
    family: IPFamily,
) -> None:
    """Fault: `node_port_closed`, one node drops what comes in on its node ports."""
    targets = node_port_service.on_nodes(cluster, protocol, family)
    shared_web.must_be_reached(node_port_service, targets, [node_port_client])


@requirement(
    "node_port.has_a_cluster_ip_too",
    promise="To make the node port available, Kubernetes sets up a cluster IP, as if the type were ClusterIP.",
    source="kubernetes.io: Service, type: NodePort",
    level=MUST,
)
def test_its_cluster_ip_works_as_well(
    node_port_service: Service, shared_web: SharedWeb, pod_vantages: tuple[PodVantage, ...], family: IPFamily
) -> None:
    """Fault: `backend_dropped`, one node drops what goes to one of the three pods."""
    shared_web.must_be_reached(node_port_service, [node_port_service.by_address("http", 80, family)], pod_vantages)
