"""The emulated ARM, read and written by Azure's own SDKs over HTTP."""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.mgmt.containerservice import ContainerServiceClient
from azure.mgmt.network import NetworkManagementClient

from fixtures.azure.access import client_options, credential, words
from fixtures.azure.arm.app import Server
from fixtures.azure.plan import MemberHealth, Plan
from fixtures.clusters import ArmAccess
from tests.unit.azure_arm import GROUP, SCALE_SET, SUBSCRIPTION, load_balancer, public_address, served, write_kubeconfig


class Plane:
    """A data plane of which one member is down, and that takes as long as a test wants."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()

    async def apply(self, plan: Plan) -> None:
        """Return when the gate is open."""
        del plan
        await asyncio.to_thread(self.gate.wait)

    def health(self, rule: str) -> list[MemberHealth]:
        """Of the one rule with a probe; raises LookupError for others."""
        if not rule.endswith("/fe-TCP-80"):
            raise LookupError(rule)
        return [
            MemberHealth("198.18.0.11", True, "Up_Probe_Success"),
            MemberHealth("198.18.0.12", False, "Down_Probe_TcpProbeTimeout"),
        ]


@pytest.fixture(scope="module")
def plane() -> Plane:
    """The data plane."""
    return Plane()


@pytest.fixture(scope="module")
def emulation(tmp_path_factory: pytest.TempPathFactory, plane: Plane) -> Iterator[tuple[ArmAccess, Server]]:
    """The application on a loopback port, and how it is accessed."""
    folder = tmp_path_factory.mktemp("arm")
    with served({"kubeconfig": write_kubeconfig(folder)}, plane) as (origin, server):
        yield access(origin, folder / "token"), server


def access(origin: str, token_file: Path) -> ArmAccess:
    """How an emulation is accessed, with a token of its managed identity endpoint."""
    request = urllib.request.Request(f"{origin}/msi/token?resource=x", headers={"X-IDENTITY-HEADER": "x"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        token_file.write_text(json.load(answer)["access_token"], "utf-8")
    return ArmAccess(
        endpoint=origin,
        emulated=True,
        subscription=SUBSCRIPTION,
        location="eastus",
        cluster_resource_group="rg",
        cluster_name="demo",
        node_resource_group=GROUP,
        token_file=token_file,
    )


@pytest.fixture
def network(emulation: tuple[ArmAccess, Server]) -> NetworkManagementClient:
    """azure-mgmt-network, with a load balancer there."""
    arm, _ = emulation
    client = NetworkManagementClient(credential(arm), SUBSCRIPTION, **client_options(arm))
    client.public_ip_addresses.begin_create_or_update(GROUP, "web", public_address()).result()
    client.load_balancers.begin_create_or_update(GROUP, "kubernetes", load_balancer()).result()
    return client


def control(emulation: tuple[ArmAccess, Server], method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
    """Ask the emulation for something; the parsed answer."""
    data = None if body is None else json.dumps(body).encode()
    url = f"{emulation[0].endpoint}/_emulation/{path}"
    request = urllib.request.Request(url, method=method, data=data)
    with urllib.request.urlopen(request, timeout=30) as answer:
        raw = answer.read()
    return json.loads(raw) if raw else None


def test_network_resources_are_read(network: NetworkManagementClient) -> None:
    balancer = network.load_balancers.get(GROUP, "kubernetes")
    assert balancer.sku.name == "Standard"
    assert balancer.provisioning_state == "Succeeded"
    assert [rule.frontend_port for rule in balancer.load_balancing_rules] == [80]
    address = network.public_ip_addresses.get(GROUP, "web")
    assert address.ip_configuration.id == balancer.frontend_ip_configurations[0].id
    assert [one.name for one in network.load_balancers.list_all()] == ["kubernetes"]
    assert [one.name for one in network.network_security_groups.list(GROUP)] == ["aks-agentpool-00000000-nsg"]
    assert [one.name for one in network.subnets.list(GROUP, "aks-vnet-00000000")] == ["aks-subnet", "other"]
    assert [one.name for one in network.load_balancer_probes.list(GROUP, "kubernetes")] == ["fe-TCP-80"]
    interfaces = network.network_interfaces.list_virtual_machine_scale_set_network_interfaces(GROUP, SCALE_SET)
    assert [one.ip_configurations[0].private_ip_address for one in interfaces] == [
        f"198.18.0.{n}" for n in (11, 12, 13)
    ]
    with pytest.raises(ResourceNotFoundError) as missing:
        network.load_balancers.get(GROUP, "other")
    assert getattr(missing.value.error, "code", "") == "ResourceNotFound"


def test_health_is_what_the_data_plane_says(network: NetworkManagementClient) -> None:
    operations = network.load_balancer_load_balancing_rules
    found = operations.begin_health(GROUP, "kubernetes", "fe-TCP-80").result()
    assert (found.up, found.down) == (1, 1)
    assert [(one.ip_address, one.state, one.reason) for one in found.load_balancer_backend_addresses] == [
        ("198.18.0.11", "Up", "Up_Probe_Success"),
        ("198.18.0.12", "Down", "Down_Probe_TcpProbeTimeout"),
    ]
    with pytest.raises(ResourceNotFoundError):
        operations.begin_health(GROUP, "kubernetes", "other").result()


def test_managed_cluster_and_its_credentials(emulation: tuple[ArmAccess, Server]) -> None:
    arm, _ = emulation
    client = ContainerServiceClient(credential(arm), SUBSCRIPTION, **client_options(arm))
    cluster = client.managed_clusters.get("rg", "demo")
    assert cluster.node_resource_group == GROUP
    assert cluster.network_profile.network_plugin == "azure"
    assert cluster.network_profile.load_balancer_profile.backend_pool_type == "NodeIPConfiguration"
    assert cluster.provisioning_state == "Succeeded"
    assert [one.name for one in client.managed_clusters.list_by_resource_group("rg")] == ["demo"]
    assert [one.name for one in client.managed_clusters.list()] == ["demo"]
    user = client.managed_clusters.list_cluster_user_credentials("rg", "demo").kubeconfigs
    admin = client.managed_clusters.list_cluster_admin_credentials("rg", "demo").kubeconfigs
    assert [bytes(one.value) for one in (*user, *admin)] == [b"apiVersion: v1\nkind: Config\n"] * 2


@pytest.fixture
def asynchronous(emulation: tuple[ArmAccess, Server], plane: Plane, network: NetworkManagementClient) -> Iterator[None]:
    """Writes are accepted and done when the data plane's gate opens."""
    del network  # Its load balancer is there before.
    control(emulation, "POST", "mode", {"asynchronous": True, "retry_after_s": 0})
    plane.gate.clear()
    yield
    plane.gate.set()
    control(emulation, "POST", "mode", {})


