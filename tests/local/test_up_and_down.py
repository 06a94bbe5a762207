"""`up`, `status`, `shell` and `down`, and several clusters side by side."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from ipaddress import ip_network
from itertools import takewhile
from pathlib import Path

import pytest

from fixtures.clusters.local.cluster import LocalCluster, attach
from fixtures.clusters.local.paths import cluster_dir
from fixtures.clusters.local.upstreams import CLOUD_CONTROLLER_MANAGER
from tests.local.helpers import COMMAND, NODE_1, NODE_2, NODE_3, ROOT, command, get, must_refuse, must_succeed, run
from tests.local.leftovers import Host, changes_since, remains_of

NODES = [NODE_1, NODE_2, NODE_3]
PROGRAMS = {
    "control-plane": {
        *("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "relay"),
        CLOUD_CONTROLLER_MANAGER,
    },
    **{node: {"containerd", "kubelet", "kube-proxy"} for node in NODES},
}


@pytest.fixture(scope="module")
def neighbour(cluster: LocalCluster, prefix: str) -> Iterator[LocalCluster]:
    """A second cluster, of one node, beside the first."""
    name = f"{prefix}-side"
    assert cluster.state.name != name
    must_succeed(command("up", "--name", name, "--nodes", "1"))
    yield attach(name)
    must_succeed(command("down", "--name", name))
    assert remains_of(name) == []


def test_status_says_what_a_script_needs(cluster: LocalCluster) -> None:
    (status,) = json.loads(must_succeed(command("status", "--name", cluster.state.name, "--output", "json")))
    assert (status["name"], status["state"]) == (cluster.state.name, "running")
    assert status["nodes"] == status["ready_nodes"] == NODES
    assert status["api_server"] == f"https://127.0.0.1:{cluster.state.api_port}"
    assert Path(status["kubeconfig"]).stat().st_mode & 0o777 == 0o600
    assert {host: set(programs) for host, programs in status["processes"].items()} == PROGRAMS
    for programs in status["processes"].values():
        for program, pid in programs.items():
            assert program in Path(f"/proc/{pid}/cmdline").read_text()
    assert 0 < status["proportional_bytes"] < status["resident_bytes"]


def test_status_for_people_has_a_line_per_cluster(cluster: LocalCluster) -> None:
    lines = must_succeed(command("status")).splitlines()
    (line,) = [line for line in lines if line.split()[0] == cluster.state.name]
    assert "3 of 3" in line
    assert str(cluster.kubeconfig) in line


def test_shell_has_upstreams_kubectl(cluster: LocalCluster) -> None:
    shell = ["shell", "--name", cluster.state.name, "--", "kubectl"]
    assert must_succeed(command(*shell, "get", "nodes", "--output=name")).split() == [f"node/{n}" for n in NODES]
    versions = json.loads(must_succeed(command(*shell, "version", "--output=json")))
    assert versions["clientVersion"]["gitVersion"] == versions["serverVersion"]["gitVersion"]
    assert versions["serverVersion"]["gitVersion"] == cluster.info.kubernetes_version


def test_shell_gives_the_exit_code_of_the_command(cluster: LocalCluster) -> None:
    assert command("shell", "--name", cluster.state.name, "--", "sh", "-c", "exit 7").returncode == 7


@pytest.mark.parametrize("host", ["router", "client", "control-plane", NODE_2])
def test_shell_can_be_on_each_host(cluster: LocalCluster, host: str) -> None:
    argv = ["shell", "--name", cluster.state.name, "--on", host, "--", "readlink", "/proc/self/ns/net"]
    assert must_succeed(command(*argv)).strip() == str(cluster.host(host).namespace.readlink())


def test_every_kubectl_of_this_machine_works_with_the_kubeconfig(cluster: LocalCluster) -> None:
    found = {
        program
        for folder in [*cluster.programs, *os.get_exec_path()]
        if (program := shutil.which("kubectl", path=str(folder)))
    }
    assert found
    for program in found:
        done = run([program, "get", "--raw=/readyz"], **cluster.kubectl_environment)
        assert must_succeed(done) == "ok"


def test_the_audit_log_has_metadata_only(cluster: LocalCluster) -> None:
    get(cluster, "configmaps", "--namespace=kube-system")
    lines = (cluster.folder / "log" / "audit.log").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert {event["level"] for event in events} == {"Metadata"}
    assert not [event for event in events if "requestObject" in event or "responseObject" in event]
    listed = [e for e in events if e["verb"] == "list" and e["objectRef"]["resource"] == "configmaps"]
    assert "kubernetes-admin" in {event["user"]["username"] for event in listed}


def test_clusters_side_by_side_have_addresses_of_their_own(cluster: LocalCluster, neighbour: LocalCluster) -> None:
    assert cluster.state.block != neighbour.state.block
    for one, other in zip(cluster.info.service_ranges, neighbour.info.service_ranges, strict=True):
        assert not ip_network(one).overlaps(ip_network(other))
    for entry in (cluster, neighbour):
        items = get(entry, "nodes")["items"]
        assert [item["metadata"]["name"] for item in items] == entry.node_names
        assert {a["address"] for a in items[0]["status"]["addresses"]} > {str(a) for a in entry.info.nodes[0].addresses}
    assert {e["name"] for e in json.loads(must_succeed(command("status", "--output", "json")))} == {
        cluster.state.name,
        neighbour.state.name,
    }


def test_what_is_in_use_is_refused_in_one_line(cluster: LocalCluster, neighbour: LocalCluster) -> None:
    state = cluster.state
    other = f"{state.name}-x"
    assert must_refuse(command("up", "--name", state.name)) == (
        f"error: --name: cluster '{state.name}' is there already (running); choose another name"
    )
    assert must_refuse(command("up", "--name", other, "--address-block", str(neighbour.state.block))) == (
        f"error: --address-block: {neighbour.state.block} is in use by cluster '{neighbour.state.name}'"
    )
    assert f"127.0.0.1:{state.api_port} cannot be used: Address already in use" in must_refuse(
        command("up", "--name", other, "--api-port", str(state.api_port))
    )
    assert remains_of(other) == []


def test_a_cluster_can_be_where_a_person_wants_it(prefix: str, before: Host) -> None:
    name = f"{prefix}-at"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    must_succeed(command("up", "--name", name, "--nodes", "1", "--api-port", str(port), "--address-block", "63"))
    state = attach(name).state
    assert (state.api_port, state.block, state.owner) == (port, 63, None)
    must_succeed(command("down", "--name", name))
    assert remains_of(name) == []
    assert changes_since(before) == []


@pytest.mark.parametrize(
    ("number", "line"), [(signal.SIGINT, "starting"), (signal.SIGTERM, "API server ready"), (signal.SIGINT, "Ready")]
)
def test_a_stopped_up_leaves_nothing(number: signal.Signals, line: str, prefix: str, before: Host) -> None:
    name = f"{prefix}-stop"
    argv = [*COMMAND, "up", "--name", name]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as up:
        assert up.stderr is not None
        said = list(takewhile(lambda said: line not in said, up.stderr))
        assert cluster_dir(name).exists(), said
        up.send_signal(number)
        assert up.wait() == 130
        assert up.stderr.read().splitlines()[-1] == "interrupted; what was made is removed"
    assert remains_of(name) == []
    assert changes_since(before) == []


def test_logs_can_be_collected(cluster: LocalCluster, tmp_path: Path) -> None:
    cluster.collect_logs(tmp_path)
    for log in ("control-plane/kube-apiserver.log", "control-plane/audit.log", f"{NODE_3}/kubelet.log"):
        assert (tmp_path / log).stat().st_size > 0
    assert list(tmp_path.glob("aks-*/pods/kube-system_coredns-*/coredns/0.log"))
