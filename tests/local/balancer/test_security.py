"""Security rules on what arrives at nodes from outside their segment."""

from __future__ import annotations

from contextlib import closing

import pytest

from fixtures.azure.plan import Plan, SecurityRule
from tests.azure_plans import INTERNAL, MEMBERS, OPEN, PUBLIC, rule, security
from tests.local.balancer.site import CONNECTED, NODE, PORT, SEGMENT, VNET, Client, Site, internet

DENY_FIRST, DENY_LAST = security(400, allow=False), security(600, allow=False)


def web(
    *sources: str, protocol: str = "Tcp", to: tuple[str, ...] = PUBLIC, ports: tuple[str, ...] = (str(PORT),)
) -> tuple[SecurityRule, ...]:
    """The rule that a Service has: sources may reach a port of the frontends."""
    return (security(protocol=protocol, sources=sources, destinations=to, destination_ports=ports),)


RANGES = ("198.51.100.0/28", "2001:db8:f::/124")

CASES: dict[str, tuple[tuple[SecurityRule, ...], Client, bool]] = {
    "nothing is open by default": ((), internet(), False),
    "the Internet": (web("Internet"), internet(), True),
    "every address": (web("0.0.0.0/0", "::/0"), internet(), True),
    "a client that is not in the Internet": (web("Internet"), CONNECTED, False),
    "a source range": (web(*RANGES), internet(), True),
    "outside the source range": (web(*RANGES), internet(20), False),
    "another port": (web("*", ports=("81", "90-100")), internet(), False),
    "a range of ports": (web("*", ports=("70-90",)), internet(), True),
    "another protocol": (web("*", protocol="Udp"), internet(), False),
    "another destination": (web("*", to=INTERNAL), internet(), False),
    "a denial before": ((DENY_FIRST, security(500)), internet(), False),
    "a denial after": ((DENY_LAST, security(500)), internet(), True),
    "a service tag that is not known": (web("AzureFrontDoor.Backend"), internet(), False),
}


@pytest.mark.parametrize("v6", [0, 1], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("case", CASES)
def test_new_flows_to_a_public_frontend_need_a_rule(net: Site, case: str, v6: int) -> None:
    rules, client, allowed = CASES[case]
    net.apply(Plan((rule(frontend=PUBLIC[v6]),), rules))
    if allowed:
        assert net.ask(PUBLIC[v6], PORT, client)
    else:
        assert net.silent(PUBLIC[v6], PORT, client)


def test_without_floating_ip_rules_are_about_the_node_and_its_port(net: Site) -> None:
    translated = rule(port=8000, backend_port=PORT, floating_ip=False)
    for destinations, port, allowed in ((PUBLIC, "8000", False), (MEMBERS[0], str(PORT), True), (PUBLIC, "80", False)):
        rules = (security(destinations=destinations, destination_ports=(port,)),)
        net.apply(Plan((translated,), rules))
        assert net.silent(PUBLIC[0], 8000, internet()) is not allowed


def test_a_flow_that_is_there_outlives_a_denial(net: Site) -> None:
    net.apply(Plan((rule(),), (OPEN,)))
    with closing(net.open(PUBLIC[0], PORT, internet())) as held:
        node = held.ask().node
        net.apply(Plan((rule(),), (DENY_FIRST, OPEN)))
        assert held.ask().node == node
        assert net.silent(PUBLIC[0], PORT, internet())


@pytest.mark.parametrize("v6", [0, 1], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize(
    ("client", "answers"),
    [(CONNECTED, True), (VNET, True), (SEGMENT, True), (internet(), False)],
    ids=["connected", "vnet", "segment", "internet"],
)
def test_by_default_nodes_are_open_to_the_virtual_network_alone(
    net: Site, v6: int, client: Client, answers: bool
) -> None:
    net.apply(Plan((), ()))
    assert net.silent(MEMBERS[v6][0], PORT, client) is not answers


@pytest.mark.parametrize("v6", [0, 1], ids=["ipv4", "ipv6"])
def test_what_nodes_send_is_not_limited(net: Site, v6: int) -> None:
    net.apply(Plan((), (DENY_FIRST,)))
    assert net.ask(internet().addresses[v6], PORT, NODE).peer == NODE.addresses[v6]
    assert net.ask(MEMBERS[v6][1], PORT, SEGMENT), "nor is the segment"
    assert net.silent(MEMBERS[v6][0], PORT, VNET)
