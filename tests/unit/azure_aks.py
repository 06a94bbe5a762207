"""A managed cluster behind an emulated ARM, with a Kubernetes API of canned answers: what an AKS run opens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fixtures.azure.arm.app import Server
from fixtures.azure.arm.tokens import Tokens
from fixtures.clusters.aks.cluster import AksCluster
from fixtures.clusters.registry import open_cluster
from fixtures.errors import UsageError
from tests.unit import azure_arm
from tests.unit.azure_arm import CLUSTER_GROUP, SUBSCRIPTION
from tests.unit.kube_api import KubeApi, kube_api

VARIABLES = ("AZURE_SUBSCRIPTION_ID", "AKS_RESOURCE_GROUP", "AKS_CLUSTER_NAME", "ARM_ENDPOINT", "ARM_TOKEN_FILE")


@dataclass
class Azure:
    """The emulated ARM, the cluster's API, and the flags that lead to them."""

    server: Server
    api: KubeApi
    kubeconfig: Path
    flags: dict[str, str]
    said: list[str] = field(default_factory=list)

    @property
    def token(self) -> str:
        """What the emulation accepts."""
        return Path(self.flags["--arm-token-file"]).read_text("utf-8").strip()

    def open(self, **flags: str) -> AksCluster:
        """Open the cluster, with some flags changed (`aks_cluster_name` for --aks-cluster-name)."""
        changed = {f"--{name.replace('_', '-')}": value for name, value in flags.items()}
        found = open_cluster("aks", name=None, keep=False, progress=self.said.append, flags={**self.flags, **changed})
        assert isinstance(found, AksCluster)
        return found

    def must_refuse(self, kind: type[Exception] = UsageError, /, **flags: str) -> str:
        """Opening fails with one line, which is returned; no credentials stay behind."""
        with pytest.raises(kind) as refused:
            self.open(**flags)
        (line,) = str(refused.value).splitlines()
        assert list(self.kubeconfig.parent.glob("k8s-service-conformance-aks-*")) == []
        assert self.token not in line
        return line


def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Azure]:
    """A managed cluster `demo` behind an emulated ARM."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    token = tmp_path / "token"
    token.write_text(Tokens(azure_arm.topology().tenant, SUBSCRIPTION).issue("")["access_token"], "utf-8")
    kubeconfig = tmp_path / "kubeconfig"
    with kube_api() as api, azure_arm.served({"kubeconfig": str(kubeconfig)}) as (endpoint, server):
        kubeconfig.write_text(api.kubeconfig(), "utf-8")
        flags = {
            "--azure-subscription": SUBSCRIPTION,
            "--aks-resource-group": CLUSTER_GROUP,
            "--aks-cluster-name": "demo",
            "--arm-endpoint": endpoint,
            "--arm-token-file": str(token),
        }
        yield Azure(server, api, kubeconfig, flags)
