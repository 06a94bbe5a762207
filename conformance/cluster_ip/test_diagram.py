"""The ClusterIP diagram: port 80 of the Service, three pods on port 80."""

import pytest

from conformance.shared_web import SharedWeb
from fixtures.clusters import IPFamily
from fixtures.prober.plan import Protocol
from fixtures.prober.vantages import PodVantage
from fixtures.requirements import MUST, requirement
from fixtures.workloads.services import Service


@requirement(
    "cluster_ip.port_80_leads_to_three_pods_on_port_80",
    promise="Internal traffic to port 80 of the Service reaches the three pods on port 80, by address and by name.",
    source="seed: Kubernetes services, ClusterIP, the diagram",
    level=MUST,
)
@pytest.mark.parametrize("protocol", ["http", "tcp", "udp"])
def test_every_pod_is_reached_from_every_node(
    cluster_ip_service: Service,
    shared_web: SharedWeb,
    pod_vantages: tuple[PodVantage, ...],
    protocol: Protocol,
    family: IPFamily,
) -> None:
    """Fault: `backend_dropped`, one node drops what goes to one of the three pods."""
    targets = [cluster_ip_service.by_address(protocol, 80, family), cluster_ip_service.by_name(protocol, 80, family)]
    shared_web.must_be_reached(cluster_ip_service, targets, pod_vantages)
