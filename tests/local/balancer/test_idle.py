"""The idle timeout of TCP flows."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from fixtures.azure.plan import BalancingRule, Plan
from tests.azure_plans import INTERNAL, MEMBERS, OPEN, PUBLIC, rule
from tests.local.balancer.site import (
    MINUTE_S,
    OTHER_PORT,
    PORT,
    SEGMENT,
    VNET,
    Client,
    Conversation,
    Site,
    internet,
    must_become,
)

MINUTES = 4
IDLE_S = MINUTES * MINUTE_S
LATEST_S = IDLE_S + 3.0
"""The kernel counts in seconds, and this machine may be busy."""

CASES = [
    pytest.param(rule(frontend=frontend, idle_timeout_min=MINUTES, floating_ip=floating), client, id=name)
    for name, frontend, floating, client in (
        ("floating-ipv4", PUBLIC[0], True, internet()),
        ("floating-ipv6", PUBLIC[1], True, internet()),
        ("translated-ipv4", PUBLIC[0], False, internet()),
        ("translated-ipv6", PUBLIC[1], False, internet()),
        ("internal", INTERNAL[0], True, VNET),
        ("segment-floating", INTERNAL[0], True, SEGMENT),
        ("segment-translated", INTERNAL[0], False, SEGMENT),
    )
]


def resets(net: Site) -> int:
    """How many connections all servers have seen reset."""
    return sum(backend.resets for backend in net.backends)


def flows(net: Site, conversation: Conversation) -> int:
    """Whether the router knows a client's flow."""
    port = f"sport={conversation.socket.getsockname()[1]} "
    return sum(port in line for line in net.run("router", "cat", "/proc/net/nf_conntrack").splitlines())


@pytest.mark.parametrize(("web", "client"), CASES)
def test_both_ends_of_an_idle_flow_get_a_reset(net: Site, web: BalancingRule, client: Client) -> None:
    net.apply(Plan((web,), (OPEN,)))
    with closing(net.open(web.frontend, PORT, client)) as held:
        held.ask()
        started = time.monotonic()
        with pytest.raises(ConnectionResetError):
            held.hears(LATEST_S)
        assert time.monotonic() - started >= IDLE_S
        must_become(lambda: resets(net) == 1, "a reset at the server", 1.0)


@pytest.mark.parametrize("floating_ip", [True, False], ids=["floating", "translated"])
def test_without_tcp_reset_an_idle_flow_is_dropped_silently(net: Site, floating_ip: bool) -> None:
    net.apply(Plan((rule(idle_timeout_min=MINUTES, tcp_reset=False, floating_ip=floating_ip),), (OPEN,)))
    with closing(net.open(PUBLIC[0], PORT, internet())) as held:
        held.ask()
        assert must_become(lambda: not flows(net, held), "the flow forgotten", LATEST_S) >= IDLE_S
        for backend in net.backends:
            backend.shout()
        assert held.hears() is None, "nothing of the server arrives"
        with pytest.raises(TimeoutError):
            held.ask(timeout_s=0.4)
    assert resets(net) == 0


def test_a_flow_with_traffic_is_not_idle(net: Site) -> None:
    net.apply(Plan((rule(idle_timeout_min=MINUTES),), (OPEN,)))
    with closing(net.open(PUBLIC[0], PORT, internet())) as held, closing(net.open(PUBLIC[0], PORT, internet())) as idle:
        assert idle.ask()
        node = held.ask().node
        for _ in range(8):
            assert held.hears(IDLE_S / 2) is None
            assert held.ask().node == node
        with pytest.raises(ConnectionResetError):
            idle.hears()


def test_ha_ports_of_an_internal_load_balancer_have_no_reset(net: Site) -> None:
    web = rule(frontend=INTERNAL[0], port=0, protocol="all", idle_timeout_min=MINUTES)
    net.apply(Plan((web,), ()))
    with closing(net.open(INTERNAL[0], PORT, VNET)) as held:
        held.ask()
        must_become(lambda: not flows(net, held), "the flow forgotten", LATEST_S)
        assert held.hears() is None
    assert resets(net) == 0


def test_a_shorter_timeout_holds_for_flows_that_are_there(net: Site) -> None:
    net.apply(Plan((rule(),), (OPEN,)))
    with closing(net.open(PUBLIC[0], PORT, internet())) as held:
        held.ask()
        assert held.hears(IDLE_S) is None
        net.apply(Plan((rule(idle_timeout_min=MINUTES),), (OPEN,)))
        with pytest.raises(ConnectionResetError):
            held.hears(LATEST_S)


def test_a_reset_finds_its_way_through_a_node_that_translates(net: Site) -> None:
    """As kube-proxy leads a connection to a pod, and as its rules drop what connection tracking calls invalid."""
    table = f"""table ip proxy {{
        chain prerouting {{ type nat hook prerouting priority dstnat;
            ip daddr {PUBLIC[0]} tcp dport {PORT} dnat to 198.18.63.11:{OTHER_PORT}
        }}
        chain input {{ type filter hook input priority filter; ct state invalid drop; }}
    }}"""
    net.run("node-1", "nft", table)
    try:
        net.apply(Plan((rule(idle_timeout_min=MINUTES, members=MEMBERS[0][:1]),), (OPEN,)))
        with closing(net.open(PUBLIC[0], PORT, internet())) as held:
            assert held.ask().local == MEMBERS[0][0]
            with pytest.raises(ConnectionResetError):
                held.hears(LATEST_S)
            must_become(lambda: resets(net) == 1, "a reset at the server", 1.0)
    finally:
        net.run("node-1", "nft", "delete table ip proxy")
