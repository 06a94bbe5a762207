"""What is missing on a machine is named in one line, before anything is made."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from fixtures.clusters.local import preflight
from fixtures.clusters.local.cgroups import Cgroups
from fixtures.clusters.local.preflight import FOR_IPTABLES, TO_BUILD, TO_RUN, Need, check, check_root
from fixtures.errors import UsageError
from tests.unit.local_fakes import Said

DiskUsage = namedtuple("DiskUsage", "total used free")


class Machine:
    """What this machine seems to be: the content of its files, and how its programs end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
        self.files = {
            "/proc/self/status": "Name:\tx\nCapEff:\t000001ffffffffff\n",
            "/proc/meminfo": "MemTotal: 9000000 kB\nMemAvailable: 8000000 kB\n",
            "/proc/sys/fs/inotify/max_user_instances": "1024\n",
        }
        self.cache = cache
        self.free_gib = 50.0
        self.inotify_instances = 0
        self.controllers = frozenset({"cpu", "cpuset", "memory", "pids"})
        self.os_release = {"ID": "debian"}
        self.missing: dict[str, bool] = {}
        """Per missing program whether apt-get can install it."""
        self.failing = {"": ""}
        """Per part of a trial what it answers; a trial without such a part succeeds."""
        self.links = {"veth": "", "bridge": ""}
        self.called: list[list[str]] = []
        monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setattr(Path, "read_text", lambda path: self.files[str(path)])
        monkeypatch.setattr(Cgroups, "controllers", property(lambda _self: self.controllers))
        monkeypatch.setattr(shutil, "disk_usage", lambda _path: DiskUsage(0, 0, self.free_gib * 2**30))
        monkeypatch.setattr(platform, "freedesktop_os_release", lambda: self.os_release)
        monkeypatch.setattr(subprocess, "run", self._run)
        monkeypatch.setattr(preflight, "_inotify_instances", lambda _processes: self.inotify_instances)
        monkeypatch.setattr(preflight, "_link_trial", lambda kind: self.links[kind])
        for group in ("TO_RUN", "FOR_IPTABLES", "TO_BUILD"):
            monkeypatch.setattr(preflight, group, tuple(map(self._need, getattr(preflight, group))))

    def _need(self, need: Need) -> Need:
        return Need(need.name, need.package, lambda: need.name not in self.missing)

    def _run(self, command: list[str], **_options: Any) -> subprocess.CompletedProcess[str]:  # noqa: ANN401
        self.called.append(command)
        if command[:2] == ["apt-get", "install"]:
            self.missing = {name: False for name, can in self.missing.items() if not can}
        trouble = next((text for part, text in self.failing.items() if part and part in command[-1]), "")
        return subprocess.CompletedProcess(command, 1 if trouble else 0, "", trouble)

    def refusal(self, *, nodes: int = 3, proxy_mode: str = "nftables", building: bool = False) -> str:
        """The one line that the check refuses with."""
        with pytest.raises(UsageError) as raised:
            check(Said(), nodes=nodes, proxy_mode=proxy_mode, building=building)
        assert "\n" not in str(raised.value)
        assert not self.cache.exists()
        return str(raised.value)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine that has everything."""
    return Machine(monkeypatch, tmp_path / "cache")


def test_a_machine_that_has_everything_passes(machine: Machine) -> None:
    said = Said()
    check(said, nodes=3, proxy_mode="iptables", building=True)
    assert said.lines == []
    assert not [command for command in machine.called if command[0] == "apt-get"]


def test_a_user_who_is_not_root_is_told(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert machine.refusal() == "--cluster=local: needs root to make namespaces, found user id 1000; use sudo"


@pytest.mark.parametrize(("bit", "name"), [(21, "CAP_SYS_ADMIN"), (12, "CAP_NET_ADMIN")])
def test_a_root_without_capabilities_is_told(machine: Machine, bit: int, name: str) -> None:
    machine.files["/proc/self/status"] = f"CapEff:\t{0x1FFFFFFFFFF & ~(1 << bit):016x}\n"
    with pytest.raises(UsageError, match=f"needs {name}, which this root user lacks"):
        check_root()


def test_missing_controllers_are_named(machine: Machine) -> None:
    machine.controllers = frozenset({"memory", "pids", "io"})
    assert "cgroup controllers cpu, cpuset are not mounted below /sys/fs/cgroup" in machine.refusal()


def test_too_little_memory_is_told_with_figures(machine: Machine) -> None:
    machine.files["/proc/meminfo"] = f"MemAvailable: {1649 * 1024} kB\n"
    assert machine.refusal() == "memory: 3 nodes need 1650 MiB, found 1649 MiB available; use fewer --nodes"
    check(Said(), nodes=2, proxy_mode="nftables", building=False)


def test_too_little_disk_is_told_with_figures(machine: Machine) -> None:
    machine.free_gib = 9.9
    assert machine.refusal(building=True) == (
        f"disk: building needs 10 GiB below {machine.cache}/k8s-service-conformance, found 9.9 GiB free; "
        "free some, or set XDG_CACHE_HOME to another disk"
    )
    check(Said(), nodes=3, proxy_mode="nftables", building=False)
    machine.free_gib = 0.5
    assert "disk: running needs 1 GiB" in machine.refusal()


def test_too_few_inotify_instances_are_told_with_the_command(machine: Machine) -> None:
    machine.files["/proc/sys/fs/inotify/max_user_instances"] = "128\n"
    machine.inotify_instances = 60
    check(Said(), nodes=4, proxy_mode="nftables", building=False)
    assert machine.refusal(nodes=9) == (
        "kernel: fs.inotify.max_user_instances is 128, of which 60 are in use; 9 nodes need 144; "
        "set it with: sysctl -w fs.inotify.max_user_instances=1024"
    )


@pytest.mark.parametrize("need", [*TO_RUN, *FOR_IPTABLES, *TO_BUILD], ids=lambda need: need.name)
def test_elsewhere_a_missing_program_is_named_with_the_command(machine: Machine, need: Need) -> None:
    machine.os_release = {"ID": "fedora", "ID_LIKE": "rhel"}
    machine.missing = {need.name: True}
    assert machine.refusal(proxy_mode="iptables", building=True) == (
        f"programs: {need.name} not found; install them (on Debian and Ubuntu: "
        f"apt-get install --yes --no-install-recommends {need.package}) and run this again"
    )
    assert not [command for command in machine.called if command[0] == "apt-get"]


def test_what_is_not_needed_is_not_asked_for(machine: Machine) -> None:
    machine.os_release = {"ID": "fedora"}
    machine.missing = dict.fromkeys([*(need.name for need in (*FOR_IPTABLES, *TO_BUILD))], True)
    check(Said(), nodes=3, proxy_mode="nftables", building=False)
    assert machine.refusal(proxy_mode="iptables").startswith("programs: iptables not found;")


@pytest.mark.parametrize("release", [{"ID": "debian"}, {"ID": "mint", "ID_LIKE": "ubuntu debian"}])
def test_on_debian_what_is_missing_is_installed_and_that_is_said(machine: Machine, release: dict[str, str]) -> None:
    machine.os_release = release
    machine.missing = {"nft": True, "gcc": True, "nsenter": True, "unshare": True}
    said = Said()
    check(said, nodes=3, proxy_mode="nftables", building=True)
    packages = "nftables util-linux gcc"
    assert said.lines == [
        "installing what is missing (nft, nsenter, unshare, gcc): "
        f"apt-get install --yes --no-install-recommends {packages}"
    ]
    assert [command[1] for command in machine.called if command[0] == "apt-get"] == ["update", "install"]


def test_what_cannot_be_installed_is_named_with_the_command(machine: Machine) -> None:
    machine.missing = {"nft": False, "gcc": True}
    machine.failing = {"gcc": "E: Unable to locate package nftables"}
    assert machine.refusal(building=True) == (
        "programs: nft could not be installed (E: Unable to locate package nftables); "
        "run: apt-get install --yes --no-install-recommends nftables gcc"
    )


@pytest.mark.parametrize(
    ("part", "answer", "named"),
    [
        ("mount -t overlay", "mount: unknown filesystem type 'overlay'", "overlay file system (CONFIG_OVERLAY_FS)"),
        ("nft -f -", "netlink: Error: Could not process rule\nmore", "nftables with nat, fib, ct and jhash"),
        ("/dev/kmsg", "sh: cannot open /dev/kmsg", "/dev/kmsg, which kubelet reads"),
    ],
)
def test_a_missing_kernel_feature_is_named(machine: Machine, part: str, answer: str, named: str) -> None:
    machine.failing = {part: answer}
    refusal = machine.refusal()
    assert refusal.startswith(f"kernel: {named}")
    assert refusal.endswith(f"is missing: {answer.splitlines()[0]}")


@pytest.mark.parametrize("kind", ["veth", "bridge"])
def test_missing_kinds_of_interfaces_are_named(machine: Machine, kind: str) -> None:
    machine.links[kind] = "Operation not supported"
    assert machine.refusal() == f"kernel: network interfaces of kind {kind} are missing: Operation not supported"


def test_inotify_instances_in_use_are_counted() -> None:
    own = [Path("/proc/self"), Path("/proc/no-such-process")]
    before = preflight._inotify_instances(own)
    instance = ctypes.CDLL(None).inotify_init()
    try:
        assert preflight._inotify_instances(own) == before + 1
    finally:
        os.close(instance)
    assert preflight._inotify_instances(own) == before
