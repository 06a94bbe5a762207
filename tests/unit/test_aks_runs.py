"""Runs on AKS as a whole: no secret leaves them, and the emulated kind is the same on top of the built-in cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from fixtures.azure.arm.seeds import Seed
from fixtures.clusters import Cluster, Disruption, local
from fixtures.clusters.fake import INFO, FakeCluster
from fixtures.clusters.registry import open_cluster
from fixtures.errors import SuiteError, UsageError
from fixtures.verdicts import Verdict
from tests.unit.azure_aks import Azure, served
from tests.unit.frame import HEAD, Frame
from tests.unit.kube_api import KUBELOGIN

pytest_plugins = ["pytester"]

READING = (
    HEAD
    + """
from fixtures.api import NODES, Api
from fixtures.azure.clients import Azure
from fixtures.history import History
from fixtures.session import REPORT_DIR_KEY

@requirement("load_balancer.read", promise="P.", source="seed", level=MUST, features=("load_balancer", "arm"))
def test_read(cluster, request):
    history = History(request.config.stash[REPORT_DIR_KEY] / "history" / "read.jsonl")
    assert Azure(cluster.arm, history).security_groups()
    assert Api(cluster.kubeconfig).list_all(NODES)["items"]
    print(cluster, cluster.arm)

@requirement("azure.refused", promise="P.", source="seed", level=MUST, features=("arm",))
def test_refused(cluster):
    Azure(cluster.arm).private_link_services()

@requirement("azure.broken", promise="P.", source="seed", level=MUST, features=("arm",))
def test_broken(cluster):
    credentials = Azure(cluster.arm)
    raise BrokenPromise(expected="an address", observed=repr(vars(credentials)), vantage=repr(cluster))
"""
)


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Azure]:
    """A managed cluster `demo` behind an emulated ARM."""
    yield from served(tmp_path, monkeypatch)


@pytest.mark.parametrize("arguments", [("-n0",), ("-n1", "--log-level=DEBUG", "--log-file=report/debug.log", "-rA")])
def test_no_token_is_in_what_a_run_writes_or_prints(
    frame: Frame, azure: Azure, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    azure.kubeconfig.write_text(azure.api.kubeconfig(KUBELOGIN), "utf-8")
    azure.api.token = azure.token
    frame.write("conformance/test_all.py", READING)
    # The first is the one that is made when the cluster is opened.
    azure.server.seeds.add(Seed(path="privateLinkServices", times=1))
    azure.server.seeds.add(Seed(path="privateLinkServices", status=403, times=None))
    monkeypatch.setenv("AZURE_CLIENT_SECRET", secret := "planted-client-secret")
    given = [f"{flag}={value}" for flag, value in azure.flags.items()]
    result = frame.run_apart("--cluster=aks", *given, *arguments)
    found = frame.verdicts()
    assert found == {"test_read": Verdict.PASS, "test_refused": Verdict.ERROR, "test_broken": Verdict.FAIL}
    files = [path for path in frame.report.rglob("*") if path.is_file()]
    assert {"run.jsonl", "junit.xml", "read.jsonl", "load-balancers.json"} <= {path.name for path in files}
    written = {str(path): path.read_text("utf-8") for path in files}
    written |= {"stdout": result.stdout.str(), "stderr": result.stderr.str()}
    for planted in (azure.token, secret):
        assert [name for name, text in written.items() if planted in text] == []
    assert "the action Microsoft.Network/privateLinkServices/read is not allowed" in written["stdout"]
    assert list(azure.kubeconfig.parent.glob("k8s-service-conformance-aks-*")) == []


@pytest.mark.parametrize("arguments", [(), ("-n1",)])
def test_bad_input_ends_a_run_with_4_and_nothing_made(frame: Frame, azure: Azure, arguments: tuple[str, ...]) -> None:
    frame.write("conformance/test_all.py", READING)
    given = [f"{flag}={value}" for flag, value in azure.flags.items() if flag != "--aks-cluster-name"]
    result = frame.run_apart("--cluster=aks", "--aks-cluster-name=none", *given, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    lines = [line for line in result.errlines if line]
    assert len(lines) == 1
    assert lines[0].startswith("ERROR: --aks-cluster-name: none: HTTP 404 ResourceNotFound: ")
    assert not frame.report.exists()


class Local:
    """The built-in cluster as the emulated kind opens it."""

    def __init__(self, azure: Azure, journal: Path, monkeypatch: pytest.MonkeyPatch, **info: object) -> None:
        cluster = azure.open()
        arm = cluster.info.arm
        cluster.close()
        made = INFO.model_copy(update={"arm": arm, "outside": ("enter", "client"), "vnet": ("enter", "vnet"), **info})
        self.made = FakeCluster(made, journal)
        self.journal = journal
        monkeypatch.setattr(local, "open_cluster", lambda *_, **__: self.made)

    def open(self, **flags: str) -> Cluster:
        """Open the emulated kind."""
        return open_cluster("aks-emulated", name=None, keep=False, progress=print, flags=flags)


def test_the_emulated_kind_is_aks_on_top_of_the_built_in_cluster(
    azure: Azure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built_in = Local(azure, tmp_path / "journal", monkeypatch)
    cluster = built_in.open(**{"--allow-disruption": "node_drain"})
    info, plain = cluster.info, azure.open().info
    differing = {name for name in type(info).model_fields if getattr(info, name) != getattr(plain, name)}
    assert differing == {"kubeconfig", "outside", "vnet", "public_node_ports", "python_image", "disruptions"}
    assert (info.outside, info.vnet) == (("enter", "client"), ("enter", "vnet"))
    assert (info.python_image, info.disruptions) == (INFO.python_image, frozenset({Disruption.NODE_DRAIN}))
    cluster.collect_logs(tmp_path / "logs")
    assert (tmp_path / "logs" / "aks" / "load-balancers.json").exists()
    cluster.close()
    assert (tmp_path / "journal").read_text("utf-8").split() == ["logs", "closed"]
    assert not info.kubeconfig.exists()


def test_a_built_in_cluster_without_azure_is_closed_again(
    azure: Azure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built_in = Local(azure, tmp_path / "journal", monkeypatch, arm=None, no_load_balancer_because="--azure=off")
    with pytest.raises(SuiteError, match="the cluster fake-1 has no emulated Azure: --azure=off"):
        built_in.open()
    assert (tmp_path / "journal").read_text("utf-8").split() == ["closed"]


def test_bad_input_of_the_emulated_kind_makes_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "open_cluster", SimpleNamespace())
    with pytest.raises(UsageError, match="--keep-cluster: given with --cluster=aks-emulated"):
        open_cluster("aks-emulated", name=None, keep=True, progress=print)
    flags = {"--allow-disruption": "kubelet_restart"}
    with pytest.raises(UsageError, match="--allow-disruption: found 'kubelet_restart'"):
        open_cluster("aks-emulated", name=None, keep=False, progress=print, flags=flags)
