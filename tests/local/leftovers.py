"""What a cluster could leave on this machine, by its name and by comparing the host before and after."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from pyroute2 import IPRoute

from fixtures.clusters.local.cgroups import CGROUP_ROOT
from fixtures.clusters.local.paths import cache_dir, cluster_dir
from fixtures.clusters.local.state import CGROUP_PREFIX, cgroup_of

SETTINGS = ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "net/ipv4/ip_forward")
"""Kernel settings that kubelet and kube-proxy like to change."""
FOLDERS = ("/var/lib/kubelet", "/var/lib/cni", "/var/log/pods", "/var/log/containers", "/run/netns", "/etc/cni")
"""Where the programs of a node write by default."""
TRANSIENT_S = 5.0
"""How long a trial of another run in a namespace of its own takes at most."""
_LASTING_ROUTE_PARTS = ("RTA_DST", "RTA_GATEWAY", "RTA_OIF", "RTA_TABLE")

Host = dict[str, frozenset[str]]


def host_now() -> Host:
    """What tests compare of this machine, per kind a set of lines."""
    with IPRoute() as ip:
        interfaces = {link.get_attr("IFLA_IFNAME") for link in ip.get_links()}
        addresses = {f"{a.get_attr('IFA_ADDRESS')} on {a['index']}" for a in ip.get_addr()}
        routes = {str([route.get_attr(part) for part in _LASTING_ROUTE_PARTS]) for route in ip.get_routes()}
    ruleset = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    return {
        "mount": frozenset(Path("/proc/self/mountinfo").read_text().splitlines()),
        "interface": frozenset(interfaces),
        "address": frozenset(addresses),
        "route": frozenset(routes),
        "nftables rule": frozenset(ruleset.splitlines()),
        "kernel setting": frozenset(f"{name}={(Path('/proc/sys') / name).read_text().strip()}" for name in SETTINGS),
        "folder": frozenset(str(path) for folder in FOLDERS for path in _with_entries(Path(folder))),
        "network namespace": frozenset(_foreign_namespaces()),
    }


def _with_entries(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield folder
        yield from folder.iterdir()


def changes_since(before: Host) -> list[str]:
    """What is new or gone on this machine, a line each; namespaces that end by themselves do not count."""
    after = host_now()
    changes = []
    for kind, entries in before.items():
        changes += [f"{kind} gone: {entry}" for entry in entries - after[kind] if kind != "network namespace"]
        new = after[kind] - entries
        changes += [f"{kind} new: {entry}" for entry in (_lasting(new) if kind == "network namespace" else new)]
    return sorted(changes)


def remains_of(name: str) -> list[str]:
    """What is left of a cluster of this cache, a line each."""
    group = cgroup_of(name)
    # Looked for in every tree there is, not where the product thinks that they are.
    found = [f"cgroup {folder}" for pattern in (group, f"*/{group}") for folder in sorted(CGROUP_ROOT.glob(pattern))]
    if cluster_dir(name).exists():
        found.append(f"folder {cluster_dir(name)}")
    found += [f"logs {path}" for path in (cache_dir() / "logs").glob(f"{name}-[0-9]*-[0-9]*")]
    marks = (f"/{group}/", f"/clusters/{name}/")
    for pid, folder in _processes():
        text = _read(folder / "cgroup").replace("\n", "/\n") + _read(folder / "cmdline")
        if any(mark in text for mark in marks):
            found.append(f"process {pid}: {_read(folder / 'cmdline').replace(chr(0), ' ')}")
    return found


def _processes() -> Iterator[tuple[int, Path]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            yield int(folder.name), folder


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""


def _foreign_namespaces() -> dict[str, set[int]]:
    """The network namespaces that belong to no cluster, and the processes in each."""
    of_clusters: set[str] = set()
    found: dict[str, set[int]] = {}
    for pid, folder in _processes():
        try:
            namespace = str((folder / "ns" / "net").readlink())
        except OSError:
            continue
        found.setdefault(namespace, set()).add(pid)
        if f"/{CGROUP_PREFIX}" in _read(folder / "cgroup"):
            of_clusters.add(namespace)
    return {namespace: pids for namespace, pids in found.items() if namespace not in of_clusters}


def _lasting(namespaces: frozenset[str]) -> list[str]:
    """Those that are still held when every process with a short life in them has ended."""
    give_up_at = time.monotonic() + TRANSIENT_S
    found = _foreign_namespaces()
    return [n for n in namespaces if any(not _ends(pid, give_up_at) for pid in found.get(n, ()))]


def _ends(pid: int, give_up_at: float) -> bool:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poller = select.poll()
        poller.register(handle, select.POLLIN)
        return bool(poller.poll(max(0.0, give_up_at - time.monotonic()) * 1000))
    finally:
        os.close(handle)
