"""Runs of the suite on a cluster of these tests, and all objects of a cluster before and after them."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

from fixtures.api import Api, Resource
from fixtures.clusters.local.cluster import LocalCluster
from fixtures.errors import UsageError
from reports.record import RunStarted, read
from tests.local.helpers import ROOT

BEGINS_WITHIN_S = 120.0
VOLATILE = ("events", "leases", "componentstatuses", "endpoints", "endpointslices")
"""Kinds that a cluster makes and renews by itself; those of its DNS change until all of its pods are ready."""
CHANGING = ("resourceVersion", "managedFields", "generation")
"""Fields of metadata that differ after any write, also of a status."""


def inventory(api: Api) -> dict[str, str]:
    """Every object of a cluster, with a digest of what was asked of it (all but its status)."""
    groups = [group["preferredVersion"]["groupVersion"] for group in api.request("GET", "/apis")["groups"]]
    found: dict[str, str] = {}
    for version in ("v1", *groups):
        root = "/api/v1" if version == "v1" else f"/apis/{version}"
        for kind in api.request("GET", root)["resources"]:
            if "list" in kind["verbs"] and kind["name"] not in VOLATILE:
                found |= _objects(api, Resource(version, kind["name"]))
    return found


def _objects(api: Api, resource: Resource) -> dict[str, str]:
    found = {}
    for item in api.list_all(resource)["items"]:
        metadata = {field: value for field, value in item["metadata"].items() if field not in CHANGING}
        asked = {**{field: value for field, value in item.items() if field != "status"}, "metadata": metadata}
        name = f"{resource.group_version} {resource.plural} {metadata.get('namespace', '')}/{metadata['name']}"
        found[name] = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    return found


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What is gone, new or changed, a line each."""
    lines = [f"gone: {name}" for name in before.keys() - after.keys()]
    lines += [f"new: {name}" for name in after.keys() - before.keys()]
    return sorted(lines + [f"changed: {name}" for name in before.keys() & after.keys() if before[name] != after[name]])


def begin_run(cluster: LocalCluster, report: Path) -> subprocess.Popen[bytes]:
    """Start the smoke profile on a cluster, in a process group of its own."""
    argv = ["conformance", f"--cluster-name={cluster.state.name}", "--profile=smoke", f"--report-dir={report}"]
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", *argv], cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True
    )


def run_id_of(report: Path, process: subprocess.Popen[bytes]) -> str:
    """The id of a run as soon as its record has begun."""
    give_up_at = time.monotonic() + BEGINS_WITHIN_S
    while time.monotonic() < give_up_at and process.poll() is None:
        try:
            started = read(report)[0]
        except UsageError:
            threading.Event().wait(0.05)
            continue
        assert isinstance(started, RunStarted)
        return started.run_id
    raise AssertionError(f"the run did not begin within {BEGINS_WITHIN_S} s: {process.poll()}")
