"""An emulated ARM for tests: a small cluster's topology, and calls without or with HTTP."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from fixtures.azure.arm.answers import Answer
from fixtures.azure.arm.app import Server
from fixtures.azure.arm.applying import NoDataPlane
from fixtures.azure.arm.arm import Arm
from fixtures.azure.arm.ids import parse
from fixtures.azure.arm.requests import ArmRequest
from fixtures.azure.arm.serving import listening
from fixtures.azure.plan import DataPlane
from fixtures.azure.topology import Topology

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
CLUSTER_GROUP = "rg"
GROUP = "MC_rg_demo_eastus"
NETWORK = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Network"
COMPUTE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Compute"
CLUSTER = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/demo"
SCALE_SET = "aks-nodepool1-00000000-vmss"
VERSIONS = {"microsoft.network": "2026-03-01", "microsoft.compute": "2025-04-01"}


def topology(**changes: object) -> Topology:
    """Three nodes with two families in a scale set."""
    single = changes.get("vm_type") == "standard"
    nodes = [
        {
            "name": f"node-{number}" if single else f"{SCALE_SET}00000{number}",
            "addresses": [f"198.18.0.{11 + number}", f"fd00:18::{11 + number}"],
            "zone": str(number + 1),
        }
        for number in range(3)
    ]
    values: dict[str, object] = {
        "cluster_name": "demo",
        "cluster_resource_group": CLUSTER_GROUP,
        "node_resource_group": GROUP,
        "kubernetes_version": "1.36.3",
        "nodes": nodes,
        "virtual_network_ranges": ["198.18.0.0/16", "fd00:18::/48"],
        "subnet_ranges": ["198.18.0.0/24", "fd00:18::/64"],
        "other_subnets": {"other": ["198.18.1.0/24"]},
        "public_ranges": ["203.0.113.0/24", "2001:db8:1::/64"],
        **changes,
    }
    return Topology.model_validate(values)


@dataclass
class Caller:
    """Calls an ARM in the process, without HTTP."""

    arm: Arm
    version: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def __call__(self, method: str, path: str, body: object = None, **options: str) -> Answer:
        """Answer a request; raises what the ARM raises."""
        return asyncio.run(self.asynchronously(method, path, body, **options))

    async def asynchronously(self, method: str, path: str, body: object = None, **options: str) -> Answer:
        """The same, in a loop that is running."""
        place = parse(path)
        version = self.version or VERSIONS.get(place.provider.lower(), "2026-08-01")
        query = {"api-version": version, "$expand": options.pop("expand", "")}
        return await self.arm.handle(ArmRequest(method, place, query=query, body=body, **options))

    def get(self, path: str) -> Any:  # noqa: ANN401 - parsed JSON
        """The body of a GET."""
        return self("GET", path).body


def caller(plane: DataPlane | None = None, **changes: object) -> Caller:
    """An ARM that holds `topology(**changes)`."""
    return Caller(Arm(topology(**changes), plane or NoDataPlane()))


@contextmanager
def served(changes: dict[str, object] | None = None, plane: DataPlane | None = None) -> Iterator[tuple[str, Server]]:
    """The application on a loopback port, in a thread: its address, and the server."""
    (listener,) = listening("127.0.0.1", 0, None)
    server = Server(Arm(topology(**(changes or {})), plane or NoDataPlane()))
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(server.application(), access_log=None)

    async def start() -> None:
        await runner.setup()
        await web.SockSite(runner, listener).start()

    loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", server
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def public_address(**properties: object) -> dict[str, Any]:
    """A public IP address as the controller writes it."""
    written = {"publicIPAllocationMethod": "Static", "publicIPAddressVersion": "IPv4", **properties}
    return {
        "location": "eastus",
        "sku": {"name": "Standard"},
        "tags": {"k8s-azure-service": "default/web"},
        "properties": written,
    }


def load_balancer(name: str = "kubernetes", public: str | None = "web") -> dict[str, Any]:
    """A load balancer as the controller writes it: one frontend, pool, rule and probe."""
    place = f"{NETWORK}/loadBalancers/{name}"
    frontend: dict[str, Any] = {"privateIPAllocationMethod": "Dynamic"}
    if public:
        frontend = {"publicIPAddress": {"id": f"{NETWORK}/publicIPAddresses/{public}"}}
    else:
        frontend["subnet"] = {"id": f"{NETWORK}/virtualNetworks/aks-vnet-00000000/subnets/aks-subnet"}
    rule = {
        "frontendIPConfiguration": {"id": f"{place}/frontendIPConfigurations/fe"},
        "backendAddressPool": {"id": f"{place}/backendAddressPools/kubernetes"},
        "probe": {"id": f"{place}/probes/fe-TCP-80"},
        "protocol": "Tcp",
        "frontendPort": 80,
        "backendPort": 80,
        "enableFloatingIP": True,
        "enableTcpReset": True,
        "idleTimeoutInMinutes": 4,
    }
    probe = {"protocol": "Tcp", "port": 31080, "intervalInSeconds": 5, "probeThreshold": 2}
    return {
        "location": "eastus",
        "sku": {"name": "Standard"},
        "properties": {
            "frontendIPConfigurations": [{"name": "fe", "properties": frontend}],
            "backendAddressPools": [{"name": "kubernetes"}],
            "loadBalancingRules": [{"name": "fe-TCP-80", "properties": rule}],
            "probes": [{"name": "fe-TCP-80", "properties": probe}],
        },
    }


def write_kubeconfig(folder: Path) -> Path:
    """A file that stands for a kubeconfig."""
    path = folder / "kubeconfig"
    path.write_text("apiVersion: v1\nkind: Config\n", "utf-8")
    return path
