"""Node ports that cannot be had are refused, and the refusal says which."""

import pytest

from fixtures.clusters import ClusterInfo
from fixtures.requirements import MUST, requirement
from fixtures.workloads.services import Service, Services


@requirement(
    "node_port.out_of_range_is_refused",
    promise="A node port must be in the configured range; another one makes the API transaction fail.",
    source="kubernetes.io: Service, Choosing your own port",
    level=MUST,
)
@pytest.mark.parametrize("side", ["below", "above"])
def test_a_node_port_out_of_range_is_refused(services: Services, cluster: ClusterInfo, side: str) -> None:
    """Fault: `node_ports_changed`, an admission policy that puts another node port in place of a given one."""
    first, last = cluster.node_port_range
    number = first - 1 if side == "below" else last + 1
    ports = [{"port": 80, "nodePort": number}]
    services.must_be_refused("node-port", naming=[str(number), f"{first}-{last}"], ports=ports)


@requirement(
    "node_port.taken_is_refused",
    promise="You need to take care of possible node port collisions yourself: a port that is taken is refused.",
    source="kubernetes.io: Service, Choosing your own port",
    level=MUST,
)
def test_a_node_port_that_is_taken_is_refused(services: Services, node_port_service: Service) -> None:
    """Fault: `node_ports_changed`."""
    number = node_port_service.node_port("web")
    ports = [{"port": 80, "nodePort": number}]
    services.must_be_refused("node-port", naming=[str(number), "already allocated"], ports=ports)
