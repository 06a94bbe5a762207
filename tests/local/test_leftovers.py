"""The search for leftovers finds some."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fixtures.clusters.local.cgroups import Cgroups
from fixtures.clusters.local.paths import cache_dir, cluster_dir
from fixtures.clusters.local.processes import Spawner
from fixtures.clusters.local.state import cgroup_of
from tests.local import leftovers
from tests.local.leftovers import Host, changes_since, remains_of


def test_a_namespace_that_stays_is_found(before: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # So that the namespace is there for a moment only, and no test beside this one takes it for a leftover.
    monkeypatch.setattr(leftovers, "TRANSIENT_S", 0.0)
    holder = Spawner((), ()).start_holder(
        ["unshare", "--net", "sh", "-c", "echo ready; exec sleep 60"], log=tmp_path / "log"
    )
    (change,) = changes_since(before)
    assert change == f"network namespace new: {Path(f'/proc/{holder.pid}/ns/net').readlink()}"
    holder.kill()
    holder.wait()
    assert changes_since(before) == []


@pytest.mark.parametrize("kind", ["mount", "interface", "route", "nftables rule", "kernel setting", "folder"])
def test_what_is_new_or_gone_is_said(before: Host, kind: str) -> None:
    assert changes_since({**before, kind: before[kind] | {"x"}}) == [f"{kind} gone: x"]
    some = sorted(before[kind])[:1]
    assert changes_since({**before, kind: before[kind] - set(some)}) == [f"{kind} new: {entry}" for entry in some]


def test_what_is_left_of_a_cluster_is_found_by_its_name(prefix: str, tmp_path: Path) -> None:
    name, cgroups = f"{prefix}-left", Cgroups()
    kept = cache_dir() / "logs" / f"{name}-20260101-000000"
    for folder in (cluster_dir(name), kept):
        folder.mkdir(parents=True)
    cgroups.create(cgroup_of(name))
    files = tuple(cgroups.process_files(cgroup_of(name)))
    process: subprocess.Popen[bytes] = Spawner(files, ()).start_holder(
        ["sh", "-c", "echo ready; exec sleep 60"], log=tmp_path / "log"
    )
    found = remains_of(name)
    assert remains_of(f"{name}-other") == remains_of(name[:-1]) == []
    cgroups.end_processes(cgroup_of(name))
    cgroups.remove(cgroup_of(name))
    process.wait()
    for folder in (cluster_dir(name), kept):
        folder.rmdir()
    kept.parent.rmdir()
    assert found[:-1] == [
        *(f"cgroup {file.parent}" for file in files),
        f"folder {cluster_dir(name)}",
        f"logs {kept}",
    ]
    assert found[-1].startswith(f"process {process.pid}: sleep 60")
    assert remains_of(name) == []
