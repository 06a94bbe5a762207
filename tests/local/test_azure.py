"""Azure around a cluster: its controller gives Services an address, and the load balancers lead there."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest
import requests

from fixtures.azure.clients import Azure
from fixtures.clusters.local.cluster import LocalCluster, attach
from fixtures.clusters.local.upstreams import CLOUD_CONTROLLER_MANAGER
from tests.local.helpers import ask, command, deploy_web, get, kubectl, must_succeed, url, wait_until_answers
from tests.local.leftovers import remains_of

IP_TIMEOUT_S = 30
LOAD_BALANCER = '{"spec": {"type": "LoadBalancer"}}'
KINDS = [("standard", "nodeIPConfiguration"), ("standard", "nodeIP")]
"""The default, a scale set with members by network interface, is what other tests have; a scale set with members by
address is what test_azure_balancers has."""


def external_addresses(cluster: LocalCluster, name: str) -> list[str]:
    """The addresses of a Service's load balancer, once it has them."""
    ingress = "--for=jsonpath={.status.loadBalancer.ingress[0].ip}"
    must_succeed(kubectl(cluster, "wait", f"service/{name}", ingress, f"--timeout={IP_TIMEOUT_S}s"))
    return [entry["ip"] for entry in get(cluster, "service", name)["status"]["loadBalancer"]["ingress"]]


@pytest.fixture(scope="module")
def service(cluster: LocalCluster) -> str:
    """The name of a dual-stack LoadBalancer Service with one web server behind it."""
    name: str = deploy_web(cluster, "balanced")["metadata"]["name"]
    must_succeed(kubectl(cluster, "patch", "service", name, "--patch", LOAD_BALANCER))
    return name


def test_a_service_gets_addresses_that_answer_a_client_in_the_internet(cluster: LocalCluster, service: str) -> None:
    found = external_addresses(cluster, service)
    assert [ip_address(address).version for address in found] == [4, 6]
    for address in found:
        assert any(ip_address(address) in network for network in cluster.plan.public_networks)
        wait_until_answers(cluster, url(address, 80))
        assert list(ask(cluster, "client", "http", url(address, 81))) == ["error"]


def test_arm_is_read_from_the_host_with_a_token_and_not_without(cluster: LocalCluster, service: str) -> None:
    access = cluster.info.arm
    assert access is not None
    assert access.emulated
    public = {address.ip_address for address in Azure(access).public_ips()}
    assert set(external_addresses(cluster, service)) <= public
    group = f"/subscriptions/{access.subscription}/resourceGroups/{access.node_resource_group}"
    path = f"{group}/providers/Microsoft.Network/loadBalancers?api-version=2025-05-01"
    assert requests.get(access.endpoint + path, timeout=5).status_code == 401


def test_status_names_the_cloud_controller(cluster: LocalCluster) -> None:
    assert CLOUD_CONTROLLER_MANAGER in cluster.processes()["control-plane"]


@pytest.fixture
def small(prefix: str, request: pytest.FixtureRequest) -> Iterator[LocalCluster]:
    """A cluster of one node with these flags."""
    name = f"{prefix}-azure"
    must_succeed(command("up", "--name", name, "--nodes", "1", *request.param))
    yield attach(name)
    must_succeed(command("down", "--name", name))
    assert remains_of(name) == []


@pytest.mark.parametrize(
    "small",
    [("--azure-vm-type", vm_type, "--azure-backend-pool", pool) for vm_type, pool in KINDS],
    indirect=True,
    ids=[f"{vm_type}-{pool}" for vm_type, pool in KINDS],
)
def test_every_kind_of_node_and_of_backend_pool_works(small: LocalCluster) -> None:
    name: str = deploy_web(small, "kinds")["metadata"]["name"]
    must_succeed(kubectl(small, "patch", "service", name, "--patch", LOAD_BALANCER))
    for address in external_addresses(small, name):
        wait_until_answers(small, url(address, 80))


@pytest.mark.parametrize("small", [("--azure", "off")], indirect=True, ids=["off"])
def test_a_cluster_without_azure_says_so(small: LocalCluster) -> None:
    info = small.info
    assert (info.load_balancer, info.no_load_balancer_because, info.arm) == (None, "--azure=off", None)
    item: dict[str, Any] = get(small, "nodes")["items"][0]
    assert "providerID" not in item["spec"]
