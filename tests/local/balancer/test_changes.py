"""What changes of a plan do to flows that are there, and what is left when the load balancer ends."""

from __future__ import annotations

import threading
from contextlib import ExitStack, closing

import pytest

from fixtures.azure.balancer import NftBalancer
from fixtures.azure.plan import Plan
from tests.azure_plans import INTERNAL, MEMBERS, OPEN, PUBLIC, rule, security, topology
from tests.local.balancer.site import OTHER_PORT, PORT, VNET, Site, internet, site

kinds = pytest.mark.parametrize("floating_ip", [True, False], ids=["floating", "translated"])


@kinds
@pytest.mark.parametrize("v6", [0, 1], ids=["ipv4", "ipv6"])
def test_a_flow_keeps_its_node_when_members_change(net: Site, floating_ip: bool, v6: int) -> None:
    first, second, third = MEMBERS[v6]
    pools = [(first, second, third), (third, first), (second,), (first, second, third), (third, second, first)]
    with ExitStack() as stack:
        net.apply(Plan((rule(frontend=PUBLIC[v6], floating_ip=floating_ip, members=pools[0]),), (OPEN,)))
        held = [stack.enter_context(closing(net.open(PUBLIC[v6], PORT, internet()))) for _ in range(20)]
        nodes = [conversation.ask().node for conversation in held]
        assert len(set(nodes)) == 3
        for pool in pools[1:]:
            net.apply(Plan((rule(frontend=PUBLIC[v6], floating_ip=floating_ip, members=pool),), (OPEN,)))
            assert [conversation.ask().node for conversation in held] == nodes
            new = {net.ask(PUBLIC[v6], PORT, internet()).local for _ in range(30)}
            assert floating_ip or new == set(pool), "new flows go to the members that there are"


def test_a_udp_flow_leaves_a_node_that_is_no_member_any_more(net: Site) -> None:
    net.apply(Plan((rule(protocol="udp"),), (OPEN,)))
    with ExitStack() as stack:
        held = [stack.enter_context(closing(net.open(PUBLIC[0], PORT, internet(), udp=True))) for _ in range(20)]
        before = [conversation.ask().node for conversation in held]
        net.apply(Plan((rule(protocol="udp", members=MEMBERS[0][1:]),), (OPEN,)))
        after = [conversation.ask().node for conversation in held]
    assert "node-1" in before
    assert "node-1" not in after
    stayed = [now for was, now in zip(before, after, strict=True) if was != "node-1"]
    assert stayed == [was for was in before if was != "node-1"], "the others stay"


def test_the_flows_of_a_rule_end_with_it(net: Site) -> None:
    other = rule("other", port=OTHER_PORT)
    net.apply(Plan((rule(), other), (OPEN,)))
    with (
        closing(net.open(PUBLIC[0], PORT, internet())) as held,
        closing(net.open(PUBLIC[0], OTHER_PORT, internet())) as kept,
    ):
        assert held.ask()
        assert kept.ask()
        net.apply(Plan((other,), (OPEN,)))
        assert kept.ask()
        with pytest.raises(TimeoutError):
            held.ask(timeout_s=0.4)


def test_plans_that_change_all_the_time_break_no_flow(net: Site) -> None:
    plans = [
        Plan((rule(members=members), rule("other", INTERNAL[0], floating_ip=floating)), (OPEN, security(600 + number)))
        for number, (members, floating) in enumerate(((MEMBERS[0], True), (MEMBERS[0][1:], False), (MEMBERS[0], False)))
    ]
    net.apply(plans[0])
    done = threading.Event()
    applied: list[float] = []

    def apply_on() -> None:
        for number in range(60):
            applied.append(net.apply(plans[number % 3]))
        done.set()

    changing = threading.Thread(target=apply_on)
    asked = 0
    with closing(net.open(PUBLIC[0], PORT, internet())) as held:
        node = held.ask().node
        changing.start()
        try:
            while not done.is_set():
                assert held.ask().node == node
                assert net.ask(PUBLIC[0], PORT, internet())
                assert net.ask(INTERNAL[0], PORT, VNET)
                asked += 1
        finally:
            changing.join()
    assert (len(applied), asked > 60) == (60, True)


def test_nothing_is_done_for_a_plan_that_changes_nothing(net: Site) -> None:
    plan = Plan((rule(),), (OPEN,))
    net.apply(plan)
    before = net.run("router", "nft", "-a", "list", "ruleset")
    net.apply(Plan((rule(),), (OPEN,)))
    assert net.run("router", "nft", "-a", "list", "ruleset") == before, "a table that was replaced has other handles"


STATE = (
    ("nft", "list", "tables"),
    ("ip", "rule"),
    ("ip", "-6", "rule"),
    ("ip", "route", "show", "table", "all"),
    ("ip", "-6", "route", "show", "table", "all"),
    ("ip", "neighbour", "show", "proxy"),
    ("ip", "-6", "neighbour", "show", "proxy"),
    ("ip", "-brief", "address"),
)


def state(net: Site) -> list[list[str]]:
    """What the router's namespace has."""
    return [sorted(net.run("router", *argv).splitlines()) for argv in STATE]


def test_a_load_balancer_takes_away_what_it_made_and_what_a_dead_one_left() -> None:
    plan = Plan((rule(), rule("v6", INTERNAL[1]), rule("v4", INTERNAL[0])), (OPEN,))
    with site(idle_minute_s=60.0) as own:
        own.router.call(own.balancer.close())
        before = state(own)
        for _ in range(2):
            # The first of the two is never closed.
            balancer = NftBalancer(topology())
            own.router.call(balancer.start())
            own.router.call(balancer.apply(plan))
        assert state(own) != before
        own.router.call(balancer.close())
        assert state(own) == before
