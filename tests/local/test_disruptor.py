"""Things done to a running cluster take effect, are undone, and leave nothing behind, whatever ends the run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures.api import NODES, Api, NotInTime
from fixtures.clusters.local import open_cluster
from fixtures.clusters.local.cluster import LocalCluster, attach
from fixtures.errors import UsageError
from fixtures.faults import nodes
from fixtures.faults.disruptions import Disruptions
from fixtures.history import Fault, History
from fixtures.workloads.web import Pod
from tests.local.helpers import (
    NODE_1,
    NODE_2,
    NODE_9,
    ROOT,
    ask,
    command,
    deploy_web,
    get,
    kubectl,
    must_succeed,
    node_port_urls,
    url,
    wait_until_answers,
)
from tests.local.leftovers import changes_since, host_now, remains_of

RUN_ID = "run-1"
# Takes the API server away, says so, and never gives it back.
DYING = """
import signal, sys
from fixtures.clusters.local.cluster import attach
from fixtures.clusters.local.disruptor import LocalDisruptor
cluster = attach(sys.argv[1])
LocalDisruptor(cluster).fail_node(cluster.node_names[1])
with LocalDisruptor(cluster).api_server_outage():
    print("away", flush=True)
    signal.pause()
"""


@pytest.fixture(scope="module")
def own_cluster(own_cache: Path, prefix: str) -> Iterator[LocalCluster]:
    """A cluster of two nodes."""
    name, before = f"{prefix}-disrupt", host_now()
    must_succeed(command("up", "--name", name, "--nodes", "2"))
    assert (own_cache / "clusters" / name).exists()
    yield attach(name)
    assert list((own_cache / "clusters" / name / "disrupted").iterdir()) == []
    must_succeed(command("down", "--name", name))
    assert remains_of(name) == []
    assert [change for change in changes_since(before) if " new: " in change] == []


@pytest.fixture(scope="module")
def service(own_cluster: LocalCluster) -> dict[str, Any]:
    """A Service with its one pod on the first node."""
    return deploy_web(own_cluster, "steady", node=NODE_1)


@pytest.fixture
def history() -> History:
    """The record of what is done."""
    return History()


@pytest.fixture
def disruptions(own_cluster: LocalCluster, history: History) -> Disruptions:
    """As a conformance test has it."""
    return Disruptions(Api(own_cluster.kubeconfig), own_cluster.info, RUN_ID, history)


def node_port(service: dict[str, Any]) -> int:
    """The Service's only node port."""
    return int(service["spec"]["ports"][0]["nodePort"])


def must_answer(cluster: LocalCluster, service: dict[str, Any]) -> None:
    """Assert that the Service answers at each address of each node, at once."""
    for target in node_port_urls(cluster, service):
        assert ask(cluster, "client", "http", target).get("status") == 200, target


def replaced(before: dict[str, dict[str, int]], after: dict[str, dict[str, int]]) -> list[str]:
    """The programs that run under another process id."""
    assert {host: set(programs) for host, programs in before.items()} == {h: set(p) for h, p in after.items()}
    return [f"{host} {name}" for host in before for name, pid in before[host].items() if after[host][name] != pid]


def pods(cluster: LocalCluster, app: str) -> list[Pod]:
    """The pods of a Deployment."""
    return [Pod.of(item) for item in get(cluster, "pods", f"--selector=app={app}")["items"]]


@pytest.mark.parametrize("program", ["kube-proxy", "kubelet"])
def test_a_nodes_program_is_restarted_and_its_pods_stay(
    own_cluster: LocalCluster, service: dict[str, Any], disruptions: Disruptions, history: History, program: str
) -> None:
    before, was = own_cluster.processes(), pods(own_cluster, "steady")
    restart = {"kube-proxy": disruptions.restart_kube_proxy, "kubelet": disruptions.restart_kubelet}[program]
    restart(NODE_1)
    assert replaced(before, own_cluster.processes()) == [f"{NODE_1} {program}"]
    must_answer(own_cluster, service)
    assert pods(own_cluster, "steady") == was
    faults = [line.event for line in history.lines if isinstance(line.event, Fault)]
    assert [(fault.moment, fault.what) for fault in faults] == [
        (moment, f"{program} of {NODE_1} is restarted") for moment in ("start", "end")
    ]


def test_the_api_server_is_away_and_comes_back(
    own_cluster: LocalCluster, service: dict[str, Any], disruptions: Disruptions
) -> None:
    before, address = own_cluster.processes(), own_cluster.control_plane.address
    for target in node_port_urls(own_cluster, service):
        wait_until_answers(own_cluster, target)
    with disruptions.api_server_outage():
        for _ in range(3):
            must_answer(own_cluster, service)
            with pytest.raises(ConnectionRefusedError):
                own_cluster.host(NODE_1).connect(address, 6443, 1.0)
    assert replaced(before, own_cluster.processes()) == ["control-plane kube-apiserver"]
    assert own_cluster.api.get("/readyz")[0] == 200


