"""One run of an engine for all tests of real kind; afterwards the machine is as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures.clusters.local.cgroups import CGROUP_ROOT
from fixtures.clusters.local.progress import PlainProgress
from tests.kind_host.__main__ import OPTIONS, prepared
from tests.kind_host.engine import CGROUP, Engine
from tests.local.leftovers import changes_since, host_now

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "xdist.plugin,pytest_timeout"}
"""As in the tox environment kind, which says why."""
RUN_TIMEOUT_S = 900.0


@dataclass(frozen=True)
class KindHost:
    """A machine with Docker, as far as a run of the suite can tell."""

    engine: Engine

    def suite(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the conformance suite on kind, with everything that it says in one pipe."""
        there = any(argument.startswith("--cluster-name=") for argument in arguments)
        # What nodes are made of is said of a fresh cluster alone.
        options = [option for option in OPTIONS if not (there and option.startswith("--kind-image="))]
        command = [sys.executable, "-m", "pytest", "conformance", "--cluster=kind", *options, *arguments]
        return subprocess.Popen(
            self.engine.inside(command, folder=ROOT),
            env={**self.engine.environment, **PLUGINS, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def containers(self) -> set[str]:
        """The names of all containers."""
        return set(self.engine.docker("ps", "--all", "--format={{.Names}}").split())


@pytest.fixture(scope="session")
def host() -> Iterator[KindHost]:
    """An engine with the node image."""
    progress = PlainProgress(lambda text: print(text, file=sys.__stderr__, flush=True))
    with prepared(progress) as engine:
        # Taken when the engine is up, whose namespaces hide it: what the tests add would be seen.
        before = host_now()
        yield KindHost(engine)
    changes = [change for change in changes_since(before) if not change.startswith("network namespace")]
    assert changes == []
    assert list(CGROUP_ROOT.glob(f"*/{CGROUP}")) + list(CGROUP_ROOT.glob(CGROUP)) == []
    assert _processes_below(engine) == []


def _processes_below(engine: Engine) -> list[str]:
    """The command lines of processes that name the engine's folder."""
    mark = engine.environment["DOCKER_HOST"].removeprefix("unix://").removesuffix("docker.sock")
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        if mark in text and int(folder.name) != os.getpid():
            found.append(text)
    return found
