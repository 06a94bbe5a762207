"""Real runs on a local cluster, green, red, crashed and cancelled, and the browser that shows their reports."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.api import Api
from fixtures.clusters.local import open_cluster
from fixtures.clusters.local.cluster import LocalCluster
from fixtures.faults.seeded import FAULTS
from tests.browser.tools import Browser, install

ROOT = Path(__file__).parents[2]
PROMISES = (
    "cluster_ip.is_the_default_type",
    "cluster_ip.port_80_leads_to_three_pods_on_port_80",
    "dns.name_resolves_to_the_cluster_ip",
    "lifecycle.pods_replaced_one_by_one",
)
FAULT = "backend_dropped"
BROKEN = "cluster_ip.port_80_leads_to_three_pods_on_port_80"


@pytest.fixture(scope="session")
def cluster() -> Iterator[LocalCluster]:
    """A cluster for the runs."""
    local = open_cluster(None, keep=False, progress=print)
    yield local
    local.close()


def command(cluster: LocalCluster, folder: Path) -> list[str]:
    """Run a few promises on the cluster."""
    wanted = [f"--requirement={promise}" for promise in PROMISES]
    where = ["--cluster=local", f"--cluster-name={cluster.state.name}", f"--report-dir={folder}"]
    return [sys.executable, "-m", "pytest", "conformance", *where, *wanted]


def stopped(cluster: LocalCluster, folder: Path, number: signal.Signals) -> None:
    """Begin a run and send its processes a signal when the first case is finished."""
    with subprocess.Popen(
        command(cluster, folder),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Who is started in the background of a shell ignores Ctrl-C, and so would the run.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    ) as run:
        assert run.stdout
        assert any("  pass  " in line for line in run.stdout)
        os.killpg(run.pid, number)
        run.stdout.read()


@pytest.fixture(scope="session")
def runs(cluster: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Report folders, by what became of the run."""
    folder = tmp_path_factory.mktemp("runs")
    found = {name: folder / name for name in ("green", "red", "cancelled", "crashed")}
    subprocess.run(command(cluster, found["green"]), cwd=ROOT, check=True)
    (fault,) = (fault for fault in FAULTS if fault.name == FAULT)
    with fault.apply(cluster, Api(cluster.kubeconfig)):
        assert subprocess.run(command(cluster, found["red"]), cwd=ROOT, check=False).returncode == 1
    stopped(cluster, found["cancelled"], signal.SIGINT)
    stopped(cluster, found["crashed"], signal.SIGKILL)
    subprocess.run([sys.executable, "-m", "reports", "render", str(found["crashed"])], cwd=ROOT, check=True)
    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, installed when it is not there."""
    install()
    started = Browser()
    yield started
    started.close()
