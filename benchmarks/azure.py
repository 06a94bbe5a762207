"""python -m benchmarks.azure: how soon load balancers answer, how much they carry, and what emulated Azure costs."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from fixtures.clusters import ArmAccess
from fixtures.clusters.local.cluster import LocalCluster, attach
from fixtures.clusters.local.paths import cluster_dir
from fixtures.clusters.local.preflight import check_root
from fixtures.clusters.local.processes import in_network_namespace
from fixtures.clusters.local.upstreams import CLOUD_CONTROLLER_MANAGER
from fixtures.commands import CommandParser
from fixtures.errors import SuiteError, UsageError
from tests.local.helpers import WEB_PORT, command, get, kubectl, must_succeed, node_port_urls, url, web

NAME = "bench-azure"
RETRY_EVERY_S = 0.01
"""The data path gives no event to wait for when it has followed a change."""
ANSWER_TIMEOUT_S = 60.0
AT_ONCE = 50
WRK_S, WRK_CONNECTIONS = 5, 16
API_VERSION = "2025-05-01"

FIGURES = {
    "Service → external address answers": "p99 ≤ 1.5 s",
    f"{AT_ONCE} Services at once, all answer": "≤ 20 s",
    "ARM write, in force when answered": "≤ 100 ms",
    "controller and emulation, RSS": "≤ 150 MiB",
    "requests a second, load balancer ÷ node port": "≥ 0.80",
}
"""The rows, and the figures to reach on 2 cores."""
ONE, MANY, WRITE, MEMORY, RATIO = FIGURES


@dataclass(frozen=True)
class Row:
    """Values of one figure, in its unit."""

    values: tuple[float, ...]
    shown: str


def balancers(count: int, first: int = 0) -> str:
    """Services of type LoadBalancer in front of the pods of `bench`, as YAML."""
    spec = {"type": "LoadBalancer", "selector": {"app": "bench"}, "ports": [{"port": 80, "targetPort": WEB_PORT}]}
    names = [f"lb-{number}" for number in range(first, first + count)]
    return yaml.safe_dump_all(
        [{"apiVersion": "v1", "kind": "Service", "metadata": {"name": n}, "spec": spec} for n in names]
    )


def wait_until_all_answer(cluster: LocalCluster, names: Sequence[str]) -> None:
    """Wait until each Service has an address that answers the client outside.

    Raises:
        SuiteError: not so within ANSWER_TIMEOUT_S.
    """
    give_up_at = time.monotonic() + ANSWER_TIMEOUT_S
    missing = set(names)
    for item in cluster.api.watch("/api/v1/namespaces/default/services", ANSWER_TIMEOUT_S):
        name, ingress = item["metadata"]["name"], (item["status"].get("loadBalancer") or {}).get("ingress")
        if name in missing and ingress:
            while not answers(cluster, ingress[0]["ip"]):
                if time.monotonic() > give_up_at:
                    raise SuiteError(f"{name} at {ingress[0]['ip']} did not answer within {ANSWER_TIMEOUT_S:g} s")
                time.sleep(RETRY_EVERY_S)
            missing.discard(name)
        if not missing:
            return
    raise SuiteError(f"no address within {ANSWER_TIMEOUT_S:g} s: {', '.join(sorted(missing))}")


def answers(cluster: LocalCluster, address: str) -> bool:
    """Whether a web server answers the client outside on port 80."""
    connection = http.client.HTTPConnection(address, 80, timeout=1.0)
    try:
        connection.sock = cluster.host("client").connect(address, 80, 1.0)
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def one_by_one(cluster: LocalCluster, rounds: int) -> Row:
    """Seconds from the creation of a Service to its first answer; each is deleted before the next."""
    found = []
    for number in range(rounds):
        started = time.monotonic()
        must_succeed(kubectl(cluster, "create", "--filename=-", text=balancers(1, number)))
        wait_until_all_answer(cluster, [f"lb-{number}"])
        found.append(time.monotonic() - started)
        must_succeed(kubectl(cluster, "delete", "service", f"lb-{number}"))
    p99 = statistics.quantiles(found, n=100)[98] if rounds > 1 else found[0]
    return Row(tuple(found), f"median {statistics.median(found):.2f} s, p99 {p99:.2f} s, max {max(found):.2f} s")


def many(cluster: LocalCluster) -> Row:
    """Seconds until all of AT_ONCE Services answer."""
    started = time.monotonic()
    must_succeed(kubectl(cluster, "create", "--filename=-", text=balancers(AT_ONCE)))
    wait_until_all_answer(cluster, [f"lb-{number}" for number in range(AT_ONCE)])
    took = time.monotonic() - started
    return Row((took,), f"{took:.1f} s")


def writes(cluster: LocalCluster, rounds: int) -> Row:
    """Milliseconds of a write to the security group, which is in force when it is answered, with AT_ONCE Services."""
    access = cluster.info.arm
    assert access is not None
    group = f"/subscriptions/{access.subscription}/resourceGroups/{access.node_resource_group}"
    path = f"{group}/providers/Microsoft.Network/networkSecurityGroups/{cluster.topology.security_group}"
    found = []
    for number in range(rounds):
        item = arm(access, "GET", path)
        rule = {"protocol": "Tcp", "access": "Deny", "direction": "Inbound", "priority": 4000 + number}
        ends = {"sourceAddressPrefix": "192.0.2.1", "destinationAddressPrefix": "*"}
        ports = {"sourcePortRange": "*", "destinationPortRange": "9"}
        item["properties"]["securityRules"].append({"name": f"bench-{number}", "properties": rule | ends | ports})
        started = time.monotonic()
        arm(access, "PUT", path, item)
        found.append((time.monotonic() - started) * 1000)
    return Row(tuple(found), f"median {statistics.median(found):.0f} ms, max {max(found):.0f} ms")


def arm(access: ArmAccess, method: str, path: str, body: Any = None) -> Any:  # noqa: ANN401 - an ARM object
    """One request to emulated ARM; raises SuiteError when it is refused."""
    connection = http.client.HTTPConnection(access.endpoint.removeprefix("http://"), timeout=10)
    headers = {"Authorization": f"Bearer {access.token()}", "Content-Type": "application/json"}
    try:
        connection.request(method, f"{path}?api-version={API_VERSION}", body and json.dumps(body), headers)
        response = connection.getresponse()
        text = response.read()
    finally:
        connection.close()
    if response.status >= 300:
        raise SuiteError(f"{method} {path}: {response.status} {text.decode(errors='replace')}")
    return json.loads(text)


def memory(cluster: LocalCluster) -> Row:
    """MiB of the controller and of the emulation."""
    sizes: dict[str, float] = {}
    for pid in cluster.cgroups.processes(cluster.control_plane_group):
        argv = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        name = Path(argv[0]).name
        if name == CLOUD_CONTROLLER_MANAGER or "fixtures.azure" in argv:
            status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
            key = name if name == CLOUD_CONTROLLER_MANAGER else "emulation"
            sizes[key] = int(status["VmRSS"].split()[0]) / 1024
    each = ", ".join(f"{name} {size:.0f}" for name, size in sizes.items())
    return Row((sum(sizes.values()),), f"{sum(sizes.values()):.0f} MiB ({each})")


def throughput(cluster: LocalCluster, rounds: int) -> Row:
    """Requests a second through the load balancer, as a part of those through a node port just before and after."""
    item = get(cluster, "service", "lb-0")
    balanced = url(item["status"]["loadBalancer"]["ingress"][0]["ip"], 80)
    direct = node_port_urls(cluster, item)[0]
    ratios = []
    for _ in range(rounds):
        before, between, after = (wrk(cluster, target) for target in (direct, balanced, direct))
        ratios.append(2 * between / (before + after))
    return Row(tuple(ratios), f"median {statistics.median(ratios):.2f}, min {min(ratios):.2f}")


def wrk(cluster: LocalCluster, target: str) -> float:
    """Requests a second that wrk gets from the client outside."""
    argv = ["wrk", "-t1", f"-c{WRK_CONNECTIONS}", f"-d{WRK_S}s", target]
    argv = in_network_namespace(cluster.host("client").namespace, argv)
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    found = re.search(r"Requests/sec:\s*([\d.]+)", done.stdout)
    if not found:
        raise SuiteError(f"wrk said nothing of requests: {done.stdout}")
    return float(found[1])


@contextmanager
def running() -> Iterator[LocalCluster]:
    """A cluster with three web servers, removed at the end."""
    if cluster_dir(NAME).exists():
        raise UsageError(
            f"cluster {NAME} is there; remove it with: python -m fixtures.clusters.local down --name {NAME}"
        )
    try:
        must_succeed(command("up", "--name", NAME))
        cluster = attach(NAME)
        must_succeed(kubectl(cluster, "create", "--filename=-", text=web("bench", replicas=3)))
        must_succeed(kubectl(cluster, "rollout", "status", "deployment/bench"))
        yield cluster
    finally:
        if cluster_dir(NAME).exists():
            must_succeed(command("down", "--name", NAME))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code: 0, 3 (our own failure) or 4 (bad input)."""
    parser = CommandParser(prog="python -m benchmarks.azure", description="Load balancers by emulated Azure.")
    parser.add_argument(
        "--repeat", type=int, default=30, metavar="N", help="Services one by one (default: %(default)s)"
    )
    try:
        arguments = parser.parse_args(argv)
        if arguments.repeat < 1:
            raise UsageError(f"--repeat: found {arguments.repeat}; allowed is 1 or more")
        check_root()
        if not shutil.which("wrk"):
            raise UsageError("programs: wrk not found; install it (on Debian and Ubuntu: apt-get install wrk)")
        with running() as cluster:
            rows = {ONE: one_by_one(cluster, arguments.repeat), MANY: many(cluster)}
            rows |= {WRITE: writes(cluster, 20), MEMORY: memory(cluster), RATIO: throughput(cluster, 3)}
        table = Table("", "measured", "figure", title="emulated Azure", title_justify="left")
        for name, row in rows.items():
            table.add_row(name, row.shown, FIGURES[name])
        Console(width=max(Console().width, 120)).print(table)
    except UsageError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 4
    except SuiteError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
