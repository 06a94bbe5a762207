"""Stand-ins for kind, docker and pytest-kind's class: they write down what they are asked for, and make nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest

from fixtures.clusters.kind import azure
from fixtures.clusters.kind.cluster import KindRun
from fixtures.clusters.registry import open_cluster
from tests.unit.kube_api import KubeApi

# $0's folder holds: calls (a line per call), clusters (a name per line), and a file per thing that goes wrong.
_KIND = """\
#!/bin/sh
here=$(dirname "$0")
echo "kind $*" >>"$here/calls"
case "$1 $2" in
version*) echo "kind v0.33.0 go1.26.0 linux/amd64" ;;
"get clusters") cat "$here/clusters" ;;
"get kubeconfig") cat "$here/kubeconfig" ;;
"create cluster")
	echo "Creating cluster ..." >&2
	echo "${3#--name=}" >>"$here/clusters"
	if [ -e "$here/create-fails" ]; then cat "$here/create-fails" >&2; exit 1; fi
	cat "$here/kubeconfig" >"${4#--kubeconfig=}" ;;
"delete cluster")
	grep -v "^${3#--name=}$" "$here/clusters" >"$here/rest"
	mv "$here/rest" "$here/clusters" ;;
"export logs") echo "all is well" >"$3/kubelet.log" ;;
esac
"""
_DOCKER = """\
#!/bin/sh
here=$(dirname "$0")
echo "docker $*" >>"$here/calls"
case "$1" in
version) if [ -e "$here/no-engine" ]; then echo "Cannot connect to the Docker daemon" >&2; exit 1; fi ;;
image) [ ! -e "$here/no-image" ] ;;
pull) echo "manifest unknown" >&2; exit 1 ;;
run) if [ -e "$here/no-node-image" ]; then echo "cat: /kind/version: No such file or directory" >&2; exit 1; fi ;;
esac
"""


class KindCluster:
    """What the suite uses of pytest-kind's class, doing the same."""

    def __init__(self, name: str, kubeconfig: Path, image: str, kind_path: Path, kubectl_path: Path) -> None:
        assert kubectl_path.exists(), "pytest-kind would fetch one"
        self.name, self.kubeconfig_path, self.image, self.kind_path = name, kubeconfig, image, kind_path

    def create(self, config_file: Path) -> None:
        """Run `kind create cluster`."""
        options = [f"--name={self.name}", f"--kubeconfig={self.kubeconfig_path}", f"--image={self.image}"]
        command = [str(self.kind_path), "create", "cluster", *options, "--config", str(config_file)]
        subprocess.run(command, check=True)


@dataclass
class Engine:
    """A Docker engine that is none, with kind beside it."""

    folder: Path
    said: list[str] = field(default_factory=list)

    def open(self, name: str | None = None, *, keep: bool = False, flags: Mapping[str, str] | None = None) -> KindRun:
        """Open a cluster as a run does."""
        run = open_cluster("kind", name=name, keep=keep, progress=self.said.append, flags=flags or {})
        assert isinstance(run, KindRun)
        return run

    @property
    def calls(self) -> list[str]:
        """What was asked for, but for questions."""
        log = self.folder / "calls"
        lines = log.read_text().splitlines() if log.exists() else []
        return [line.partition(" --")[0] for line in lines if line.startswith(("kind create", "kind delete"))]

    @property
    def clusters(self) -> list[str]:
        """The names of the clusters that there are."""
        return (self.folder / "clusters").read_text().split()

    def put(self, name: str, text: str = "") -> Path:
        """Write a file beside the programs."""
        path = self.folder / name
        path.write_text(text)
        return path

    def program(self, name: str, script: str) -> Path:
        """Put a program on PATH."""
        path = self.put(name, script)
        path.chmod(0o755)
        return path


NO_AZURE = "emulated Azure needs root to make namespaces, found user id 1000; use sudo"


def engine_in(folder: Path, monkeypatch: pytest.MonkeyPatch, api: KubeApi) -> Engine:
    """Put the stand-ins in place, and the cache into a folder of the test's own; emulated Azure cannot be had."""
    engine = Engine(folder / "engine")
    engine.folder.mkdir()
    engine.put("clusters")
    engine.put("kubeconfig", api.kubeconfig())
    engine.program("kind", _KIND)
    engine.program("docker", _DOCKER)
    monkeypatch.setattr(azure, "not_here_because", lambda _progress: NO_AZURE)
    module = ModuleType("pytest_kind.cluster")
    module.KindCluster = KindCluster  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pytest_kind", ModuleType("pytest_kind"))
    monkeypatch.setitem(sys.modules, "pytest_kind.cluster", module)
    monkeypatch.setenv("PATH", f"{engine.folder}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("KIND_EXPERIMENTAL_PROVIDER", raising=False)
    return engine
