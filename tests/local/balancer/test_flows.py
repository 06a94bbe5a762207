"""Where new flows go, and what the node sees of them."""

from __future__ import annotations

import pytest

from fixtures.azure.plan import Plan
from tests.azure_plans import INTERNAL, MEMBERS, OPEN, PUBLIC, rule
from tests.local.balancer.site import (
    CONNECTED,
    INTERNET_CLIENTS,
    OTHER_PORT,
    PORT,
    SEGMENT,
    VNET,
    Client,
    Site,
    internet,
)

CONNECTIONS = 300
LEAST = CONNECTIONS // 3 - 49
"""Six standard deviations below an even share of three: a fair hash gives less in one run of 10^9."""

families = pytest.mark.parametrize("v6", [0, 1], ids=["ipv4", "ipv6"])
transports = pytest.mark.parametrize("udp", [False, True], ids=["tcp", "udp"])


@families
@transports
def test_new_flows_spread_evenly_and_keep_both_addresses(net: Site, v6: int, udp: bool) -> None:
    net.apply(Plan((rule(frontend=PUBLIC[v6], protocol="udp" if udp else "tcp"),), (OPEN,)))
    answer = net.ask(PUBLIC[v6], PORT, internet(), udp=udp)
    assert (answer.peer, answer.local) == (internet().addresses[v6], PUBLIC[v6])
    counts = net.who(PUBLIC[v6], PORT, internet(), CONNECTIONS, udp=udp)
    assert len(counts) == 3
    assert min(counts.values()) >= LEAST, counts


