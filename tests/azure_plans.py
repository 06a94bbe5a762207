"""Plans for the tests of the load balancer's data plane: short to write, with everything else as Azure has it."""

from __future__ import annotations

from typing import Any

from hypothesis import settings

from fixtures.azure.plan import BalancingRule, HealthProbe, SecurityRule
from fixtures.azure.topology import Topology
from fixtures.clusters.local.addresses import AddressPlan

PLAN = AddressPlan(63)
NODES = 3
MEMBERS = tuple(tuple(str(PLAN.node(number)[family].ip) for number in range(1, NODES + 1)) for family in (0, 1))
"""The nodes' IPv4 addresses, and their IPv6 addresses."""
PUBLIC = ("203.0.113.5", "2001:db8:cafe::5")
INTERNAL = (str(PLAN.node_networks[0][200]), str(PLAN.node_networks[1][200]))
REPEATED = settings(deadline=None, derandomize=True, database=None)
"""Hypothesis: the same examples in each run, however busy the machine is."""
LAZY_MIN = 100
"""An idle timeout that no test reaches."""


def topology(**changes: object) -> Topology:
    """What Azure knows of a site with three nodes."""
    nodes = [
        {"name": f"node-{number}", "addresses": [str(address.ip) for address in PLAN.node(number)]}
        for number in range(1, NODES + 1)
    ]
    vnet = [*map(str, PLAN.vnet_networks)]
    return Topology.model_validate(
        {
            "cluster_name": "t",
            "cluster_resource_group": "t",
            "node_resource_group": "MC_t_t_eastus",
            "kubernetes_version": "1.36.3",
            "nodes": nodes,
            "virtual_network_ranges": [*map(str, PLAN.node_networks), *vnet],
            "subnet_ranges": [*map(str, PLAN.node_networks)],
            "other_subnets": {"vnet": vnet},
            "public_ranges": ["203.0.113.0/24", "2001:db8:cafe::/64"],
            "connected_ranges": [*map(str, PLAN.client_networks)],
            **changes,
        }
    )


def rule(name: str = "web", frontend: str = PUBLIC[0], port: int = 80, **changes: object) -> BalancingRule:
    """A rule for TCP with floating IP and no probe, to all nodes."""
    values: dict[str, Any] = {
        "id": f"/LB/rules/{name}",
        "frontend": frontend,
        "internal": frontend in INTERNAL,
        "protocol": "tcp",
        "frontend_port": port,
        "backend_port": port,
        "members": MEMBERS[":" in frontend],
        "floating_ip": True,
        "distribution": "Default",
        "idle_timeout_min": LAZY_MIN,
        "tcp_reset": True,
        "probe": None,
    }
    return BalancingRule(**values | changes)


def probe(name: str = "probe", **changes: object) -> HealthProbe:
    """A probe by HTTP each second, of which two in a row decide."""
    values: dict[str, Any] = {
        "id": f"/LB/probes/{name}",
        "protocol": "Http",
        "port": 8080,
        "path": "/healthz",
        "interval_s": 1,
        "threshold": 2,
    }
    return HealthProbe(**values | changes)


def security(priority: int = 500, *, allow: bool = True, **changes: object) -> SecurityRule:
    """A security rule for everything from everywhere."""
    values: dict[str, Any] = {
        "name": f"rule-{priority}",
        "protocol": "*",
        "sources": ("*",),
        "source_ports": ("*",),
        "destinations": ("*",),
        "destination_ports": ("*",),
    }
    return SecurityRule(priority=priority, allow=allow, **values | changes)


OPEN = security()
