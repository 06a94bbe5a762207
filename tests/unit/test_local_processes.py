"""Starting programs: in their cgroup or not at all."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

import pytest

from fixtures.clusters.local.processes import Spawner
from fixtures.errors import SuiteError


def spawner(tmp_path: Path, *cgroup_files: Path) -> Spawner:
    """A spawner for one cgroup, with a folder of programs."""
    return Spawner(cgroup_files, (tmp_path / "programs",))


def test_a_program_enters_each_cgroup_before_it_runs(tmp_path: Path) -> None:
    files = [tmp_path / "cpu", tmp_path / "memory"]
    log = tmp_path / "log"
    process = spawner(tmp_path, *files).start(["sh", "-c", f"cat {files[0]} {files[1]}; echo $0 $PATH"], log=log)
    assert process.wait() == 0
    assert log.read_text().splitlines()[:2] == ["0", "0"]
    assert str(tmp_path / "programs") in log.read_text()


def test_a_program_whose_cgroup_is_gone_does_not_run(tmp_path: Path) -> None:
    gone = tmp_path / "removed" / "cgroup.procs"
    process = spawner(tmp_path, tmp_path / "cpu", gone).start(["touch", str(tmp_path / "ran")], log=tmp_path / "log")
    assert process.wait() != 0
    assert not (tmp_path / "ran").exists()


def test_a_program_is_in_a_session_of_its_own(tmp_path: Path) -> None:
    process = spawner(tmp_path).start(["sleep", "60"], log=tmp_path / "log")
    assert os.getsid(process.pid) == process.pid != os.getsid(0)
    process.kill()
    process.wait()


def test_a_program_gets_a_socket_as_number_3(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # In a process that has many files open its number has two digits.
        descriptor = fcntl.fcntl(listener, fcntl.F_DUPFD_CLOEXEC, 20)
        log = tmp_path / "log"
        process = spawner(tmp_path).start(["readlink", "/proc/self/fd/3"], log=log, pass_fd=descriptor)
        assert process.wait() == 0
        assert log.read_text().strip() == str(Path(f"/proc/self/fd/{descriptor}").readlink())
        os.close(descriptor)


def test_a_holder_is_waited_for(tmp_path: Path) -> None:
    holder = spawner(tmp_path).start_holder(["sh", "-c", "echo ready; exec sleep 60"], log=tmp_path / "log")
    assert holder.poll() is None
    holder.kill()
    holder.wait()


def test_a_holder_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="sh could not set up namespaces: unshare failed"):
        spawner(tmp_path).start_holder(["sh", "-c", "echo unshare failed >&2; exit 1"], log=tmp_path / "log")
