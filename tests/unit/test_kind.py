"""A kind cluster is made, used and removed as it should be, and bad input is one line before anything is made."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path

import pytest
import yaml

from fixtures.clusters import ArmAccess, Disruption, IPFamily
from fixtures.clusters.kind import azure, journal, load_balancer, programs
from fixtures.clusters.kind.settings import NODE_IMAGE, KindSettings
from fixtures.errors import SuiteError, UsageError
from tests.unit.kind_fakes import NO_AZURE, Engine, engine_in
from tests.unit.kube_api import KubeApi, kube_api, node

ROOT = Path(__file__).resolve().parents[2]
SYSTEM_PODS = "/api/v1/namespaces/kube-system/pods"


class KindApi(KubeApi):
    """Has the pods of the system too."""

    def answer(self, path: str, body: object) -> tuple[int, object]:
        """Pods that are Ready, and what any cluster answers."""
        if path == SYSTEM_PODS:
            return 200, {"metadata": {"resourceVersion": "1"}, "items": [node(9)]}
        return super().answer(path, body)


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An engine without clusters, and kind on PATH."""
    with kube_api(KindApi()) as api:
        # The stand-in has three nodes for pods; the control plane is none.
        api.nodes.append(node(4, taints=[{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]))
        yield engine_in(tmp_path, monkeypatch, api)


def remains(tmp_path: Path) -> list[Path]:
    """What the cache has of clusters."""
    return list((tmp_path / "cache").glob("k8s-service-conformance/kind/*"))


def test_a_fresh_cluster_is_made_and_goes_with_the_run(engine: Engine, tmp_path: Path) -> None:
    cluster = engine.open(flags={"--image": "python=localhost/python:3.11"})
    info = cluster.info
    assert (info.kind, info.kubernetes_version, info.python_image) == ("kind", "v1.36.3", "localhost/python:3.11")
    assert engine.clusters == [info.name]
    assert [found.name for found in info.nodes] == ["node-1", "node-2", "node-3"]
    assert info.families == (IPFamily.IPV4, IPFamily.IPV6)
    assert (info.outside, info.vnet, info.load_balancer) == ((), None, None)
    assert info.no_load_balancer_because == f"{NO_AZURE}; cloud-provider-kind is not on PATH"
    assert info.disruptions == {Disruption.NODE_DRAIN, Disruption.DNS_RESTART}
    assert oct(info.kubeconfig.parent.stat().st_mode & 0o777) == "0o700"
    cluster.collect_logs(tmp_path / "logs")
    assert (tmp_path / "logs" / "kubelet.log").read_text() == "all is well\n"
    cluster.close()
    cluster.close()
    assert engine.calls == ["kind create cluster", "kind delete cluster"]
    assert (engine.clusters, remains(tmp_path)) == ([], [])


class AzureBeside:
    """Stands in for emulated Azure, which takes root and an engine."""

    access = ArmAccess(
        endpoint="http://127.0.0.1:1",
        emulated=True,
        subscription="s",
        location="eastus",
        cluster_resource_group="g",
        cluster_name="c",
        node_resource_group="n",
    )

    def __init__(self, name: str, _folder: Path, plan: azure.SegmentPlan) -> None:
        """It knows where it would be."""
        self.name, self.plan = name, plan

    def start(self, segment: azure.Segment, kubeconfig: Path, kubernetes_version: str) -> None:
        """Nothing."""
        assert (segment.network, kubernetes_version) == (self.plan.segment, "1.36.3")
        assert kubeconfig.exists()

    def client(self, name: str) -> tuple[str, ...]:
        """Where its clients would be."""
        return ("at", name)


def test_emulated_azure_is_beside_a_fresh_cluster(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []
    monkeypatch.setattr(azure, "not_here_because", lambda _progress: "")
    monkeypatch.setattr(azure, "find_segment", lambda _environment: azure.Segment("br-1", IPv4Network("172.18.0.0/16")))
    monkeypatch.setattr(azure, "KindAzure", AzureBeside)
    monkeypatch.setattr(azure, "end", ended.append)
    cluster = engine.open()
    info = cluster.info
    assert (info.outside, info.vnet, info.load_balancer) == (("at", "client"), ("at", "vnet"), "emulated Azure")
    assert info.arm == AzureBeside.access
    assert {Disruption.NODE_EXCLUSION, Disruption.CLOUD_CONTROLLER_RESTART} < info.disruptions
    config = yaml.safe_load((info.kubeconfig.parent / "config.yaml").read_text())
    assert all("kubeadmConfigPatches" in item for item in config["nodes"])
    cluster.close()
    assert ended == [info.name]


def test_emulated_azure_out_of_reach_says_why(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azure, "not_here_because", lambda _progress: "")
    monkeypatch.setattr(azure, "find_segment", lambda _environment: "no bridge here")
    cluster = engine.open()
    assert cluster.info.no_load_balancer_because == "no bridge here; cloud-provider-kind is not on PATH"
    cluster.close()
    with pytest.raises(SuiteError, match=r"^--azure=emulated: no bridge here$"):
        engine.open(flags={"--azure": "emulated"})
    assert engine.clusters == []


def test_a_cluster_has_one_control_plane_and_three_workers() -> None:
    config = KindSettings(proxy_mode="nftables").config("dev", azure=False)
    assert config["nodes"] == [{"role": role} for role in ("control-plane", "worker", "worker", "worker")]
    assert config["networking"] == {"kubeProxyMode": "nftables"}
    assert yaml.safe_load(yaml.safe_dump(config)) == config


def test_a_cluster_that_cannot_be_made_is_removed(engine: Engine, tmp_path: Path) -> None:
    engine.put("create-fails", "ERROR: failed to create cluster: no space left\n\nStack Trace:\nmain\n")
    with pytest.raises(SuiteError, match=r"kind create cluster ended with 1: ERROR: failed to .* no space left$"):
        engine.open()
    assert engine.calls == ["kind create cluster", "kind delete cluster"]
    assert (engine.clusters, remains(tmp_path)) == ([], [])


def test_a_cluster_is_kept_when_asked_for(engine: Engine) -> None:
    cluster = engine.open(keep=True)
    cluster.close()
    assert engine.calls == ["kind create cluster"]
    assert cluster.info.kubeconfig.exists()
    engine.open().close()
    assert engine.clusters == [cluster.info.name], "the next run leaves it alone"


def test_a_cluster_that_is_there_is_used_and_stays(engine: Engine) -> None:
    engine.put("clusters", "dev\n")
    cluster = engine.open("dev", flags={"--allow-disruption": "node_drain"})
    assert cluster.info.name == "dev"
    assert cluster.info.disruptions == {Disruption.NODE_DRAIN}
    cluster.close()
    assert not cluster.info.kubeconfig.exists()
    assert (engine.calls, engine.clusters) == ([], ["dev"])


def test_what_a_killed_run_left_is_removed_by_the_next(engine: Engine, tmp_path: Path) -> None:
    # As a process of its own: a lock is held as long as its process lives.
    script = f"""
import os, signal
from fixtures.clusters.kind.journal import Claim
claim = Claim.new()
open({str(engine.folder / "clusters")!r}, "w").write("dev\\n" + claim.name + "\\n")
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(remains(tmp_path)) == 1
    alive = journal.Claim.new()
    engine.put("clusters", "\n".join([*engine.clusters, alive.name, ""]))
    engine.open().close()
    assert engine.clusters == ["dev", alive.name], "neither a user's cluster nor another run's"
    assert remains(tmp_path) == [alive.folder]
    assert any("of a run that was killed" in line for line in engine.said)


def test_clusters_that_run_at_once_have_different_parts_of_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first, second = journal.Claim.new(), journal.Claim.new()
    assert (first.block, second.block) == (0, 1)
    first.release(kept=True)
    third = journal.Claim.new()
    assert third.block == 0, "nothing is beside a cluster that was kept"
    for claim in (second, third):
        claim.release(kept=False)


def test_what_is_left_on_another_engine_waits_for_it(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = journal.Claim.new()
    os.close(claim._lock)
    monkeypatch.setenv("DOCKER_HOST", "unix:///elsewhere.sock")
    engine.open().close()
    assert remains(tmp_path) == [claim.folder]


def test_cloud_provider_kind_runs_as_long_as_the_cluster(engine: Engine) -> None:
    engine.program("cloud-provider-kind", '#!/bin/sh\necho $$ >"$(dirname "$0")/pid"\nexec sleep 60\n')
    cluster = engine.open()
    assert (cluster.info.load_balancer, cluster.info.without_load_balancers) == ("cloud-provider-kind", "")
    pid = int((engine.folder / "pid").read_text())
    os.kill(pid, 0)
    cluster.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize(
    ("script", "others", "why"),
    [
        ("#!/bin/sh\necho no rights >&2\nexit 3\n", "", "cloud-provider-kind ended with 3: no rights"),
        ("#!/bin/sh\nexec sleep 60\n", "dev\n", "which has others: dev"),
    ],
)
def test_a_cluster_without_cloud_provider_kind_says_why(engine: Engine, script: str, others: str, why: str) -> None:
    engine.program("cloud-provider-kind", script)
    engine.put("clusters", others)
    with_none = engine.open()
    assert why in with_none.info.without_load_balancers
    with_none.close()


def test_no_load_balancers_in_a_cluster_that_is_there(engine: Engine) -> None:
    engine.put("clusters", "dev\n")
    engine.program(load_balancer.PROGRAM, "#!/bin/sh\nexec sleep 60\n")
    assert "are started for fresh clusters only" in engine.open("dev").info.without_load_balancers


@pytest.mark.parametrize(
    ("file", "name", "flags", "parts"),
    [
        ("no-engine", None, {}, ("docker: no engine answers", "Cannot connect to the Docker daemon")),
        ("no-engine", "dev", {}, ("docker: no engine answers",)),
        ("no-image", None, {"--kind-image": "x:1"}, ("--kind-image", "x:1", "manifest unknown", "allowed is")),
        ("no-node-image", None, {}, ("--kind-image", NODE_IMAGE, "is no node image of kind")),
        ("", None, {"--kind-image": "-rm"}, ("--kind-image", "'-rm'", "allowed is an image")),
        ("", None, {"--kind-image": "a b"}, ("--kind-image", "'a b'", "allowed is an image")),
        ("", None, {"--image": "python=$x"}, ("--image", "python=$x")),
        ("", None, {"--kind-bin": "/no/such"}, ("--kind-bin", "/no/such is no file")),
        ("", None, {"--kind-bin": "/bin/true"}, ("--kind-bin", "/bin/true is not kind")),
        ("", None, {"--kind-bin": __file__}, ("--kind-bin", "Permission denied")),
        ("", None, {"--allow-disruption": "node_drain"}, ("--allow-disruption", "without --cluster-name")),
        ("", "dev", {}, ("--cluster-name", "no kind cluster 'dev'", "none at all")),
        ("", "../x", {}, ("--cluster-name", "'../x'", "allowed is")),
        ("", "dev", {"--kind-image": "x:1"}, ("--kind-image", "--cluster-name=dev", "allowed for a fresh one")),
        ("", "dev", {"--azure": "off"}, ("--azure", "--cluster-name=dev", "allowed for a fresh one")),
        ("", None, {"--azure": "emulated"}, ("--azure", "found emulated", NO_AZURE, "allowed is off")),
        ("", "dev", {"--kind-proxy-mode": "nftables"}, ("--kind-proxy-mode", "allowed for a fresh one")),
        ("", "dev", {"--allow-disruption": "node_failure"}, ("--allow-disruption", "'node_failure'", "node_drain")),
    ],
)
def test_bad_input_is_one_line_and_makes_nothing(
    engine: Engine, file: str, name: str | None, flags: dict[str, str], parts: tuple[str, ...]
) -> None:
    if file:
        engine.put(file)
    with pytest.raises(UsageError) as refused:
        engine.open(name, flags=flags)
    line = str(refused.value)
    assert "\n" not in line
    assert [part for part in parts if part not in line] == []
    assert (engine.calls, engine.clusters, remains(engine.folder.parent)) == ([], [], [])


def test_a_missing_package_is_one_line(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytest_kind.cluster", None)
    with pytest.raises(UsageError, match=r"^--cluster=kind: the package pytest-kind is not installed .*tox -e kind"):
        engine.open()


def test_a_missing_docker_is_one_line(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(engine.folder / "nothing"))
    with pytest.raises(UsageError, match=r"^docker: not found on PATH"):
        engine.open()


def test_another_provider_is_refused(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIND_EXPERIMENTAL_PROVIDER", "podman")
    with pytest.raises(UsageError, match="KIND_EXPERIMENTAL_PROVIDER: found 'podman'; allowed is docker"):
        engine.open()


def test_kind_that_is_neither_there_nor_buildable_is_one_line(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> dict[str, str]:
        raise UsageError("Go modules of kind 0.33.0: dial tcp: no such host")

    (engine.folder / "kind").unlink()
    monkeypatch.setattr(programs, "ensure_binaries", refuse)
    with pytest.raises(UsageError, match=r"^--kind-bin: kind is not on PATH and cannot be built: Go modules of kind"):
        engine.open()


def test_kind_is_built_at_the_version_whose_node_image_is_the_default() -> None:
    assert programs.KIND.version == "0.33.0"
    assert NODE_IMAGE.startswith("kindest/node:v1.37.0@sha256:")
