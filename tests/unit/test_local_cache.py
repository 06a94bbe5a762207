"""Sharing the cache: locks, and folders that appear whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.clusters.local.cache import exclusive, publishing
from fixtures.clusters.local.paths import cache_dir, file_system_of
from fixtures.errors import UsageError
from tests.unit.local_fakes import names_in

HOLD = """
import sys
from pathlib import Path
from fixtures.clusters.local.cache import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""
WAIT = """
import sys
from pathlib import Path
from fixtures.clusters.local.cache import exclusive
with exclusive(Path(sys.argv[1]), waiting=lambda: print("waiting", flush=True)):
    print("held", flush=True)
"""


def started(script: str, lock: Path) -> subprocess.Popen[str]:
    """A Python process with pipes."""
    argv = [sys.executable, "-c", script, str(lock)]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line that a process prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_lock_is_held_by_one_and_the_other_says_that_it_waits(tmp_path: Path) -> None:
    lock = tmp_path / "locks" / "a.lock"
    with started(HOLD, lock) as holder:
        assert line_of(holder) == "held"
        with started(WAIT, lock) as waiter:
            assert line_of(waiter) == "waiting"
            holder.communicate("go on\n")
            assert line_of(waiter) == "held"
    assert lock.exists()


def test_a_killed_holder_frees_the_lock(tmp_path: Path) -> None:
    with started(HOLD, tmp_path / "a.lock") as holder:
        assert line_of(holder) == "held"
        holder.kill()
    waited: list[str] = []
    with exclusive(tmp_path / "a.lock", waiting=lambda: waited.append("yes")):
        assert waited == []


def test_a_lock_is_not_inherited_by_programs(tmp_path: Path) -> None:
    with exclusive(tmp_path / "a.lock"):
        listed = subprocess.run(
            ["ls", "-l", "/proc/self/fd"], close_fds=False, capture_output=True, text=True, check=True
        )
    assert "a.lock" not in listed.stdout


def test_a_folder_is_published_in_one_step(tmp_path: Path) -> None:
    with publishing(tmp_path / "tools-1") as scratch:
        (scratch / "pause").write_text("whole")
        assert not (tmp_path / "tools-1").exists()
    assert names_in(tmp_path) == ["tools-1"]
    assert (tmp_path / "tools-1" / "pause").read_text() == "whole"


def test_a_published_folder_is_replaced_whole(tmp_path: Path) -> None:
    for text in ("old", "new"):
        with publishing(tmp_path / "tools-1") as scratch:
            (scratch / text).write_text(text)
    assert names_in(tmp_path) == ["tools-1"]
    assert names_in(tmp_path / "tools-1") == ["new"]


def test_an_interrupted_publication_leaves_what_was_there(tmp_path: Path) -> None:
    with publishing(tmp_path / "tools-1") as scratch:
        (scratch / "pause").write_text("old")

    def interrupted() -> None:
        with publishing(tmp_path / "tools-1") as scratch:
            (scratch / "pause").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert names_in(tmp_path) == ["tools-1"]
    assert (tmp_path / "tools-1" / "pause").read_text() == "old"


def test_scratch_folders_of_killed_runs_are_removed_and_those_of_other_kinds_stay(tmp_path: Path) -> None:
    for name in (".tools-killed", ".etcd-being-built"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "half").touch()
    with publishing(tmp_path / "tools-1"):
        pass
    assert names_in(tmp_path) == [".etcd-being-built", "tools-1"]


def test_the_cache_follows_the_users_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "k8s-service-conformance"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir() == tmp_path / ".cache" / "k8s-service-conformance"


@pytest.mark.parametrize("hidden", ["/run", "/var/lib", "/var/log"])
def test_a_cache_that_nodes_would_not_see_is_refused(hidden: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", f"{hidden}/cache")
    with pytest.raises(UsageError, match=rf"XDG_CACHE_HOME: .* is below {hidden}"):
        cache_dir()


def test_the_file_system_of_a_path_is_that_of_its_device(tmp_path: Path) -> None:
    device = tmp_path.stat().st_dev
    own = f"36 35 {os.major(device)}:{os.minor(device)} / /data rw,noatime shared:1 - xfs /dev/vdb rw\n"
    other = "24 27 0:6 / /dev rw,relatime - devtmpfs devtmpfs rw\n"
    assert file_system_of(tmp_path, other + own) == "xfs"
    assert file_system_of(tmp_path, other) == ""
