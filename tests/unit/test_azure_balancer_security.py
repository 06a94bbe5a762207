"""Security rules as nftables chains: what they do is compared with what the rules say."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.azure.balancer.security import DEFAULT_RULES, ENTRY, _ports, security_chains
from fixtures.azure.plan import SecurityRule
from tests.azure_plans import MEMBERS, PUBLIC, REPEATED, security, topology

PORTS = st.integers(0, 65535)
SITE = topology()
ADDRESSES = (
    *("198.51.100.2", "192.0.2.7", "198.18.63.11", "198.19.127.2", "198.19.63.2", "168.63.129.16", "203.0.113.5"),
    *("2001:db8:f::2", "fd5c:c:3f::b", "fd5c:c:3f:3::2", "fd00::1234:5678:9abc", "2001:db8:cafe::5"),
)
PREFIXES = (
    *("*", "Internet", "VirtualNetwork", "AzureLoadBalancer", "AzureFrontDoor.Backend", "internet"),
    *("0.0.0.0/0", "::/0", "192.0.2.0/24", "192.0.2.7", "198.51.0.0/16", "203.0.113.5", "2001:db8::/32"),
)


@dataclass(frozen=True)
class Packet:
    """The first packet of a flow."""

    source: str
    destination: str
    protocol: str
    source_port: int
    port: int


def verdict(chains: dict[str, list[str]], packet: Packet) -> str:
    """What nftables does with a packet: as much of it as these chains need."""
    result = run(chains, ENTRY, packet)
    assert result
    return result


def run(chains: dict[str, list[str]], name: str, packet: Packet) -> str:
    """Evaluate a chain: accept, drop, or nothing when its end or a return is met."""
    for line in chains[name]:
        *words, last = line.split()
        target = ""
        if words and words[-1] in ("goto", "jump"):
            target, last = last, words.pop()
        if not all(holds(words[at : at + 3], packet) for at in range(0, len(words), 3)):
            continue
        if last in ("accept", "drop"):
            return last
        if last == "return":
            return ""
        result = run(chains, target, packet)
        if result or last == "goto":
            return result
    return ""


def holds(match: list[str], packet: Packet) -> bool:
    """Whether one match of three words is true."""
    of, field, value = match
    version = ip_address(packet.source).version
    if (of, field) == ("meta", "nfproto"):
        return value == f"ipv{version}"
    if (of, field) == ("meta", "l4proto"):
        return value.removeprefix("ipv6-") == packet.protocol
    if of == "th":
        low, _, high = value.partition("-")
        port = packet.source_port if field == "sport" else packet.port
        return int(low) <= port <= int(high or low)
    assert (of, version) in (("ip", 4), ("ip6", 6)), match
    return ip_address(packet.source if field == "saddr" else packet.destination) in ip_network(value)


def wanted(rules: tuple[SecurityRule, ...], packet: Packet) -> str:
    """What the rules say: the first that matches decides."""
    for rule in sorted(rules, key=lambda rule: rule.priority):
        if (
            any(covers(prefix, packet.source) for prefix in rule.sources)
            and any(covers(prefix, packet.destination) for prefix in rule.destinations)
            and rule.protocol.lower() in ("*", packet.protocol)
            and (packet.protocol == "icmp" or matches(rule.source_ports, packet.source_port))
            and (packet.protocol == "icmp" or matches(rule.destination_ports, packet.port))
            and not (packet.protocol == "icmp" and rule.protocol == "*" and rule.destination_ports != ("*",))
        ):
            return "accept" if rule.allow else "drop"
    return "drop"


def covers(prefix: str, address: str) -> bool:
    """Whether a prefix or tag is about an address."""
    ip: IPv4Address | IPv6Address = ip_address(address)
    inside = any(ip in network for network in (*SITE.virtual_network_ranges, *SITE.connected_ranges))
    probe = address in ("168.63.129.16", "fd00::1234:5678:9abc")
    tags = {"*": True, "virtualnetwork": inside, "azureloadbalancer": probe, "internet": not inside and not probe}
    if prefix.lower() in tags:
        return tags[prefix.lower()]
    return "Azure" not in prefix and ip in ip_network(prefix)


def matches(ranges: tuple[str, ...], port: int) -> bool:
    """Whether one of some ports, ranges or * has a port."""
    for one in ranges:
        low, _, high = ("0-65535" if one == "*" else one).partition("-")
        if int(low) <= port <= int(high or low):
            return True
    return False


PORT_RANGES = st.sampled_from([("*",), ("80",), ("80", "443"), ("70-90", "85-100"), ("0-65535",), ("90-100",)])
SIDES = st.lists(st.sampled_from(PREFIXES), min_size=1, max_size=4).map(tuple)
RULES = st.lists(
    st.builds(
        SecurityRule,
        st.just("r"),
        st.integers(100, 4096),
        st.booleans(),
        st.sampled_from(["Tcp", "Udp", "Icmp", "*"]),
        SIDES,
        st.sampled_from([("*",), ("1024-65535",)]),
        SIDES,
        PORT_RANGES,
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda rule: rule.priority,
).map(tuple)
PACKETS = st.sampled_from([4, 6]).flatmap(
    lambda version: st.builds(
        Packet,
        st.sampled_from([a for a in ADDRESSES if ip_address(a).version == version]),
        st.sampled_from([a for a in ADDRESSES if ip_address(a).version == version]),
        st.sampled_from(["tcp", "udp", "icmp"]),
        st.sampled_from([1000, 2000]),
        st.sampled_from([80, 84, 95, 443, 8080]),
    )
)


@REPEATED
@given(RULES, st.lists(PACKETS, min_size=5, max_size=20))
def test_chains_do_what_the_rules_say(rules: tuple[SecurityRule, ...], packets: list[Packet]) -> None:
    chains = security_chains(rules, SITE)
    assert [verdict(chains, packet) for packet in packets] == [wanted(rules, packet) for packet in packets]


@pytest.mark.parametrize(
    ("source", "destination", "expected"),
    [
        ("198.19.63.2", MEMBERS[0][0], "accept"),
        ("198.19.127.2", MEMBERS[0][0], "accept"),
        ("198.51.100.2", MEMBERS[0][0], "drop"),
        ("198.51.100.2", PUBLIC[0], "drop"),
        ("198.19.63.2", PUBLIC[0], "drop"),
        ("168.63.129.16", MEMBERS[0][0], "accept"),
        ("fd00::1234:5678:9abc", MEMBERS[1][0], "accept"),
        ("2001:db8:f::2", MEMBERS[1][0], "drop"),
    ],
)
def test_without_any_rule_the_default_ones_hold(source: str, destination: str, expected: str) -> None:
    packet = Packet(source, destination, "tcp", 1000, 80)
    assert verdict(security_chains((), SITE), packet) == expected
    assert security_chains((), SITE) == security_chains(DEFAULT_RULES, SITE)


def test_a_rule_about_one_ip_version_has_no_chain_for_the_other() -> None:
    chains = security_chains((security(sources=("192.0.2.0/24",), destinations=PUBLIC),), SITE)
    assert [name for name in chains if "ipv6" in name] == []


def test_there_are_no_sets() -> None:
    """A packet can miss what a set has, while the rule with the set is being replaced."""
    rules = (security(sources=("192.0.2.0/24", "198.51.100.0/24"), destination_ports=("80", "90-100")), *DEFAULT_RULES)
    assert "{" not in "".join(line for chain in security_chains(rules, SITE).values() for line in chain)


@REPEATED
@given(st.lists(st.tuples(PORTS, PORTS).map(sorted), min_size=1, max_size=8), PORTS)
def test_merged_port_ranges_have_the_same_ports_and_no_overlaps(ranges: list[list[int]], port: int) -> None:
    merged = [tuple(map(int, element.split("-"))) for element in _ports([f"{low}-{high}" for low, high in ranges])] or [
        (0, 65535)
    ]
    holds_port = any(low <= port <= high for low, high in ranges)
    assert any(pair[0] <= port <= pair[-1] for pair in merged) == holds_port
    assert all(before[-1] + 1 < after[0] for before, after in pairwise(merged))
