"""A node fails as by a power cut, and comes back; kube-proxy works in its other mode as well."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.clusters.local.cluster import LocalCluster, attach
from tests.local.helpers import (
    NODE_1,
    NODE_2,
    NODE_9,
    ask,
    command,
    deploy_web,
    get,
    must_refuse,
    must_succeed,
    node_port_urls,
    url,
    wait_until_answers,
)
from tests.local.leftovers import changes_since, host_now, remains_of

BACK_TIMEOUT_S = 30.0


@pytest.fixture(scope="module")
def own_cluster(own_cache: Path, prefix: str) -> Iterator[LocalCluster]:
    """A cluster of two nodes with kube-proxy in mode iptables."""
    name = f"{prefix}-fail"
    # Installs iptables where it is missing, which is no leftover.
    must_succeed(command("up", "--name", name, "--nodes", "2", "--proxy-mode", "iptables"))
    assert (own_cache / "clusters" / name).exists()
    yield attach(name)
    before = host_now()
    must_succeed(command("down", "--name", name))
    assert remains_of(name) == []
    assert [change for change in changes_since(before) if " new: " in change] == []


@pytest.fixture(scope="module")
def service(own_cluster: LocalCluster) -> dict[str, Any]:
    """A Service with its one pod on the second node."""
    return deploy_web(own_cluster, "fail", node=NODE_2)


def pod_of(cluster: LocalCluster) -> dict[str, Any]:
    """The pod behind the Service."""
    (pod,) = get(cluster, "pods", "--selector=app=fail")["items"]
    assert isinstance(pod, dict)
    return pod


def wait_until_running_again(cluster: LocalCluster, was: str) -> None:
    """Wait until the pod's container is ready and has another id than `was`."""
    path = "/api/v1/namespaces/default/pods"
    for pod in cluster.api.watch(path, BACK_TIMEOUT_S, labelSelector="app=fail"):
        (status,) = pod["status"]["containerStatuses"]
        if status["ready"] and status["containerID"] != was:
            return
    raise AssertionError(f"no new container was ready within {BACK_TIMEOUT_S:g} s")


def test_each_proxy_mode_is_the_one_asked_for(own_cluster: LocalCluster, cluster: LocalCluster) -> None:
    for entry, mode in ((own_cluster, "iptables"), (cluster, "nftables")):
        answer = ask(entry, NODE_1, "http", "http://127.0.0.1:10249/proxyMode")
        assert (answer["status"], answer["body"]) == (200, mode)


def test_services_answer_in_mode_iptables(own_cluster: LocalCluster, service: dict[str, Any]) -> None:
    for target in node_port_urls(own_cluster, service):
        assert ask(own_cluster, "client", "http", target).get("status") == 200, target
    for address in service["spec"]["clusterIPs"]:
        assert ask(own_cluster, NODE_1, "http", url(address, 80)).get("status") == 200, address


def test_only_a_stopped_node_can_be_started(own_cluster: LocalCluster) -> None:
    name = own_cluster.state.name
    assert must_refuse(command("start-node", NODE_2, "--name", name)) == (
        f"error: node: {NODE_2} is running; only a stopped one can be started"
    )
    assert must_refuse(command("stop-node", NODE_9, "--name", name)).startswith(
        f"error: HOST: cluster {name} has no '{NODE_9}'; it has router, client, vnet, control-plane, {NODE_1}, {NODE_2}"
    )


def test_a_failed_node_is_dead_at_once_and_comes_back(own_cluster: LocalCluster, service: dict[str, Any]) -> None:
    name, node = own_cluster.state.name, own_cluster.node(NODE_2)
    (was,) = pod_of(own_cluster)["status"]["containerStatuses"]
    targets = node_port_urls(own_cluster, service)
    target = next(target for target in targets if str(own_cluster.info.nodes[1].addresses[0]) in target)
    assert ask(own_cluster, "client", "http", target).get("status") == 200
    must_succeed(command("stop-node", NODE_2, "--name", name))
    assert own_cluster.cgroups.processes(node.group) == set()
    assert list(ask(own_cluster, "client", "http", target)) == ["error"]
    must_succeed(command("start-node", NODE_2, "--name", name))
    wait_until_running_again(own_cluster, was["containerID"])
    assert set(own_cluster.processes()[NODE_2]) == {"containerd", "kubelet", "kube-proxy"}
    for target in targets:
        wait_until_answers(own_cluster, target)
