"""Emulated Azure beside a kind cluster: its addresses, its nodes' names, and why there is none."""

from __future__ import annotations

import sys
from ipaddress import IPv4Network, ip_address
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures.azure.topology import AzureNode, first_frontend
from fixtures.clusters.emulated_azure import topology_around
from fixtures.clusters.kind import azure
from fixtures.clusters.kind.settings import KindSettings

NETWORK = IPv4Network("172.18.0.0/16")
LOOPBACK = "lo"
"""An interface that each network namespace has."""


def plans(network: IPv4Network = NETWORK) -> list[azure.SegmentPlan]:
    """Those of all clusters that there can be at once."""
    return [azure.SegmentPlan(block, network) for block in range(azure.BLOCKS)]


@pytest.mark.parametrize("network", [NETWORK, IPv4Network("10.1.0.0/20"), IPv4Network("10.0.0.0/8")])
def test_clusters_on_one_network_share_no_address_with_each_other_or_with_containers(network: IPv4Network) -> None:
    first = [network[0] + plan.first_frontend_host for plan in plans(network)]
    routers = [plan.router()[0].ip for plan in plans(network)]
    assert len({*first, *routers}) == 2 * azure.BLOCKS
    containers = plans(network)[0].node_ranges[0]
    for plan, router, frontend in zip(plans(network), routers, first, strict=True):
        assert plan.router()[0].network == network
        assert router not in containers
        # What is dropped as a frontend without a rule begins there.
        assert router < frontend


def test_azure_holds_the_clusters_nodes_in_one_family() -> None:
    node = AzureNode(name="ksc-1-worker", addresses=(ip_address("172.18.0.3"),))
    plan = plans()[3]
    of = topology_around(
        "ksc-1", plan, (node,), kubernetes_version="1.37.0", kubeconfig=Path("/admin.yaml"), versions=(4,)
    )
    ranges = [*of.virtual_network_ranges, *of.public_ranges, *of.connected_ranges]
    assert {network.version for network in ranges} == {4}
    assert of.subnet_ranges == (NETWORK,)
    # The others are smaller than the part of the nodes' subnet that is for containers.
    assert [first_frontend(subnet, of.first_free_host) for (subnet,) in of.other_subnets.values()] == [4, 4]
    assert first_frontend(NETWORK, of.first_free_host) == of.first_free_host
    for index, network in enumerate(ranges):
        assert not any(network.overlaps(other) for other in ranges[index + 1 :])


def test_nodes_know_the_way_to_all_that_is_behind_the_router() -> None:
    plan = plans()[0]
    behind = plan.behind_the_router()
    sources = [plan.client()[0].ip, plan.client_in_internet()[0].ip, plan.vnet()[0].ip, ip_address("168.63.129.16")]
    frontends = [plan.public_networks[0][1], plan.frontend_networks[0][1]]
    assert [one for one in (*sources, *frontends) if not any(one in network for network in behind)] == []
    assert not any(network.overlaps(NETWORK) for network in behind)


def test_nodes_are_virtual_machines_of_their_own_names() -> None:
    config = KindSettings().config("ksc-1", azure=True)
    found = []
    for item in config["nodes"]:
        (patch,) = map(yaml.safe_load, item["kubeadmConfigPatches"])
        extra = patch["nodeRegistration"]["kubeletExtraArgs"]
        found.append((item["role"], patch["kind"], extra["provider-id"].rpartition("/")[2]))
    assert found == [
        ("control-plane", "InitConfiguration", "ksc-1-control-plane"),
        ("worker", "JoinConfiguration", "ksc-1-worker"),
        ("worker", "JoinConfiguration", "ksc-1-worker2"),
        ("worker", "JoinConfiguration", "ksc-1-worker3"),
    ]
    assert extra["provider-id"].startswith("azure:///subscriptions/")


def network(subnet: str = "172.18.0.0/16", driver: str = "bridge", bridge: str = LOOPBACK) -> dict[str, Any]:
    """What `docker network inspect` shows."""
    config = [{"Subnet": "fc00:f853:ccd:e793::/64"}, {"Subnet": subnet}]
    options = {"com.docker.network.bridge.name": bridge} if bridge else {}
    return {"Name": "kind", "Id": "0123456789abcdef", "Driver": driver, "IPAM": {"Config": config}, "Options": options}


def test_the_engines_network_is_found() -> None:
    assert azure.read_segment(network()) == azure.Segment(LOOPBACK, NETWORK)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (
            network(bridge=""),
            "the bridge br-0123456789ab of the engine's network kind is not in this network namespace",
        ),
        (network(driver="macvlan"), "is not in this network namespace"),
        (network(subnet="172.18.0.0/24"), "needs an IPv4 range of /20 or wider, found 172.18.0.0/24"),
    ],
)
def test_a_network_out_of_reach_says_why(found: dict[str, Any], why: str) -> None:
    said = azure.read_segment(found)
    assert isinstance(said, str)
    assert why in said


def test_a_machine_that_cannot_have_it_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azure, "no_namespaces_because", lambda: "needs root")
    assert azure.not_here_because(print) == "emulated Azure needs root"
    monkeypatch.setattr(azure, "no_namespaces_because", lambda: "")
    monkeypatch.setattr(azure, "PROGRAMS", ("sh", "no-such-program"))
    assert azure.not_here_because(print) == "emulated Azure needs no-such-program on PATH"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert azure.not_here_because(print) == "emulated Azure needs Linux, found darwin"
