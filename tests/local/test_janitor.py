"""kill -9 of a run at points drawn by chance, then the janitor: nothing is left, and nothing else was touched.

JANITOR_KILLS=20 asks for more points than CI has the time for.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from fixtures.api import CONFIG_MAPS, NAMESPACES, Api, Refused, Resource
from fixtures.clusters.local.cluster import LocalCluster
from fixtures.workloads.namespaces import RUN_ID_LABEL
from tests.local.helpers import must_succeed, run
from tests.local.runs import begin_run, differences, inventory, run_id_of

KILLS = int(os.environ.get("JANITOR_KILLS", "1"))
LATEST_S = 15.0
"""After the record has begun: a run of the smoke profile takes longer."""


def janitor(cluster: LocalCluster, *arguments: str) -> str:
    """What the janitor says."""
    return must_succeed(
        run([sys.executable, "-m", "fixtures.janitor", f"--kubeconfig={cluster.info.kubeconfig}", *arguments])
    )


@pytest.fixture
def others(cluster: LocalCluster) -> Any:  # noqa: ANN401 - a generator
    """Namespaces that look like the suite's and are not the run's: one without a label, one of a run that goes on."""
    api = Api(cluster.info.kubeconfig)
    labels: dict[str, dict[str, str]] = {"svc-of-somebody": {}, "svc-of-a-run": {RUN_ID_LABEL: "20990101t000000z-0001"}}
    for name, own in labels.items():
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": own}}
        api.create(NAMESPACES, body)
        # The cluster puts a ConfigMap and a ServiceAccount into a new namespace; when they are there it is at rest.
        api.wait_until(bool, CONFIG_MAPS, name, timeout_s=30, what=f"ConfigMap of {name}")
        api.wait_until(bool, Resource("v1", "serviceaccounts"), name, timeout_s=30, what=f"ServiceAccount of {name}")
    yield list(labels)
    for name in labels:
        api.delete(NAMESPACES, name)
    api.wait_until(
        lambda items: not {item["metadata"]["name"] for item in items} & labels.keys(),
        NAMESPACES,
        timeout_s=60,
        what="namespaces gone",
    )


@pytest.mark.parametrize("kill", range(KILLS))
def test_what_a_killed_run_left_goes_and_nothing_else(
    cluster: LocalCluster, others: list[str], tmp_path: Path, kill: int
) -> None:
    api, after_s = Api(cluster.info.kubeconfig), random.Random(kill).uniform(0, LATEST_S)
    before, report = inventory(api), tmp_path / "report"
    with begin_run(cluster, report) as process:
        run_id = run_id_of(report, process)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(after_s)
        os.kill(process.pid, signal.SIGKILL)
    said = janitor(cluster, "--list", f"--run-id={run_id}")
    assert "nothing was changed" in said
    assert {f"keep   namespace {others[1]}"} <= {line.partition("  (")[0] for line in said.splitlines()}
    janitor(cluster, "--delete", f"--run-id={run_id}")
    assert api.list_all(NAMESPACES, selector=f"{RUN_ID_LABEL}={run_id}")["items"] == []
    assert differences(before, inventory(api)) == []
    assert not _lives(process.pid), f"processes of the run that was killed after {after_s:.1f} s still run"


def _lives(group: int) -> bool:
    """Whether a process group still has a process after a few seconds."""
    give_up_at = time.monotonic() + 10
    while time.monotonic() < give_up_at:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        threading.Event().wait(0.1)
    return True


def test_an_inventory_sees_a_change(cluster: LocalCluster) -> None:
    api = Api(cluster.info.kubeconfig)
    before = inventory(api)
    body: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "seen"}}
    api.create(CONFIG_MAPS, body, "default")
    try:
        assert differences(before, inventory(api)) == ["new: v1 configmaps default/seen"]
        between = inventory(api)
        api.patch(CONFIG_MAPS, "seen", {"data": {"a": "b"}}, "default")
        assert differences(between, inventory(api)) == ["changed: v1 configmaps default/seen"]
    finally:
        api.delete(CONFIG_MAPS, "seen", "default")
    with pytest.raises(Refused):
        api.get(CONFIG_MAPS, "seen", "default")
