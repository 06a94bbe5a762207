"""Cgroups on v1 and v2 layouts, in folders that look like them."""

from __future__ import annotations

import errno
import shutil
import subprocess
from pathlib import Path

import pytest

from fixtures.clusters.local import cgroups as module
from fixtures.clusters.local.cgroups import REQUIRED_CONTROLLERS, Cgroups
from fixtures.errors import SuiteError

GROUP = "ksc-t/node-1/system"
GROUPS = ("ksc-t", "ksc-t/node-1", GROUP)


@pytest.fixture
def v1(tmp_path: Path) -> Cgroups:
    """A hybrid host: a tree per controller, cpu and cpuacct as one, and an empty v2 tree beside them."""
    for tree in ("cpu,cpuacct", "cpuset", "memory", "pids", "unified"):
        (tmp_path / tree).mkdir()
        (tmp_path / tree / "cgroup.procs").write_text("1\n")
    for link in ("cpu", "cpuacct"):
        (tmp_path / link).symlink_to("cpu,cpuacct")
    (tmp_path / "cpuset" / "cpuset.cpus").write_text("0-3\n")
    (tmp_path / "cpuset" / "cpuset.mems").write_text("0\n")
    return Cgroups(tmp_path)


@pytest.fixture
def v2(tmp_path: Path) -> Cgroups:
    """A host with one tree. The kernel would make the control files with each folder; here they are there before."""
    for group in ("", *GROUPS):
        (tmp_path / group).mkdir(exist_ok=True)
        (tmp_path / group / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids misc\n")
        (tmp_path / group / "cgroup.procs").write_text("")
        (tmp_path / group / "cgroup.subtree_control").write_text("")
    return Cgroups(tmp_path)


def enabled(cgroups: Cgroups, group: str) -> set[str]:
    """What was written to a group's subtree_control."""
    return set((cgroups.root / group / "cgroup.subtree_control").read_text().split())


def test_the_controllers_of_v1_are_its_mounts(v1: Cgroups) -> None:
    assert not v1.unified
    assert v1.controllers == {"cpu", "cpuacct", "cpuset", "memory", "pids"}
    assert v1.controllers >= REQUIRED_CONTROLLERS


def test_the_controllers_of_v2_are_listed(v2: Cgroups) -> None:
    assert v2.unified
    assert v2.controllers == {"cpuset", "cpu", "io", "memory", "hugetlb", "pids", "misc"}


def test_a_group_can_weigh_as_much_as_several(v1: Cgroups, v2: Cgroups) -> None:
    v1.create("ksc-t")
    for file in (v1.root / "cpu" / "ksc-t" / "cpu.shares", v2.root / "ksc-t" / "cpu.weight"):
        file.write_text("1")
    v1.weigh("ksc-t", 4)
    assert (v1.root / "cpu" / "ksc-t" / "cpu.shares").read_text() == "4096"
    v2.weigh("ksc-t", 4)
    assert (v2.root / "ksc-t" / "cpu.weight").read_text() == "400"


def test_a_host_without_cgroups_has_no_controllers(tmp_path: Path) -> None:
    assert Cgroups(tmp_path / "none").controllers == frozenset()


def test_on_v1_a_group_is_made_in_each_tree_with_its_cpuset_filled(v1: Cgroups) -> None:
    v1.create(GROUP)
    for tree in ("cpu,cpuacct", "cpuset", "memory", "pids"):
        assert (v1.root / tree / GROUP).is_dir()
    assert not (v1.root / "unified" / "ksc-t").exists()
    for group in GROUPS:
        assert (v1.root / "cpuset" / group / "cpuset.cpus").read_text() == "0-3\n"
        assert (v1.root / "cpuset" / group / "cpuset.mems").read_text() == "0\n"
        assert not (v1.root / "memory" / group / "cpuset.cpus").exists()


def test_on_v2_controllers_reach_the_groups_and_the_leaf_gives_none_on(v2: Cgroups) -> None:
    v2.create(GROUP)
    wanted = {"+cpu", "+cpuset", "+memory", "+pids", "+io", "+hugetlb"}
    for parent in ("", "ksc-t", "ksc-t/node-1"):
        assert enabled(v2, parent) == wanted
    # A group that gives controllers on must not hold processes, and this one is to hold some.
    assert enabled(v2, GROUP) == set()
    assert v2.process_files(GROUP) == [v2.root / GROUP / "cgroup.procs"]


def test_making_a_group_twice_is_no_harm(v1: Cgroups) -> None:
    v1.create(GROUP)
    v1.create("ksc-t/control-plane")
    v1.create(GROUP)
    assert v1.remains("ksc-") == {"ksc-t"}


def test_processes_are_found_below_a_group_in_any_tree(v1: Cgroups) -> None:
    v1.create(GROUP)
    (v1.root / "pids" / GROUP / "cgroup.procs").write_text("11\n12\n")
    (v1.root / "memory" / "ksc-t" / "cgroup.procs").write_text("13\n0\n")
    assert v1.processes("ksc-t") == {11, 12, 13}
    assert v1.processes("ksc-t/node-1") == {11, 12}
    assert v1.processes("ksc-other") == set()


def test_only_groups_of_ours_are_remains(v1: Cgroups) -> None:
    v1.create("ksc-one")
    v1.create("system.slice")
    (v1.root / "cpuset" / "ksc-two").mkdir()
    assert v1.remains("ksc-") == {"ksc-one", "ksc-two"}


def test_a_group_is_removed_with_all_below_it_and_no_other(v1: Cgroups) -> None:
    v1.create(GROUP)
    v1.create("ksc-tt")
    # The kernel's control files vanish with their folder; these do not.
    for file in v1.root.glob("cpuset/ksc-t/**/cpuset.*"):
        file.unlink()
    v1.remove("ksc-t")
    v1.remove("ksc-t")
    assert v1.remains("ksc-") == {"ksc-tt"}


def test_a_program_that_comes_in_during_the_removal_is_ended(v1: Cgroups, monkeypatch: pytest.MonkeyPatch) -> None:
    v1.create("ksc-t")
    late = v1.root / "memory" / "ksc-t"
    ended: list[str] = []

    def rmdir(path: Path) -> None:
        if path == late and not ended:
            raise OSError(errno.EBUSY, "Device or resource busy")
        shutil.rmtree(path)

    monkeypatch.setattr(Path, "rmdir", rmdir)
    monkeypatch.setattr(v1, "end_processes", ended.append)
    v1.remove("ksc-t")
    assert ended == ["ksc-t"]
    assert v1.remains("ksc-") == set()


def test_a_group_that_the_kernel_keeps_is_named(v1: Cgroups, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "END_TIMEOUT_S", 0.01)
    v1.create("ksc-t")

    def busy(_path: Path) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(Path, "rmdir", busy)
    with pytest.raises(SuiteError, match=r"cgroup .*/ksc-t could not be removed: Device or resource busy"):
        v1.remove("ksc-t")


def test_ending_a_group_ends_its_processes(v2: Cgroups, monkeypatch: pytest.MonkeyPatch) -> None:
    procs = v2.root / GROUP / "cgroup.procs"
    with subprocess.Popen(["sleep", "60"]) as one, subprocess.Popen(["sleep", "60"]) as other:
        listed = iter([{one.pid}, {other.pid, 2**22 + 1}, set()])
        # The second was forked while the first was killed; the third is gone already.
        monkeypatch.setattr(v2, "processes", lambda _group: next(listed))
        v2.end_processes("ksc-t")
        assert (one.wait(), other.wait()) == (-9, -9)
    assert procs.exists()


def test_a_process_that_does_not_end_is_named(v2: Cgroups, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "END_TIMEOUT_S", 0.01)
    monkeypatch.setattr(module, "_kill", lambda _pid: None)
    (v2.root / GROUP / "cgroup.procs").write_text("77\n")
    with pytest.raises(SuiteError, match=r"processes of cgroup ksc-t did not end within 0.01 s: 77"):
        v2.end_processes("ksc-t")


def test_what_runc_leaves_in_the_v2_tree_of_a_hybrid_host_is_removed(tmp_path: Path) -> None:
    for tree in ("pids", "unified"):
        (tmp_path / tree).mkdir()
        (tmp_path / tree / "cgroup.procs").touch()
        (tmp_path / tree / "ksc-dev" / "node-1").mkdir(parents=True)
    cgroups = Cgroups(tmp_path)
    assert cgroups.process_files("ksc-dev") == [tmp_path / "pids" / "ksc-dev" / "cgroup.procs"]
    cgroups.remove("ksc-dev")
    assert [path.name for path in tmp_path.rglob("ksc-*")] == []
    (tmp_path / "unified" / "ksc-dev").mkdir()
    assert cgroups.remains("ksc-") == {"ksc-dev"}
