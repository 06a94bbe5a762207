"""What is written down of a cluster, and when nobody will remove it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from fixtures.clusters.local import state as module
from fixtures.clusters.local.paths import cluster_dir
from fixtures.clusters.local.state import Owner, State, checked_name, is_orphan, load, names, remove
from fixtures.errors import UsageError
from tests.unit.local_fakes import names_in


class FakeCgroups:
    """The cgroups of clusters: what they hold, and what was done to them."""

    held: dict[str, set[int]]
    done: list[tuple[str, str]]

    def processes(self, group: str) -> set[int]:
        """What a group holds."""
        return self.held.get(group, set())

    def end_processes(self, group: str) -> None:
        """Write down that it was called."""
        self.done.append(("end", group))

    def remove(self, group: str) -> None:
        """Write down that it was called."""
        self.done.append(("remove", group))


@pytest.fixture(autouse=True)
def cgroups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCgroups:
    """An empty cache, and no cgroups."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    fake = FakeCgroups()
    fake.held, fake.done = {}, []
    monkeypatch.setattr(module, "Cgroups", lambda: fake)
    return fake


def saved(name: str, owner: Owner | None = None) -> State:
    """The state of a cluster, written."""
    state = State(name=name, block=3, nodes=2, proxy_mode="nftables", api_port=7, owner=owner, holders={"router": 9})
    cluster_dir(name).mkdir(parents=True)
    state.save()
    return state


def dead_owner() -> Owner:
    """A process that has ended."""
    with subprocess.Popen(["true"]) as process:
        start = module._start_ticks(process.pid)
    return Owner(pid=process.pid, start_ticks=start)


def test_a_state_comes_back_as_it_was_written() -> None:
    state = saved("one", Owner.this_process())
    assert load("one") == state
    assert names_in(cluster_dir("one")) == ["cluster.json"]
    assert names() == ["one"]
    assert state.cgroup == "ksc-one"


def test_without_clusters_there_are_no_names() -> None:
    assert names() == []


def test_a_torn_or_missing_file_is_no_state() -> None:
    file = saved("one").file
    file.write_text(file.read_text()[:20])
    assert load("one") is None
    assert is_orphan("one")
    file.unlink()
    assert load("one") is None
    assert is_orphan("one")


def test_a_cluster_of_a_living_owner_is_no_orphan() -> None:
    saved("one", Owner.this_process())
    assert not is_orphan("one")


def test_a_cluster_of_a_dead_owner_is_an_orphan_even_while_its_processes_run(cgroups: FakeCgroups) -> None:
    saved("one", dead_owner())
    cgroups.held["ksc-one"] = {1}
    assert is_orphan("one")


def test_a_later_process_with_the_owners_id_is_not_the_owner() -> None:
    this = Owner.this_process()
    saved("one", this.model_copy(update={"start_ticks": this.start_ticks - 1}))
    assert is_orphan("one")


def test_a_kept_cluster_is_an_orphan_once_its_processes_are_gone(cgroups: FakeCgroups) -> None:
    saved("one")
    cgroups.held["ksc-one"] = {1}
    assert not is_orphan("one")
    cgroups.held.clear()
    assert is_orphan("one")


def test_processes_and_cgroups_go_before_the_file_that_names_them(
    cgroups: FakeCgroups, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved("one")
    saved("other")
    rmtree = shutil.rmtree

    def noting(path: Path) -> None:
        cgroups.done.append(("rmtree", path.name))
        rmtree(path)

    monkeypatch.setattr(shutil, "rmtree", noting)
    remove("one")
    assert cgroups.done == [("end", "ksc-one"), ("remove", "ksc-one"), ("rmtree", "one")]
    assert names() == ["other"]


@pytest.mark.parametrize("name", ["a", "dev", "run-1a2b3c", "a" * 30, "0"])
def test_names_that_can_be_one(name: str) -> None:
    assert checked_name(name) == name


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "a/b", "..", "a" * 31, "a\n", "ä"])
def test_names_that_cannot(name: str) -> None:
    with pytest.raises(UsageError, match=r"--name: found .*; allowed are 1 to 30 lower-case letters"):
        checked_name(name)
