"""Who may use a load balancer: source ranges, and internal ones."""

import pytest

from conformance.load_balancer.front import Front
from fixtures.checks.holding import must_hold
from fixtures.checks.isolation import isolated
from fixtures.clusters import IPFamily
from fixtures.prober.plan import Protocol
from fixtures.prober.vantages import OutsideVantage
from fixtures.requirements import MUST, requirement

ATTEMPTS = 20


@requirement(
    "load_balancer.source_ranges_are_respected",
    promise="Only clients in loadBalancerSourceRanges reach the Service; another gets no answer.",
    source="kubernetes.io: Service v1, loadBalancerSourceRanges; test/e2e/network/loadbalancer.go; AKS issue 1696",
    level=MUST,
    features=("load_balancer", "outside"),
)
def test_source_ranges_are_respected(front: Front, family: IPFamily) -> None:
    """Fault: `wishes_forgotten`, an admission policy that takes the ranges out of every new Service."""
    control = front.must_reach([front.external("admitting", "http", 80, family)])
    silent = front.probing.run([front.external("refusing", "http", 80, family)], [front.outside], count=ATTEMPTS)
    must_hold(front.history, isolated(silent, control=control))


@requirement(
    "load_balancer.source_ranges_hold_without_floating_ip",
    promise="Source ranges are respected by the cloud itself, also where the nodes get traffic on their node ports.",
    source="cloud-provider-azure: azure-disable-load-balancer-floating-ip; Azure: Network security groups",
    level=MUST,
    features=("load_balancer", "outside", "arm"),
)
def test_source_ranges_hold_without_floating_ip(front: Front, family: IPFamily) -> None:
    """Fault: `security_group_open`, the network security group lets everybody in."""
    control = front.must_reach([front.external("diagram", "http", 80, family)])
    refused = front.external("refusing node ports", "http", 80, family)
    silent = front.probing.run([refused], [front.outside], count=ATTEMPTS)
    must_hold(front.history, isolated(silent, control=control))


@requirement(
    "load_balancer.internal_is_for_the_virtual_network_alone",
    promise="An internal load balancer has an address of the virtual network; it answers there, and not outside.",
    source="AKS: Use an internal load balancer",
    level=MUST,
    features=("load_balancer", "outside", "vnet", "arm"),
)
@pytest.mark.parametrize("protocol", ["http", "udp"])
def test_an_internal_load_balancer(front: Front, vnet: OutsideVantage, protocol: Protocol, family: IPFamily) -> None:
    """Fault: `internal_leaked`, the client outside comes from a network that is connected to theirs."""
    internal = front.external("internal", protocol, 80, family)
    front.must_reach([internal], [vnet])
    control = front.must_reach([front.external("local", protocol, 80, family)])
    silent = front.probing.run([internal], [front.outside], count=ATTEMPTS)
    must_hold(front.history, isolated(silent, control=control))