def test_what_a_node_does_not_know_it_does_not_send_back(net: Site) -> None:
    """As where kube-proxy does not know a load balancer yet: its node forwards the packet to its router.

    Over IPv4 alone: over IPv6 nobody is told that a packet went round, so that silence says nothing.
    """
    (public, *_), nodes = PUBLIC, [name for name in net.hosts if name.startswith("node-")]
    net.apply(Plan((rule(frontend=public),), (OPEN,)))
    for node in nodes:
        # As every node of a cluster does; a new network namespace has what its machine has.
        net.run(node, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
        net.run(node, "ip", "route", "del", "local", public, "table", "local")
    try:
        assert net.silent(public, PORT, internet())
    finally:
        for node in nodes:
            net.run(node, "ip", "route", "add", "local", public, "dev", "lo", "table", "local")
    assert net.ask(public, PORT, internet()).local == public


@families
@transports
def test_without_floating_ip_the_node_and_its_port_are_the_destination(net: Site, v6: int, udp: bool) -> None:
    protocol = "udp" if udp else "tcp"
    web = rule("web", PUBLIC[v6], 8000, backend_port=PORT, floating_ip=False, protocol=protocol)
    net.apply(Plan((web,), (OPEN,)))
    answers = [net.ask(PUBLIC[v6], 8000, internet(), udp=udp) for _ in range(30)]
    assert {answer.peer for answer in answers} == {internet().addresses[v6]}
    assert {answer.local for answer in answers} == set(MEMBERS[v6])


@families
def test_with_source_ip_a_client_has_one_node_on_all_ports_of_a_frontend(net: Site, v6: int) -> None:
    rules = [rule(f"p{p}", PUBLIC[v6], p, distribution="SourceIP") for p in (PORT, OTHER_PORT)]
    net.apply(Plan(tuple(rules), (OPEN,)))
    nodes: list[str] = []
    for number in range(INTERNET_CLIENTS):
        client = internet(number)
        seen = net.who(PUBLIC[v6], PORT, client, 4) + net.who(PUBLIC[v6], OTHER_PORT, client, 4)
        assert len(seen) == 1, f"{client}: {seen}"
        nodes += seen
    assert set(nodes) == {"node-1", "node-2", "node-3"}, "not all clients to one node"


def test_with_source_ip_and_protocol_a_client_has_one_node_for_each_protocol(net: Site) -> None:
    rules = [rule(protocol, protocol=protocol, distribution="SourceIPProtocol") for protocol in ("tcp", "udp")]
    net.apply(Plan(tuple(rules), (OPEN,)))
    pairs = set()
    for number in range(INTERNET_CLIENTS):
        tcp, udp = (net.who(PUBLIC[0], PORT, internet(number), 4, udp=udp) for udp in (False, True))
        assert (len(tcp), len(udp)) == (1, 1)
        pairs.add((*tcp, *udp))
    assert {tcp == udp for tcp, udp in pairs} == {True, False}, "the protocol is hashed, too"


@families
@pytest.mark.parametrize("floating_ip", [True, False], ids=["floating", "translated"])
def test_ha_ports_are_all_ports_of_both_protocols(net: Site, v6: int, floating_ip: bool) -> None:
    everything = rule(frontend=INTERNAL[v6], port=0, protocol="all", floating_ip=floating_ip)
    net.apply(Plan((everything,), ()))
    for port, udp in ((PORT, False), (OTHER_PORT, False), (PORT, True)):
        answers = [net.ask(INTERNAL[v6], port, VNET, udp=udp) for _ in range(40)]
        assert {answer.node for answer in answers} == {"node-1", "node-2", "node-3"}
        assert {answer.local for answer in answers} == ({INTERNAL[v6]} if floating_ip else set(MEMBERS[v6]))


@families
@pytest.mark.parametrize("client", [VNET, CONNECTED], ids=lambda client: client.host)
def test_an_internal_frontend_answers_the_virtual_network_and_what_is_connected(
    net: Site, v6: int, client: Client
) -> None:
    net.apply(Plan((rule(frontend=INTERNAL[v6]),), ()))
    assert net.ask(INTERNAL[v6], PORT, client).peer == client.addresses[v6]


@families
def test_an_internal_frontend_is_not_in_the_internet(net: Site, v6: int) -> None:
    net.apply(Plan((rule(frontend=INTERNAL[v6]),), (OPEN,)))
    assert net.silent(INTERNAL[v6], PORT, internet())
    assert net.ask(INTERNAL[v6], PORT, VNET)


@families
@pytest.mark.parametrize("floating_ip", [True, False], ids=["floating", "translated"])
def test_a_host_on_the_nodes_segment_finds_an_internal_frontend(net: Site, v6: int, floating_ip: bool) -> None:
    net.apply(Plan((rule(frontend=INTERNAL[v6], floating_ip=floating_ip),), ()))
    assert set(net.who(INTERNAL[v6], PORT, SEGMENT, 40)) == {"node-1", "node-2", "node-3"}


@families
@transports
def test_a_port_without_a_rule_is_silent(net: Site, v6: int, udp: bool) -> None:
    protocol = "udp" if udp else "tcp"
    net.apply(Plan((rule("a", PUBLIC[v6], protocol=protocol), rule("b", INTERNAL[v6], protocol=protocol)), (OPEN,)))
    for frontend, client in ((PUBLIC[v6], internet()), (INTERNAL[v6], VNET)):
        assert net.ask(frontend, PORT, client, udp=udp)
        assert net.silent(frontend, OTHER_PORT, client, udp=udp)
        assert net.silent(frontend, PORT, client, udp=not udp)


@families
def test_a_frontend_that_is_gone_is_silent(net: Site, v6: int) -> None:
    plan = Plan((rule("a", PUBLIC[v6]), rule("b", INTERNAL[v6])), (OPEN,))
    net.apply(plan)
    assert net.ask(INTERNAL[v6], PORT, VNET)
    net.apply(Plan((), (OPEN,)))
    assert net.silent(PUBLIC[v6], PORT, internet())
    assert net.silent(INTERNAL[v6], PORT, VNET)


def test_two_load_balancers_share_nothing(net: Site) -> None:
    one, two = (
        rule("one", members=MEMBERS[0][:1]),
        rule("two", "203.0.113.6", members=MEMBERS[0][1:2], floating_ip=False),
    )
    net.apply(Plan((one, two), (OPEN,)))
    assert set(net.who(PUBLIC[0], PORT, internet(), 10)) == {"node-1"}
    assert set(net.who("203.0.113.6", PORT, internet(), 10)) == {"node-2"}
