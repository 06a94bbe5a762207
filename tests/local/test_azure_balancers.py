"""Several load balancers, and one health probe for all: what Azure's controller does when it is configured so.

Complaint A10 of docs/aks.md, and the row of E4 in which a Service needs no node ports though its policy is Cluster.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from fixtures.azure.clients import Azure
from fixtures.azure.resources import LoadBalancer, Probe
from fixtures.clusters.local.cluster import LocalCluster, attach
from tests.local.helpers import (
    NODE_1,
    NODE_2,
    WEB_PORT,
    command,
    deploy_web,
    get,
    kubectl,
    must_succeed,
    url,
    wait_until_answers,
)
from tests.local.leftovers import remains_of
from tests.local.test_azure import LOAD_BALANCER, external_addresses

FIRST, SECOND = "kubernetes", "kubernetes-2"
PLACEMENT = "service.beta.kubernetes.io/azure-load-balancer-configurations"
LOCAL = '{"spec": {"externalTrafficPolicy": "Local"}}'
SHARED_PROBE = {"protocol": "Http", "port": 10256, "request_path": "/healthz"}
"""kube-proxy's own (cloud-provider-azure docs, Shared health probe; AKS has its sidecar at 10356 in front of it)."""
POOL_WITHIN_S = 30.0


@pytest.fixture(scope="module")
def two(prefix: str) -> Iterator[LocalCluster]:
    """A cluster of two nodes, each behind a load balancer of its own, whose Services share a health probe."""
    name = f"{prefix}-balancers"
    flags = ("--azure-backend-pool", "nodeIP", "--azure-load-balancers", "2", "--azure-shared-probe")
    must_succeed(command("up", "--name", name, "--nodes", "2", *flags))
    yield attach(name)
    must_succeed(command("down", "--name", name))
    assert remains_of(name) == []


@pytest.fixture(scope="module")
def azure(two: LocalCluster) -> Azure:
    """What Azure holds of it."""
    assert two.info.arm is not None
    return Azure(two.info.arm)


@pytest.fixture(scope="module")
def placed(two: LocalCluster) -> dict[str, list[str]]:
    """The addresses of two Services, by the load balancer that each of them asks for: the second one first."""
    found = {}
    for balancer in (SECOND, FIRST):
        name: str = deploy_web(two, f"on-{balancer}")["metadata"]["name"]
        must_succeed(kubectl(two, "annotate", "service", name, f"{PLACEMENT}={balancer}"))
        must_succeed(kubectl(two, "patch", "service", name, "--patch", LOAD_BALANCER))
        found[balancer] = external_addresses(two, name)
    return found


def balancer_of(azure: Azure, address: str) -> LoadBalancer:
    """The load balancer that has a public address."""
    (public,) = (one for one in azure.public_ips() if one.ip_address == address)
    (found,) = (b for b in azure.load_balancers() if any(f.public_ip_address == public.id for f in b.frontends))
    return found


def probe_of(azure: Azure, address: str) -> Probe:
    """The probe of the only rule at a public address."""
    balancer = balancer_of(azure, address)
    (public,) = (one for one in azure.public_ips() if one.ip_address == address)
    (frontend,) = (f for f in balancer.frontends if f.public_ip_address == public.id)
    (rule,) = balancer.rules_of(frontend)
    return balancer.probe(rule.probe)


def members(azure: Azure, two: LocalCluster, balancer: str, pool: str) -> frozenset[str]:
    """The nodes in a backend pool of a load balancer."""
    found = azure.load_balancer(balancer)
    assert found is not None, balancer
    (one,) = (one for one in found.pools if one.name == pool)
    return azure.members(one, get(two, "nodes")["items"])


def warnings_about(cluster: LocalCluster, name: str) -> list[str]:
    """The Warning events about a Service."""
    items = get(cluster, "events", f"--field-selector=involvedObject.name={name},type=Warning")["items"]
    return [f"{event['reason']}: {event['message']}" for event in items if event["involvedObject"]["kind"] == "Service"]


def test_services_are_placed_on_the_load_balancer_that_they_name(
    two: LocalCluster, azure: Azure, placed: dict[str, list[str]]
) -> None:
    for balancer, addresses in placed.items():
        for address in addresses:
            assert balancer_of(azure, address).name == balancer
            wait_until_answers(two, url(address, 80))


def test_a_node_is_behind_one_load_balancer_only(two: LocalCluster, azure: Azure, placed: dict[str, list[str]]) -> None:
    assert set(placed) == {FIRST, SECOND}
    for pool in ("kubernetes", "kubernetes-IPv6"):
        assert members(azure, two, FIRST, pool) == {NODE_1}
        assert members(azure, two, SECOND, pool) == {NODE_2}


def test_a_pool_of_a_local_service_follows_fast_scaling(two: LocalCluster, azure: Azure) -> None:
    name: str = deploy_web(two, "local")["metadata"]["name"]
    must_succeed(kubectl(two, "annotate", "service", name, f"{PLACEMENT}={SECOND}"))
    must_succeed(kubectl(two, "patch", "service", name, "--patch", LOAD_BALANCER))
    must_succeed(kubectl(two, "patch", "service", name, "--patch", LOCAL))
    addresses = external_addresses(two, name)
    for replicas in (0, 2, 0, 2):
        must_succeed(kubectl(two, "scale", f"deployment/{name}", f"--replicas={replicas}"))
        must_succeed(kubectl(two, "rollout", "status", f"deployment/{name}", "--timeout=60s"))
    slices = get(two, "endpointslices", f"--selector=kubernetes.io/service-name={name}")["items"]
    nodes = {endpoint["nodeName"] for one in slices for endpoint in one["endpoints"] or ()}
    azure.wait_until(
        lambda: members(azure, two, SECOND, f"default-{name}"),
        lambda found: found == nodes,
        timeout_s=POOL_WITHIN_S,
        what=f"the pool of {name} to hold {', '.join(sorted(nodes))}",
    )
    assert warnings_about(two, name) == []
    for address in addresses:
        wait_until_answers(two, url(address, 80))


def test_with_a_shared_probe_no_node_ports_are_needed(two: LocalCluster, azure: Azure) -> None:
    body: dict[str, Any] = deploy_web(two, "shared-probe")
    spec = {
        "type": "LoadBalancer",
        "allocateLoadBalancerNodePorts": False,
        "selector": body["spec"]["selector"],
        "ports": [{"port": 80, "targetPort": WEB_PORT}],
    }
    made = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "portless"}, "spec": spec}
    must_succeed(kubectl(two, "create", "--filename=-", text=json.dumps(made)))
    (address,) = external_addresses(two, "portless")
    assert "nodePort" not in get(two, "service", "portless")["spec"]["ports"][0]
    probe = probe_of(azure, address)
    assert probe.model_dump(include=set(SHARED_PROBE)) == SHARED_PROBE
    wait_until_answers(two, url(address, 80))
    assert warnings_about(two, "portless") == []
