"""The cluster's network: two families, names, and a client outside."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

import pytest

from fixtures.clusters import IPFamily
from fixtures.clusters.local.cluster import LocalCluster
from tests.local.helpers import NODE_1, NODE_2, NODE_3, WEB_PORT, ask, deploy_web, get, url

FAMILIES = (0, 1)
"""Index of IPv4 and of IPv6 in every pair of addresses."""
NXDOMAIN = 3
"""RFC 1035 section 4.1.1: the name does not exist."""
PUBLIC = ("1.1.1.1", "2606:4700:4700::1111")
"""Addresses of no cluster, one per family."""


@pytest.fixture(scope="module")
def service(cluster: LocalCluster) -> dict[str, Any]:
    """A dual-stack NodePort Service with one web server behind it."""
    return deploy_web(cluster, "network")


@pytest.fixture(scope="module")
def pod(cluster: LocalCluster, service: dict[str, Any]) -> dict[str, Any]:
    """The web server."""
    selector = f"--selector=app={service['metadata']['name']}"
    (pod,) = get(cluster, "pods", selector)["items"]
    assert isinstance(pod, dict)
    return pod


def node_port(service: dict[str, Any]) -> int:
    """The node port of the Service's only port."""
    return int(service["spec"]["ports"][0]["nodePort"])


def test_nodes_have_an_address_of_each_family_ipv4_first(cluster: LocalCluster) -> None:
    for item, node in zip(get(cluster, "nodes")["items"], cluster.info.nodes, strict=True):
        internal = [a["address"] for a in item["status"]["addresses"] if a["type"] == "InternalIP"]
        assert internal == [str(address) for address in node.addresses]
        assert [ip_address(address).version for address in internal] == [4, 6]


def test_pods_have_an_address_of_each_family_from_their_nodes_range(cluster: LocalCluster, pod: dict[str, Any]) -> None:
    number = cluster.node_names.index(pod["spec"]["nodeName"]) + 1
    ranges: tuple[IPv4Network | IPv6Network, ...] = cluster.plan.node_pods(number)
    addresses = [ip_address(entry["ip"]) for entry in pod["status"]["podIPs"]]
    assert len(addresses) == 2
    assert all(address in pods for address, pods in zip(addresses, ranges, strict=True))


def test_a_dual_stack_service_has_an_address_from_each_range(cluster: LocalCluster, service: dict[str, Any]) -> None:
    assert service["spec"]["ipFamilies"] == [IPFamily.IPV4, IPFamily.IPV6]
    addresses = [ip_address(address) for address in service["spec"]["clusterIPs"]]
    assert all(a in r for a, r in zip(addresses, cluster.info.service_ranges, strict=True))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("node", [NODE_1, NODE_3])
def test_pods_and_services_answer_on_nodes(
    cluster: LocalCluster, service: dict[str, Any], pod: dict[str, Any], node: str, family: int
) -> None:
    direct = url(pod["status"]["podIPs"][family]["ip"], WEB_PORT)
    virtual = url(service["spec"]["clusterIPs"][family], 80)
    for target in (direct, virtual):
        assert ask(cluster, node, "http", target).get("status") == 200, target


@pytest.mark.parametrize(("kind", "family"), [("A", 0), ("AAAA", 1)])
def test_names_of_services_resolve(cluster: LocalCluster, service: dict[str, Any], kind: str, family: int) -> None:
    name = f"{service['metadata']['name']}.default.svc.cluster.local"
    answer = ask(cluster, NODE_2, "dns", cluster.plan.cluster_dns(), name, kind)
    assert answer == {"rcode": 0, "addresses": [service["spec"]["clusterIPs"][family]]}


@pytest.mark.parametrize("name", ["example.com", "nothing.default.svc.cluster.local"])
def test_names_that_the_cluster_does_not_know_do_not_exist(cluster: LocalCluster, name: str) -> None:
    answer = ask(cluster, NODE_2, "dns", cluster.plan.cluster_dns(), name, "A")
    assert answer == {"rcode": NXDOMAIN, "addresses": []}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_client_outside_reaches_nodes_only(
    cluster: LocalCluster, service: dict[str, Any], pod: dict[str, Any], family: int
) -> None:
    for node in cluster.info.nodes:
        answer = ask(cluster, "client", "http", url(str(node.addresses[family]), node_port(service)))
        assert answer.get("status") == 200, (node, answer)
    for target in (
        url(service["spec"]["clusterIPs"][family], 80),
        url(pod["status"]["podIPs"][family]["ip"], WEB_PORT),
    ):
        assert list(ask(cluster, "client", "http", target)) == ["error"], target


@pytest.mark.parametrize("host", ["client", "router", "control-plane", NODE_1])
@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_leaves_the_cluster(cluster: LocalCluster, host: str, family: int) -> None:
    # Said by the cluster's own router: no packet has left, and none is waited for.
    assert ask(cluster, host, "http", url(PUBLIC[family], 80)) == {"error": "OSError"}
