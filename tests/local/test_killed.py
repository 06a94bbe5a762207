"""kill -9 of `up` at many places: whatever was made is cleared, and nothing else is touched."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from fixtures.clusters.local.boot import clear_remains
from fixtures.clusters.local.cluster import LocalCluster
from fixtures.clusters.local.paths import cluster_dir
from fixtures.clusters.local.progress import PlainProgress
from fixtures.clusters.local.state import load, names
from tests.local.helpers import ROOT, command, must_succeed
from tests.local.leftovers import Host, changes_since, remains_of

START_CALLS = 20
"""Programs started by an `up` of three nodes: 3 holders of namespaces, 5 of the control plane, 4 of each node."""

PLACES = [
    "before save 1",  # the folder is made, and nothing says what for
    "after save 1",
    "before cgroup 1",
    "after cgroup 1",
    "before start 2",
    "after start 3",
    "before save 2",  # the namespaces are held, and nothing says by whom
    "after start 4",
    "after start 5",
    "before start 8",
    "after start 9",
    "before start 12",
    "after start 14",
    "before start 15",
    "after start 18",
    f"after start {START_CALLS}",
    "before save 3",  # everything runs, and the cluster is not yet anybody's to keep
]

OWNER = """
import sys
from fixtures.clusters.local.boot import Options, create
from fixtures.clusters.local.progress import PlainProgress
create(sys.argv[1], Options(nodes=1), PlainProgress(print), keep=False)
print("owned", flush=True)
sys.stdin.read()
"""


def dying_up(number: str, place: str, name: str) -> subprocess.Popen[Any]:
    """Start `up` of a cluster, which sends itself a signal at a place."""
    argv = [sys.executable, "-m", "tests.local.dying", number, *place.split(), "up", "--name", name]
    return subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def killed_at(place: str, name: str) -> None:
    """Let `up` be killed at a place, and see that there is something to clear."""
    with dying_up("KILL", place, name) as up:
        assert up.wait() == -9, up.stderr and up.stderr.read()
    assert remains_of(name) != []


@pytest.mark.parametrize("place", PLACES[::2])
def test_down_clears_what_a_killed_up_left(place: str, prefix: str, before: Host) -> None:
    name = f"{prefix}-kill"
    killed_at(place, name)
    assert f"cluster {name} is removed" in must_succeed(command("down", "--name", name))
    assert remains_of(name) == []
    assert changes_since(before) == []


@pytest.mark.parametrize("place", PLACES[1::2])
def test_the_next_start_clears_what_a_killed_up_left(
    place: str, prefix: str, before: Host, cluster: LocalCluster
) -> None:
    name = f"{prefix}-kill"
    processes = cluster.cgroups.processes(cluster.state.cgroup)
    killed_at(place, name)
    said: list[str] = []
    clear_remains(PlainProgress(said.append))
    assert said == [f"clearing the remains of cluster {name}, left by a run that was killed"]
    assert remains_of(name) == []
    assert changes_since(before) == []
    assert cluster.cgroups.processes(cluster.state.cgroup) >= processes, "a cluster beside it lost a process"
    assert cluster.ready_nodes() == cluster.node_names


@pytest.mark.parametrize("place", ["before save 1", "after save 1", "after start 1", "after start 8", "before save 3"])
def test_ctrl_c_leaves_nothing_wherever_it_comes(place: str, prefix: str, before: Host) -> None:
    name = f"{prefix}-int"
    with dying_up("INT", place, name) as up:
        assert up.wait() == 130, up.stderr and up.stderr.read()
    assert remains_of(name) == []
    assert changes_since(before) == []


def test_a_cluster_goes_with_its_killed_owner(prefix: str, before: Host) -> None:
    name = f"{prefix}-owned"
    argv = [sys.executable, "-c", OWNER, name]
    with subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert "owned\n" in iter(owner.stdout.readline, "")
        state = load(name)
        assert state
        assert state.owner
        assert (state.phase, state.owner.pid) == ("running", owner.pid)
        clear_remains(PlainProgress(print))
        assert cluster_dir(name).exists(), "its owner lives"
        owner.kill()
    clear_remains(PlainProgress(print))
    assert name not in names()
    assert remains_of(name) == []
    assert changes_since(before) == []


def test_up_takes_the_name_of_remains_and_down_all_removes_the_dead_and_the_living(
    cluster: LocalCluster, prefix: str
) -> None:
    # In a cache of its own, so that the shared cluster stays.
    dead, alive = f"{prefix}-dead", f"{prefix}-alive"
    home = cluster.folder.parents[2] / "all"
    own = home / cluster.folder.parents[1].name
    own.mkdir(parents=True)
    for name in ("bin", "store"):
        (own / name).symlink_to(cluster.folder.parents[1] / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(home))
        killed_at("after start 6", alive)
        up = command("up", "--name", alive, "--nodes", "1")
        must_succeed(up)
        assert f"clearing the remains of cluster {alive}, left by a run that was killed" in up.stderr
        killed_at("after start 8", dead)
        said = must_succeed(command("down", "--all")).splitlines()
        assert said == [f"cluster {alive} is removed", f"cluster {dead} is removed"]
        assert remains_of(dead) + remains_of(alive) == []
    assert cluster.ready_nodes() == cluster.node_names
