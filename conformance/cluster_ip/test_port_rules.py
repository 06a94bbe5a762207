"""Ports of a Service that contradict each other, or the rules for their names, are refused."""

import pytest

from fixtures.api import Object
from fixtures.requirements import MUST, requirement
from fixtures.workloads.services import Services

REFUSED: dict[str, tuple[list[Object], list[str]]] = {
    "two without names": ([{"port": 80}, {"port": 81}], ["spec.ports[0].name", "Required value"]),
    "one name twice": ([{"name": "web", "port": 80}, {"name": "web", "port": 81}], ["spec.ports[1].name", "Duplicate"]),
    "one number twice": ([{"name": "a", "port": 80}, {"name": "b", "port": 80}], ["spec.ports[1]", "Duplicate"]),
    "a name in capitals": ([{"name": "WEB", "port": 80}], ["spec.ports[0].name", "WEB"]),
    "a name with an underscore": ([{"name": "the_web", "port": 80}], ["spec.ports[0].name", "the_web"]),
    "a targetPort name without a letter": (
        [{"port": 80, "targetPort": "80-81"}],
        ["spec.ports[0].targetPort", "80-81"],
    ),
    "a targetPort name of 16 letters": ([{"port": 80, "targetPort": "a" * 16}], ["spec.ports[0].targetPort", "15"]),
    "number 0": ([{"port": 0}], ["spec.ports[0].port", "between 1 and 65535"]),
    "number 65536": ([{"port": 65536}], ["spec.ports[0].port", "between 1 and 65535"]),
    "another protocol": ([{"port": 80, "protocol": "ICMP"}], ["spec.ports[0].protocol", "ICMP"]),
}
"""Ports, and what the refusal must name."""


@requirement(
    "cluster_ip.contradicting_ports_are_refused",
    promise="Ports need names when there are several, each name and each number with a protocol once, by the rules.",
    source="kubernetes.io: Service, Multi-port Services, and Port definitions; Service v1 API, ServicePort",
    level=MUST,
)
@pytest.mark.parametrize("ports", REFUSED)
def test_contradicting_ports_are_refused(services: Services, ports: str) -> None:
    """Fault: `settings_ignored`, an admission policy that puts a port that can be had in their place."""
    given, naming = REFUSED[ports]
    services.must_be_refused("ports", naming=naming, ports=given)