def test_a_node_fails_and_is_back_when_the_block_ends(
    own_cluster: LocalCluster, service: dict[str, Any], disruptions: Disruptions
) -> None:
    lost = {url(str(address), node_port(service)) for address in own_cluster.info.nodes[1].addresses}
    with disruptions.failed_node(NODE_2):
        assert own_cluster.processes()[NODE_2] == {}
        for target in node_port_urls(own_cluster, service):
            answered = ask(own_cluster, "client", "http", target).get("status") == 200
            assert answered == (target not in lost), target
    assert sorted(own_cluster.ready_nodes()) == [NODE_1, NODE_2]
    must_answer(own_cluster, service)


def test_an_unknown_node_is_bad_input(disruptions: Disruptions) -> None:
    with pytest.raises(UsageError, match=f"has no '{NODE_9}'"):
        disruptions.restart_kubelet(NODE_9)


def test_what_a_killed_run_did_is_undone_when_the_next_one_opens_the_cluster(
    own_cluster: LocalCluster, service: dict[str, Any]
) -> None:
    argv = [sys.executable, "-c", DYING, own_cluster.state.name]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "away\n"
        run.kill()
    assert "kube-apiserver" not in own_cluster.processes()["control-plane"]
    open_cluster(own_cluster.state.name, keep=False, progress=print).close()
    assert sorted(own_cluster.ready_nodes()) == [NODE_1, NODE_2]
    must_answer(own_cluster, service)


def guarded(cluster: LocalCluster, name: str, min_available: int) -> list[Pod]:
    """Two pods of a Deployment, with a PodDisruptionBudget."""
    deploy_web(cluster, name)
    must_succeed(kubectl(cluster, "scale", f"deployment/{name}", "--replicas=2"))
    must_succeed(kubectl(cluster, "rollout", "status", f"deployment/{name}", "--timeout=60s"))
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name},
        "spec": {"minAvailable": min_available, "selector": {"matchLabels": {"app": name}}},
    }
    must_succeed(kubectl(cluster, "create", "--filename=-", text=yaml.safe_dump(budget)))
    return pods(cluster, name)


def test_a_drain_honours_the_disruption_budget(own_cluster: LocalCluster, disruptions: Disruptions) -> None:
    was = guarded(own_cluster, "drained", 1)
    with disruptions.cordoned_node(NODE_1):
        disruptions.drain(NODE_1, "default", was)
        must_succeed(kubectl(own_cluster, "rollout", "status", "deployment/drained", "--timeout=60s"))
        now = pods(own_cluster, "drained")
        assert not {pod.uid for pod in was} & {pod.uid for pod in now}
        assert {pod.node for pod in now} == {NODE_2}
    assert "unschedulable" not in get(own_cluster, "node", NODE_1)["spec"]
    must_succeed(kubectl(own_cluster, "delete", "deployment/drained", "poddisruptionbudget/drained"))


def test_a_drain_that_is_never_allowed_is_ours_to_report(own_cluster: LocalCluster) -> None:
    was = guarded(own_cluster, "guarded", 2)
    with pytest.raises(NotInTime, match=f"eviction of {was[0].name}: its PodDisruptionBudget did not allow it"):
        nodes.drain(Api(own_cluster.kubeconfig), "default", was, timeout_s=2)
    assert pods(own_cluster, "guarded") == was
    must_succeed(kubectl(own_cluster, "delete", "deployment/guarded", "poddisruptionbudget/guarded"))


def test_nodes_that_a_killed_run_has_cordoned_are_found_by_its_id(own_cluster: LocalCluster) -> None:
    api = Api(own_cluster.kubeconfig)
    body = {"metadata": {"annotations": {nodes.CORDONED_BY: RUN_ID}}, "spec": {"unschedulable": True}}
    for name in own_cluster.node_names:
        api.patch(NODES, name, body)
    nodes.restore_all(api, "another-run")
    assert all(item["spec"].get("unschedulable") for item in api.list_all(NODES)["items"])
    nodes.restore_all(api, RUN_ID)
    for item in api.list_all(NODES)["items"]:
        assert "unschedulable" not in item["spec"]
        assert nodes.CORDONED_BY not in item["metadata"].get("annotations", {})


def test_the_dns_server_is_replaced_and_answers(
    own_cluster: LocalCluster, service: dict[str, Any], disruptions: Disruptions
) -> None:
    def uids() -> set[str]:
        items = get(own_cluster, "pods", "--namespace=kube-system", "--selector=k8s-app=kube-dns")["items"]
        return {item["metadata"]["uid"] for item in items}

    was = uids()
    disruptions.restart_dns()
    assert len(uids()) == len(was) == 2
    assert not was & uids()
    for target in node_port_urls(own_cluster, service):
        wait_until_answers(own_cluster, target)