@pytest.mark.usefixtures("asynchronous")
@pytest.mark.parametrize("group", [GROUP, GROUP.lower()])
def test_asynchronous_writes_are_awaited(plane: Plane, network: NetworkManagementClient, group: str) -> None:
    body = load_balancer()
    body["properties"]["loadBalancingRules"][0]["properties"]["frontendPort"] = 8080
    made = network.load_balancers.begin_create_or_update(group, "kubernetes", body)
    assert network.load_balancers.get(group, "kubernetes").provisioning_state == "Updating"
    with pytest.raises(HttpResponseError) as refusal:
        network.load_balancers.begin_delete(group, "kubernetes")
    assert refusal.value.status_code == 409
    assert getattr(refusal.value.error, "code", "") == "AnotherOperationInProgress"
    plane.gate.set()
    assert made.result().provisioning_state == "Succeeded"
    network.load_balancers.begin_delete(group, "kubernetes").result()
    assert list(network.load_balancers.list(group)) == []


def test_wrong_tokens_are_refused(emulation: tuple[ArmAccess, Server], tmp_path: Path) -> None:
    (tmp_path / "token").write_text("wrong", "utf-8")
    arm = emulation[0].model_copy(update={"token_file": tmp_path / "token"})
    client = NetworkManagementClient(credential(arm), SUBSCRIPTION, **client_options(arm))
    with pytest.raises(ClientAuthenticationError) as refusal:
        client.load_balancers.get(GROUP, "kubernetes")
    assert getattr(refusal.value.error, "code", "") == "InvalidAuthenticationToken"


def test_a_missing_permission_is_named(emulation: tuple[ArmAccess, Server], network: NetworkManagementClient) -> None:
    control(emulation, "POST", "seeds", {"method": "GET", "path": "/loadBalancers$", "status": 403})
    with pytest.raises(HttpResponseError) as refusal:
        list(network.load_balancers.list(GROUP))
    action = "the action Microsoft.Network/loadBalancers/read is not allowed"
    assert words(refusal.value).startswith(f"AuthorizationFailed: {action}")
    assert [one.name for one in network.load_balancers.list(GROUP)] == ["kubernetes"]


def test_throttling_is_waited_out(emulation: tuple[ArmAccess, Server], network: NetworkManagementClient) -> None:
    seed = {"path": "/loadBalancers$", "status": 429, "headers": {"Retry-After": "0"}, "times": 2}
    control(emulation, "POST", "seeds", seed)
    control(emulation, "DELETE", "requests")
    assert [one.name for one in network.load_balancers.list(GROUP)] == ["kubernetes"]
    assert [one["status"] for one in control(emulation, "GET", "requests")] == [429, 429, 200]


def test_the_log_holds_no_secret(emulation: tuple[ArmAccess, Server], network: NetworkManagementClient) -> None:
    list(network.load_balancers.list(GROUP))
    requests = control(emulation, "GET", "requests")
    assert requests[-1]["path"].endswith("/loadBalancers")
    assert "azsdk-python" in requests[-1]["client"]
    assert str(emulation[0].token()) not in json.dumps(requests)
