"""The addresses of clusters side by side never overlap."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address

from hypothesis import given
from hypothesis import strategies as st

from fixtures.clusters.local.addresses import BLOCKS, MAX_NODES, AddressPlan

Network = IPv4Network | IPv6Network

blocks = st.integers(0, BLOCKS - 1)
numbers = st.integers(1, MAX_NODES)


def networks(plan: AddressPlan) -> list[Network]:
    """Every network of one cluster."""
    pairs = (
        *(plan.node_networks, plan.client_networks, plan.vnet_networks, plan.frontend_networks),
        *(plan.pod_networks, plan.service_networks, plan.public_networks),
    )
    return [network for pair in pairs for network in pair]


def overlap(one: Network, other: Network) -> bool:
    """Whether two networks share an address."""
    return one.version == other.version and one.overlaps(other)


@given(blocks)
def test_the_networks_of_one_cluster_are_apart(block: int) -> None:
    own = networks(AddressPlan(block))
    assert not [(a, b) for i, a in enumerate(own) for b in own[i + 1 :] if overlap(a, b)]


@given(st.lists(blocks, min_size=2, max_size=2, unique=True))
def test_the_networks_of_two_clusters_are_apart(pair: list[int]) -> None:
    # All have the same public IPv4 range, of which there are few for documentation; none leaves its namespaces.
    one, other = (
        [network for network in networks(plan) if network != plan.public_networks[0]] for plan in map(AddressPlan, pair)
    )
    assert not [(a, b) for a in one for b in other if overlap(a, b)]


@given(blocks)
def test_hosts_are_in_their_segments_and_no_two_have_one_address(block: int) -> None:
    plan = AddressPlan(block)
    on_segment = [plan.router(), plan.control_plane(), *(plan.node(n) for n in range(1, MAX_NODES + 1))]
    beyond = [plan.router_to_client(), plan.client()]
    in_vnet = [plan.router_to_vnet(), plan.vnet()]
    segments = ((on_segment, plan.node_networks), (beyond, plan.client_networks), (in_vnet, plan.vnet_networks))
    for hosts, segment in segments:
        for pair in hosts:
            assert tuple(interface.network for interface in pair) == segment
    addresses = [interface.ip for pair in (*on_segment, *beyond, *in_vnet) for interface in pair]
    assert len(set(addresses)) == len(addresses)


@given(blocks, st.lists(numbers, min_size=2, max_size=2, unique=True))
def test_pods_of_two_nodes_are_apart_and_in_the_range_of_pods(block: int, pair: list[int]) -> None:
    plan = AddressPlan(block)
    one, other = (plan.node_pods(number) for number in pair)
    v4, v6 = plan.pod_networks
    assert one[0].subnet_of(v4)
    assert one[1].subnet_of(v6)
    assert not overlap(one[0], other[0])
    assert not overlap(one[1], other[1])


@given(blocks)
def test_well_known_services_are_in_the_range_of_cluster_ips(block: int) -> None:
    plan = AddressPlan(block)
    dns, kubernetes = ip_address(plan.cluster_dns()), ip_address(plan.kubernetes_service())
    assert dns in plan.service_networks[0]
    assert kubernetes in plan.service_networks[0]
    assert dns != kubernetes


@given(blocks)
def test_ipv4_comes_first_everywhere(block: int) -> None:
    plan = AddressPlan(block)
    pairs = (plan.node_networks, plan.pod_networks, plan.service_networks, plan.node_pods(1), plan.node(1))
    assert {tuple(entry.version for entry in pair) for pair in pairs} == {(4, 6)}
