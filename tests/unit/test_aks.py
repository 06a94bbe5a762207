"""An AKS cluster is opened through the real SDKs, here against the emulated ARM; bad input is one clear line."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError

from fixtures.api import Api
from fixtures.azure.arm import rendering
from fixtures.azure.arm.seeds import Seed
from fixtures.clusters import Disruption, IPFamily, reading
from fixtures.clusters.aks import entra_token
from fixtures.clusters.aks.cluster import limits
from fixtures.clusters.aks.managed import ManagedCluster
from fixtures.clusters.aks.settings import read_settings
from fixtures.clusters.registry import open_cluster
from fixtures.errors import SuiteError, UsageError
from tests.unit import azure_arm
from tests.unit.azure_aks import VARIABLES, Azure, served
from tests.unit.azure_arm import GROUP, NETWORK
from tests.unit.kube_api import KUBELOGIN, node


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Azure]:
    """A managed cluster `demo` behind an emulated ARM."""
    yield from served(tmp_path, monkeypatch)


def test_a_cluster_is_read_and_left_as_it_is(azure: Azure) -> None:
    before = azure.server.arm.store.links()
    cluster = azure.open()
    info = cluster.info
    assert (info.kind, info.name, info.kubernetes_version) == ("aks-emulated", "demo", "v1.36.3")
    assert [node.name for node in info.nodes] == ["node-1", "node-2", "node-3"]
    assert str(info.nodes[0].addresses[0]) == "127.0.0.1"
    assert info.families == (IPFamily.IPV4, IPFamily.IPV6)
    assert [str(r) for r in info.service_ranges] == ["10.0.0.0/16", "fd00:10::/112"]
    assert (info.outside, info.vnet, info.public_node_ports) == ((), None, False)
    assert (info.load_balancer, info.disruptions) == ("emulated Azure", frozenset())
    assert info.arm is not None
    assert (info.arm.node_resource_group, info.arm.location, info.arm.emulated) == (GROUP, "eastus", True)
    assert azure.said[0].startswith("AKS cluster demo in eastus: Azure CNI Overlay; Azure is emulated at http://127.")
    assert azure.server.arm.store.links() == before
    methods = {(entry["method"], entry["path"].rpartition("/")[2]) for entry in requests_of(azure)}
    assert {method for method, _ in methods} == {"GET", "POST"}
    assert {tail for method, tail in methods if method == "POST"} == {"listClusterUserCredential"}
    cluster.close()


def requests_of(azure: Azure) -> list[dict[str, Any]]:
    """What ARM was asked."""
    return list(azure.server.log.listed(0))


def test_the_credentials_are_in_a_private_folder_that_goes_with_the_run(azure: Azure) -> None:
    cluster = azure.open()
    path = cluster.info.kubeconfig
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    cluster.close()
    cluster.close()
    assert not path.parent.exists()


def test_what_a_killed_run_left_is_swept(azure: Azure, tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    left = tmp_path / f"k8s-service-conformance-aks-{gone.pid}-x"
    living = tmp_path / f"k8s-service-conformance-aks-{os.getppid()}-x"
    for folder in (left, living):
        folder.mkdir()
    azure.open().close()
    assert (left.exists(), living.exists()) == (False, True)


def test_environment_variables_stand_in_for_flags_and_flags_win(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    values = [*azure.flags.values()]
    for variable, value in zip(VARIABLES, values, strict=True):
        monkeypatch.setenv(variable, value)
    azure.flags = {}
    azure.open().close()
    with pytest.raises(UsageError, match="--aks-cluster-name: other: "):
        azure.open(aks_cluster_name="other")


BAD_FLAGS = [
    ({"azure_subscription": ""}, "--azure-subscription: missing, and AZURE_SUBSCRIPTION_ID is not set"),
    ({"azure_subscription": "prod"}, "--azure-subscription: found 'prod'; allowed is a subscription's GUID"),
    ({"aks_resource_group": ""}, "--aks-resource-group: missing, and AKS_RESOURCE_GROUP is not set"),
    ({"aks_resource_group": "a/b"}, "--aks-resource-group: found 'a/b'; allowed is up to 90 letters"),
    ({"aks_cluster_name": ""}, "--aks-cluster-name: missing, and AKS_CLUSTER_NAME is not set"),
    ({"aks_cluster_name": "-x"}, "--aks-cluster-name: found '-x'; allowed is up to 63"),
    ({"arm_endpoint": "management.azure.com"}, "--arm-endpoint: found 'management.azure.com'; allowed is https://HOST"),
    ({"arm_endpoint": "https://a/b"}, "--arm-endpoint: found 'https://a/b'"),
    ({"arm_endpoint": "http://192.0.2.1"}, "over plain HTTP credentials are sent to this machine's own addresses only"),
    ({"arm_token_file": ""}, "and only those of --arm-token-file"),
    ({"arm_token_file": "/nowhere"}, "--arm-token-file: /nowhere: No such file or directory; allowed is a file"),
    ({"arm_token_file": "/dev/null"}, "--arm-token-file: /dev/null is empty"),
    ({"allow_disruption": "node_failure"}, "--allow-disruption: found 'node_failure'; allowed is node_drain"),
]


@pytest.mark.parametrize(("flags", "said"), BAD_FLAGS)
def test_a_flag_that_cannot_be_right_is_refused_before_anything_is_asked(
    azure: Azure, flags: dict[str, str], said: str
) -> None:
    assert said in azure.must_refuse(**flags)
    assert requests_of(azure) == []


OTHER = "00000000-0000-0000-0000-00000000000b"
WRONG = [
    ({"azure_subscription": OTHER}, f"--azure-subscription: {OTHER}: HTTP 404 SubscriptionNotFound"),
    ({"aks_resource_group": "none"}, "--aks-resource-group: none: HTTP 404 ResourceGroupNotFound"),
    ({"aks_cluster_name": "none"}, "--aks-cluster-name: none: HTTP 404 ResourceNotFound"),
]


@pytest.mark.parametrize(("flags", "said"), WRONG)
def test_what_azure_does_not_know_is_named_by_its_flag(azure: Azure, flags: dict[str, str], said: str) -> None:
    assert azure.must_refuse(**flags).startswith(said)


def test_a_wrong_token_and_a_dead_endpoint_are_bad_input(azure: Azure, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("planted-wrong-token", "utf-8")
    line = azure.must_refuse(arm_token_file=str(wrong))
    assert line.startswith(f"--arm-token-file {wrong}: HTTP 401 InvalidAuthenticationToken: ")
    assert "planted" not in line
    line = azure.must_refuse(arm_endpoint="http://127.0.0.1:1")
    assert line.startswith("--arm-endpoint: http://127.0.0.1:1 does not answer: ")


CREDENTIALS = "managedClusters/demo/listClusterUserCredential"
SEEDS = [
    ("managedClusters/demo$", 403, UsageError, "action Microsoft.ContainerService/managedClusters/read is not allowed"),
    (
        CREDENTIALS,
        403,
        UsageError,
        "action Microsoft.ContainerService/managedClusters/listClusterUserCredential/action",
    ),
    ("loadBalancers", 403, UsageError, "action Microsoft.Network/loadBalancers/read is not allowed"),
    ("networkSecurityGroups", 403, UsageError, "action Microsoft.Network/networkSecurityGroups/read is not allowed"),
    (CREDENTIALS, 409, SuiteError, "HTTP 409 AnotherOperationInProgress"),
    ("publicIPAddresses", 400, SuiteError, "HTTP 400 BadRequest"),
]


@pytest.mark.parametrize(("path", "status", "kind", "said"), SEEDS)
def test_a_missing_right_and_an_error_of_azure_are_one_line(
    azure: Azure, path: str, status: int, kind: type[Exception], said: str
) -> None:
    azure.server.seeds.add(Seed(path=path, status=status, times=None))
    line = azure.must_refuse(kind)
    assert said in line
    assert "object id" not in line


def test_throttling_is_waited_for_as_azure_says(azure: Azure) -> None:
    azure.server.seeds.add(Seed(path="managedClusters/demo$", status=429, headers={"Retry-After": "0"}))
    azure.open().close()


def test_an_entra_id_cluster_needs_no_kubelogin(azure: Azure) -> None:
    azure.kubeconfig.write_text(azure.api.kubeconfig(KUBELOGIN), "utf-8")
    azure.api.token = azure.token
    cluster = azure.open()
    assert set(azure.api.tokens) == {f"Bearer {azure.token}"}
    assert azure.token not in cluster.info.kubeconfig.read_text("utf-8") + cluster.info.model_dump_json()
    cache = cluster.info.kubeconfig.with_name("token")
    assert stat.S_IMODE(cache.stat().st_mode) == 0o600
    cluster.close()


def test_a_login_to_the_cluster_that_fails_is_bad_input(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: object) -> None:
        raise ClientAuthenticationError("AADSTS50076: multi-factor authentication is needed\nTrace ID: x")

    monkeypatch.setattr(entra_token, "fetched", refused)
    azure.open().close()
    azure.kubeconfig.write_text(azure.api.kubeconfig(KUBELOGIN), "utf-8")
    assert "ClientAuthenticationError: AADSTS50076: multi-factor authentication is needed" in azure.must_refuse()


def test_a_token_is_renewed_before_it_ends(
    azure: Azure, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cache, file = azure.kubeconfig.with_name("cache"), azure.kubeconfig.with_name("file")
    file.write_text("first", "utf-8")
    handed_out = []
    for new, elapsed_s in (("first", 0), ("second", 2000), ("third", 1000)):
        file.write_text(new, "utf-8")
        now = time.time()
        monkeypatch.setattr(time, "time", lambda to=now + elapsed_s: to)
        assert entra_token.main([str(cache), str(file)]) == 0
        handed_out.append(json.loads(capsys.readouterr().out)["status"]["token"])
    # The second asks while there is still time, the third when the end is near.
    assert handed_out == ["first", "first", "third"]


def test_a_token_that_cannot_be_had_is_one_line_without_a_secret(capsys: pytest.CaptureFixture[str]) -> None:
    assert entra_token.main(["/nowhere/cache", "/nowhere/file"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("no token for the cluster: FileNotFoundError: ")


def test_a_cluster_that_does_not_know_us_or_denies_a_right_is_bad_input(azure: Azure) -> None:
    azure.api.denied = {"create pods/proxy"}
    assert azure.must_refuse().startswith("Kubernetes: the right to create pods/proxy in every namespace is missing")
    azure.api.denied = {"patch nodes"}
    azure.open().close()
    assert "the right to patch nodes" in azure.must_refuse(allow_disruption="node_drain")
    azure.api.token = f"not {azure.token}"
    assert azure.must_refuse().startswith("Kubernetes: the API server refuses these credentials: 401 Unauthorized")


def test_drains_are_offered_when_they_are_allowed(azure: Azure) -> None:
    cluster = azure.open(allow_disruption="node_drain")
    assert cluster.info.disruptions == {Disruption.NODE_DRAIN}
    cluster.close()


def test_nodes_that_take_no_ordinary_pods_are_left_out(azure: Azure) -> None:
    tainted = node(4, taints=[{"key": "CriticalAddonsOnly", "effect": "NoSchedule"}])
    windows, virtual, failed = node(6), node(7), node(8)
    windows["metadata"]["labels"]["kubernetes.io/os"] = "windows"
    virtual["metadata"]["labels"]["type"] = "virtual-kubelet"
    failed["status"]["conditions"] = [{"type": "Ready", "status": "Unknown"}]
    others = [tainted, node(5, unschedulable=True), windows, virtual, failed]
    azure.api.nodes = [*others, node(1)]
    cluster = azure.open()
    assert [node.name for node in cluster.info.nodes] == ["node-1"]
    reasons = [line.rpartition(": ")[2] for line in azure.said if " runs none of the suite's pods: " in line]
    assert reasons == [
        "taint CriticalAddonsOnly",
        "cordoned",
        "runs windows",
        "a virtual node, which runs no DaemonSets",
        "not Ready",
    ]
    cluster.close()
    azure.api.nodes = others
    assert azure.must_refuse().startswith("the cluster has no node for ordinary pods, of 5: allowed is one with ")


def test_a_node_that_has_just_become_ready_is_waited_for(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    new = node(2, taints=[{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}])
    azure.api.nodes = [node(1), new]
    monkeypatch.setattr(azure.api, "listed", new["spec"].clear)
    cluster = azure.open()
    assert [node.name for node in cluster.info.nodes] == ["node-1", "node-2"]
    cluster.close()


def test_a_kubeconfig_that_is_none_is_not_shown(azure: Azure) -> None:
    azure.kubeconfig.write_text("planted-secret: [", "utf-8")
    line = azure.must_refuse(SuiteError)
    assert line == "Azure: the managed cluster's user credentials are no kubeconfig"


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"powerState": {"code": "Stopped"}}, "demo is stopped; start it with: az aks start -g rg -n demo"),
        ({"provisioningState": "Upgrading"}, "demo is in the state Upgrading; allowed is a cluster that is not being"),
        (
            {"apiServerAccessProfile": {"enablePrivateCluster": True}},
            "demo is a private cluster, and there is no way to it from here (127.0.0.1:1: Connection refused)",
        ),
        (
            {"apiServerAccessProfile": {"authorizedIPRanges": ["192.0.2.0/24"]}},
            "cannot be reached (127.0.0.1:1: Connection refused); it takes connections from 192.0.2.0/24 only",
        ),
    ],
)
def test_a_cluster_that_cannot_be_used_now_is_bad_input(
    azure: Azure, monkeypatch: pytest.MonkeyPatch, properties: dict[str, Any], said: str
) -> None:
    def computed(body: dict[str, Any], _: object) -> None:
        body["properties"] |= properties

    monkeypatch.setitem(rendering._COMPUTED, "managedClusters", computed)
    azure.api.server = "http://127.0.0.1:1"
    azure.kubeconfig.write_text(azure.api.kubeconfig(), "utf-8")
    line = azure.must_refuse()
    assert line.startswith("--aks-cluster-name: ")
    assert said in line


@pytest.mark.parametrize(
    ("network", "mode", "limit"),
    [
        ({"networkPlugin": "azure", "networkPluginMode": "overlay"}, "Azure CNI Overlay", ""),
        ({"networkPlugin": "azure"}, "Azure CNI, pods in the virtual network", ""),
        ({"networkPlugin": "kubenet"}, "kubenet", "kubenet: "),
        ({"networkPlugin": "none"}, "a pod network of the user's own", ""),
        (
            {"networkPlugin": "azure", "networkPluginMode": "overlay", "networkDataplane": "cilium"},
            "Azure CNI Overlay, Cilium data plane",
            "there is no kube-proxy: ",
        ),
        ({}, "", ""),
    ],
)
def test_the_network_mode_is_read_and_its_limits_are_said(
    azure: Azure, network: dict[str, str], mode: str, limit: str
) -> None:
    cluster = azure.open()
    managed = ManagedCluster({"properties": {"networkProfile": network}})
    assert managed.network_mode == mode
    plain, found = limits(cluster.info, ManagedCluster({})), limits(cluster.info, managed)
    assert [line for line in found if line not in plain] == [line for line in found if limit and line.startswith(limit)]
    assert bool(limit) == (len(found) > len(plain))
    cluster.close()


def test_in_the_virtual_network_node_ports_and_internal_addresses_are_seen(
    azure: Azure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "KUBELET_PORT", int(azure.api.server.rpartition(":")[2]))
    cluster = azure.open()
    assert (cluster.info.vnet, cluster.info.public_node_ports) == ((), True)
    cluster.close()


def test_ranges_of_services_are_read_of_arm_where_it_has_them(azure: Azure) -> None:
    assert ManagedCluster({"properties": {"networkProfile": {"serviceCidr": "10.1.0.0/16"}}}).service_ranges == [
        "10.1.0.0/16"
    ]
    api = Api(azure.kubeconfig)
    assert [str(r) for r in reading.service_ranges(api, ["10.1.0.0/16"])] == ["10.1.0.0/16"]


def test_logs_are_what_the_api_and_arm_show(azure: Azure, tmp_path: Path) -> None:
    cluster = azure.open()
    call = azure_arm.Caller(azure.server.arm)
    call("PUT", f"{NETWORK}/publicIPAddresses/web", azure_arm.public_address())
    cluster.collect_logs(tmp_path / "logs")
    assert "node-1" in (tmp_path / "logs" / "nodes.json").read_text("utf-8")
    (found,) = json.loads((tmp_path / "logs" / "public-ips.json").read_text("utf-8"))
    assert found["name"] == "web"
    cluster.close()


@pytest.mark.parametrize(
    ("name", "keep", "said"),
    [
        ("dev", False, "--cluster-name: given with --cluster=aks"),
        (None, True, "--keep-cluster: given with --cluster=aks"),
    ],
)
def test_what_is_for_clusters_of_our_own_is_refused(name: str | None, keep: bool, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        open_cluster("aks", name=name, keep=keep, progress=print)


def test_azures_own_arm_takes_the_default_credential() -> None:
    flags = {"--azure-subscription": OTHER, "--aks-resource-group": "rg", "--aks-cluster-name": "demo"}
    settings = read_settings(flags, {})
    assert (settings.endpoint, settings.emulated, settings.token_file) == ("https://management.azure.com", False, None)
    assert "DefaultAzureCredential" in settings.credentials


def test_what_goes_to_workers_and_records_has_no_token(azure: Azure) -> None:
    cluster = azure.open()
    assert azure.token not in cluster.info.model_dump_json()
    assert cluster.info.arm is not None
    assert cluster.info.arm.token() == azure.token
    cluster.close()
