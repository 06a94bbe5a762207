"""The load balancer's rules as text: what of them can be said without a kernel."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, ip_network
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.azure.balancer.names import (
    MARK,
    MARK_MASK,
    MEMBER_MASK,
    MEMBER_SLOTS,
    RULE_MASK,
    RULE_SHIFT,
    RULE_SLOTS,
    Slots,
    mark,
)
from fixtures.azure.balancer.ruleset import Chains, Offer, frontend_ranges, ruleset, transaction
from fixtures.azure.plan import BalancingRule
from fixtures.errors import SuiteError
from tests.azure_plans import INTERNAL, MEMBERS, PUBLIC, REPEATED, rule, topology

SLOTS = {member: number for number, member in enumerate((*MEMBERS[0], *MEMBERS[1]), 1)}


def offer(offered: BalancingRule, slot: int = 1, healthy: tuple[str, ...] | None = None) -> Offer:
    """A rule with all of its members healthy, or some."""
    members = {member: SLOTS[member] for member in offered.members}
    return Offer(offered, slot, members, offered.members if healthy is None else healthy)


def of(*offers: Offer) -> Chains:
    """The table for some rules."""
    return ruleset(topology(), "br0", offers, ())


@REPEATED
@given(st.integers(1, RULE_SLOTS - 1), st.integers(1, MEMBER_SLOTS - 1), st.booleans(), st.integers(1, RULE_SLOTS - 1))
def test_a_mark_tells_rule_and_node_and_nothing_else(slot: int, member: int, udp: bool, other: int) -> None:
    value = mark(slot, member, udp=udp)
    assert value & MARK_MASK == MARK
    assert ((value & RULE_MASK) >> RULE_SHIFT, value & MEMBER_MASK) == (slot, member)
    assert (mark(slot, member, udp=udp) == mark(other, member)) == (slot == other and not udp)


@REPEATED
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans()), max_size=40))
def test_slots_are_unique_kept_and_used_again_late(steps: list[tuple[str, bool]]) -> None:
    slots: Slots[str] = Slots(8, "letters")
    held: dict[str, int] = {}
    last = 0
    for letter, release in steps:
        if release:
            held.pop(letter, None)
            slots.release_all_but(held)
            continue
        new = letter not in held
        held[letter] = slots[letter]
        assert 1 <= held[letter] < 8
        if new and last < 7:
            assert held[letter] > last, "no number comes again before all were used"
            last = held[letter]
    assert len(set(held.values())) == len(held)
    assert {letter: slots[letter] for letter in held} == held


def test_slots_run_out_with_one_line() -> None:
    slots: Slots[int] = Slots(3, "backends")
    assert (slots[7], slots[8]) == (1, 2)
    with pytest.raises(SuiteError, match="has room for 2 backends"):
        slots[9]


def test_new_flows_are_spread_over_the_healthy_members_only() -> None:
    first, _, third = MEMBERS[0]
    (spread, *chosen, last) = of(offer(rule(), 5, (first, third)))["choose_5"]
    assert " mod 2 " in spread
    assert chosen == [
        f"meta l4proto tcp meta mark {number} ct mark set {mark(5, SLOTS[member]):#x} goto to_node"
        for number, member in enumerate((first, third))
    ]
    assert last == "drop"


def test_without_a_healthy_member_new_flows_are_dropped() -> None:
    assert of(offer(rule(), healthy=()))["choose_1"] == ["drop"]


@pytest.mark.parametrize(
    ("distribution", "hashed"),
    [
        ("Default", "ip saddr . th sport . ip daddr . th dport . meta l4proto"),
        ("SourceIP", "ip saddr . ip daddr"),
        ("SourceIPProtocol", "ip saddr . ip daddr . meta l4proto"),
    ],
)
def test_what_is_hashed_follows_the_distribution(distribution: str, hashed: str) -> None:
    assert f"jhash {hashed} mod 3 " in of(offer(rule(distribution=distribution)))["choose_1"][0]


@pytest.mark.parametrize(("distribution", "same"), [("Default", False), ("SourceIP", True), ("SourceIPProtocol", True)])
def test_only_where_ports_are_not_hashed_two_rules_choose_alike(distribution: str, same: bool) -> None:
    made = of(*(offer(rule(f"r{n}", port=n, distribution=distribution), n) for n in (1, 2)))
    seeds = {re.findall(r"seed (\w+)", made[f"choose_{n}"][0])[0] for n in (1, 2)}
    assert (len(seeds) == 1) == same
    assert "0x0" not in seeds, "the kernel would draw one by chance, and another each time"


@pytest.mark.parametrize(("v6", "target"), [(0, "dnat ip to {}:81"), (1, "dnat ip6 to [{}]:81")])
def test_members_that_are_down_are_still_translated_to(v6: int, target: str) -> None:
    """A packet that was given to one just before must not be sent on untranslated."""
    web = rule(frontend=PUBLIC[v6], floating_ip=False, backend_port=81)
    statements = of(offer(web, 7, MEMBERS[v6][:1]))["translate_7"]
    assert statements == [
        f"meta l4proto tcp ct mark {mark(7, SLOTS[member]):#x} {target.format(member)}" for member in MEMBERS[v6]
    ]


def test_with_floating_ip_nothing_is_translated() -> None:
    made = of(offer(rule()), offer(rule("v6", PUBLIC[1]), 2))
    assert [line for statements in made.values() for line in statements if " dnat " in line] == []


def test_a_rule_for_one_port_comes_before_one_for_all() -> None:
    made = of(offer(rule(port=0, protocol="all"), 1), offer(rule("one"), 2))
    asked = [line for line in made["decide"] if "goto" in line]
    assert asked == [f"ip daddr {PUBLIC[0]} tcp dport 80 goto rule_2", f"ip daddr {PUBLIC[0]} goto rule_1"]


def test_there_are_no_sets() -> None:
    """A packet can miss what a set has, while the rule with the set is being replaced."""
    rules = [rule(), rule("ha", INTERNAL[0], 0, protocol="all", floating_ip=False), rule("v6", PUBLIC[1])]
    made = of(*(offer(one, number) for number, one in enumerate(rules, 1)))
    assert [line for statements in made.values() for line in statements if "{" in line or "@" in line] == []


@pytest.mark.parametrize("v6", [0, 1])
def test_an_internal_rule_is_for_the_virtual_network_and_the_segment(v6: int) -> None:
    (first, *guard, last) = of(offer(rule(frontend=INTERNAL[v6])))["rule_1"]
    assert (first, last) == ('iifname "br0" goto choose_1', "drop")
    inside = [ip_network(line.split()[2]) for line in guard]
    ours = topology()
    for network in (*ours.virtual_network_ranges, *ours.connected_ranges, *ours.public_ranges):
        within = any(network.version == one.version and one.supernet_of(network) for one in inside)  # type: ignore[arg-type]
        assert within == (network.version == (6 if v6 else 4) and network not in ours.public_ranges)


@REPEATED
@given(st.sets(st.integers(90, 254), max_size=8), st.integers(1, 200))
def test_frontends_are_all_addresses_from_the_first_free_one_but_the_nodes(nodes: set[int], first: int) -> None:
    network = IPv4Network("198.18.63.0/24")
    ours = topology(
        nodes=[{"name": f"n{host}", "addresses": [str(network[host])]} for host in nodes],
        subnet_ranges=[str(network)],
        other_subnets={},
        public_ranges=[],
        first_free_host=first,
    )
    ranges = frontend_ranges(ours, (), 4)
    taken = {address for address in network if any(low <= int(address) <= high for low, high in ranges)}
    assert taken == {network[host] for host in range(first, 256) if host not in nodes}
    assert all(before[1] < after[0] for before, after in pairwise(ranges)), "a set has no overlaps"


NAMES = st.sampled_from(["a", "b", "c", "d"])
TABLES = st.dictionaries(NAMES, st.lists(st.sampled_from(["accept", "drop", "goto a"]), max_size=2))


@REPEATED
@given(st.none() | TABLES, TABLES)
def test_a_transaction_changes_what_differs_and_nothing_else(before: Chains | None, after: Chains) -> None:
    lines = transaction(before, after).splitlines()
    table = {name: list(statements) for name, statements in (before or {}).items()}
    touched = set()
    current = ""
    for line in lines:
        words = line.split()
        if words[0] == "flush":
            table[words[-1]] = []
        elif words[:2] == ["delete", "chain"]:
            assert table.pop(words[-1]) == [], "a chain with rules may refer to others"
        elif words[:2] == ["delete", "table"]:
            table = {}
        elif words[0] == "chain":
            current = words[1]
            touched.add(current)
            table.setdefault(current, [])
        elif line != "}" and words[0] != "table":
            table[current].append(line)
    assert table == after
    assert touched == {name for name in after if before is None or before.get(name) != after[name]}
    assert lines or before == after
