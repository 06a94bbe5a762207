"""The service account of manifests/rbac/ on a built-in cluster, and what it asked the API server for."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from fixtures.clusters.local.cluster import LocalCluster
from fixtures.clusters.local.processes import in_network_namespace
from fixtures.clusters.rights import Right
from tests.local.helpers import ROOT, kubectl, must_succeed

RUN_TIMEOUT_S = 1200.0
USER = "system:serviceaccount:service-conformance:runner"
ASKED_BY_ALL = ("selfsubjectaccessreviews", "selfsubjectreviews")
"""What every user may ask: the role system:basic-user."""


class Asked(NamedTuple):
    """A request of the service account, as the audit log has it."""

    right: Right
    namespace: str
    status: int


@dataclass(frozen=True)
class Runner:
    """Runs the suite as the service account, from the cluster's client outside."""

    cluster: LocalCluster
    folder: Path
    by: dict[str, str] = field(default_factory=dict)
    """What else a kubeconfig says of the way to the API server."""

    def apply(self, manifest: str, *argv: str) -> None:
        """kubectl apply of manifests/rbac/MANIFEST."""
        must_succeed(kubectl(self.cluster, "apply", f"--filename=manifests/rbac/{manifest}", *argv))

    def kubeconfig(self) -> Path:
        """A kubeconfig with a token of the service account, for a machine outside the cluster."""
        token = must_succeed(kubectl(self.cluster, "create", "token", "runner", "--namespace=service-conformance"))
        admin = yaml.safe_load(self.cluster.kubeconfig.read_text("utf-8"))
        reached = admin["clusters"][0]["cluster"] | {
            "server": f"https://{self.cluster.plan.control_plane()[0].ip}:6443"
        }
        reached |= self.by
        config = {
            "clusters": [{"name": "local", "cluster": reached}],
            "users": [{"name": "runner", "user": {"token": token.strip()}}],
            "contexts": [{"name": "few", "context": {"cluster": "local", "user": "runner"}}],
        }
        file = self.folder / "kubeconfig"
        file.write_text(yaml.safe_dump(config), "utf-8")
        return file

    def remove(self) -> None:
        """Take away the account and its rights."""
        for manifest in ("factory", "base"):
            file = f"--filename=manifests/rbac/{manifest}.yaml"
            must_succeed(kubectl(self.cluster, "delete", file, "--ignore-not-found"))

    def command(self, *arguments: str) -> list[str]:
        """What runs conformance tests on the cluster of the kubeconfig, from the root of the project."""
        images = f"python={self.cluster.info.python_image}"
        argv = [sys.executable, "-m", "pytest", "conformance", "--cluster=kubeconfig", "--context=few"]
        argv += [f"--target-kubeconfig={self.kubeconfig()}", f"--image={images}", *arguments]
        return in_network_namespace(self.cluster.host("client").namespace, argv)

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Start it; its output is in the files `out` and `err`."""
        with (self.folder / "out").open("w") as out, (self.folder / "err").open("w") as err:
            return subprocess.Popen(self.command(*arguments), cwd=ROOT, stdout=out, stderr=err, text=True)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            self.command(*arguments),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=RUN_TIMEOUT_S,
            check=False,
        )

    def asked(self) -> list[Asked]:
        """All that the service account asked for until now."""
        lines = (self.cluster.folder / "log" / "audit.log").read_text("utf-8").splitlines()
        events = (event for event in map(json.loads, lines) if event["user"]["username"] == USER)
        return [_asked(event) for event in events if (event.get("objectRef") or {}).get("resource")]


def _asked(event: dict[str, Any]) -> Asked:
    about = event["objectRef"]
    resource = "/".join(filter(None, (about["resource"], about.get("subresource"))))
    right = Right(event["verb"], about.get("apiGroup", ""), resource)
    return Asked(right, about.get("namespace", ""), event["responseStatus"]["code"])
