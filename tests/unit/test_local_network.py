"""What of the network can be seen without one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fixtures.clusters.local.addresses import BLOCKS, MAX_NODES, AddressPlan
from fixtures.clusters.local.network import _mac_address


@given(st.integers(0, BLOCKS - 1))
def test_each_host_has_a_mac_address_of_its_own(block: int) -> None:
    plan = AddressPlan(block)
    hosts = [plan.router(), plan.control_plane(), plan.client(), *(plan.node(n) for n in range(1, MAX_NODES + 1))]
    addresses = [_mac_address(host) for host in hosts]
    assert len(set(addresses)) == len(addresses)
    assert {int(address.partition(":")[0], 16) & 3 for address in addresses} == {2}, "unicast, locally administered"
