"""The rules of a load balancer: on the desired ports, for the desired protocols, and on no others."""

from collections.abc import Callable

import pytest

from conformance.load_balancer.front import Front
from fixtures.checks.holding import must_hold
from fixtures.checks.isolation import isolated
from fixtures.clusters import IPFamily
from fixtures.prober.plan import Protocol, Target
from fixtures.requirements import MUST, requirement

MustLead = Callable[[Protocol, int, int], None]
NOT_DECLARED = (79, 8080, 8079)
"""Ports of the pods, or next to the Service's, that it does not have."""


@pytest.fixture
def must_lead(front: Front, family: IPFamily) -> MustLead:
    """Check that a protocol and port of the external IP lead to a port of every pod."""

    def check(protocol: Protocol, port: int, pod_port: int) -> None:
        front.must_reach([front.external("ports", protocol, port, family)], pod_port=pod_port)

    return check


@requirement(
    "load_balancer.each_port_has_its_rule",
    promise="Load-balancing rules are created on the desired ports: each port of a Service leads to its targetPort.",
    source="seed: Kubernetes services, LoadBalancer; kubernetes.io: Service, Multi-port Services",
    level=MUST,
    features=("load_balancer", "outside"),
)
@pytest.mark.parametrize("port", [8081, 8082], ids=["by number", "by name"])
def test_each_port_has_its_rule(must_lead: MustLead, port: int) -> None:
    """Fault: `rule_missing`, the load balancer has rules for no port but one that nobody uses."""
    must_lead("http", port, 8080)


@requirement(
    "load_balancer.carries_udp",
    promise="A Service of type LoadBalancer carries UDP as well: datagrams reach every pod, and answers come back.",
    source="kubernetes.io: Protocols for Services, UDP",
    level=MUST,
    features=("load_balancer", "outside"),
)
def test_udp_is_carried(must_lead: MustLead) -> None:
    """Fault: `rule_missing`."""
    must_lead("udp", 8084, 80)


@requirement(
    "load_balancer.one_number_for_tcp_and_udp",
    promise="A load balancer may have TCP and UDP on one port number of one address, each led to its own targetPort.",
    source="kubernetes.io: Service, Load balancers with mixed protocol types; AKS issues 754 and 1026",
    level=MUST,
    features=("load_balancer", "outside"),
)
@pytest.mark.parametrize(("protocol", "pod_port"), [("tcp", 80), ("udp", 8080)])
def test_tcp_and_udp_share_a_port_number(must_lead: MustLead, protocol: Protocol, pod_port: int) -> None:
    """Fault: `rule_missing`."""
    must_lead(protocol, 8083, pod_port)


@requirement(
    "load_balancer.no_other_port_answers",
    promise="Rules are created on the desired ports alone: on no other port does the external IP answer.",
    source="seed: Kubernetes services, LoadBalancer: on the desired ports",
    level=MUST,
    features=("load_balancer", "outside"),
)
def test_a_port_without_a_rule_does_not_answer(front: Front, family: IPFamily) -> None:
    """Fault: `answers_leaked`, the router answers at ports without a rule."""
    control = front.must_reach([front.external("diagram", "http", 80, family)])
    address = front.service("diagram").external_ips[family]
    ports = (*NOT_DECLARED, front.service("diagram").node_port("web"))
    others = [
        Target.model_validate(
            {"name": f"{protocol} external {port}", "address": address, "port": port, "protocol": protocol}
        )
        for port in ports
        for protocol in ("tcp", "udp")
    ]
    silent = front.probing.run(others, [front.outside], count=3)
    must_hold(front.history, isolated(silent, control=control))
