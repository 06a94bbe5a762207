"""python -m benchmarks.azure: how soon load balancers answer, how much they carry, and what emulated Azure costs."""

from __future__ import annotations

import http.client
import json
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from benchmarks import plain_locust
from benchmarks.figures import Figure, Figures, Wanted, at_least, at_most
from benchmarks.running import local_cluster, main_of
from fixtures.clusters import ArmAccess
from fixtures.clusters.local.cluster import LocalCluster, memory_of
from fixtures.clusters.local.upstreams import CLOUD_CONTROLLER_MANAGER
from fixtures.commands import CommandParser
from fixtures.errors import SuiteError, UsageError
from tests.local.helpers import WEB_PORT, get, kubectl, must_succeed, node_port_urls, url, web

WEBS = "bench"
"""The web servers, and a node port in front of them."""
OURS = {"bench": "azure"}
"""A label of the Services that are made here."""
TRY_S = 0.2
"""For an answer: what is lost before the nodes have their rules is sent again a second later only."""
RETRY_EVERY_S = 0.01
"""The data path gives no event to wait for when it has followed a change."""
ANSWER_TIMEOUT_S = 60.0
AT_ONCE = 50
ROUNDS, WRITES, PAIRS = 30, 20, 3
LOCUST_S, USERS = 6, 16
"""Of each part of a pair."""
API_VERSION = "2025-05-01"

ONE = Wanted("Service to external address answering, p99", "issue 5", "s", at_most(1.5))
MANY = Wanted(f"{AT_ONCE} Services at once, all answer", "issue 5", "s", at_most(20))
WRITE = Wanted("ARM write, in force when answered, slowest", "issue 5", "ms", at_most(100))
MEMORY = Wanted("Azure's controller and its emulation, RSS", "issue 5", "MiB", at_most(150))
RATIO = Wanted("requests a second through a load balancer to a node port, median", "issue 5", "", at_least(0.8))
WANTED = (ONE, MANY, WRITE, MEMORY, RATIO)
"""The figures to reach on 2 cores."""


def balancers(count: int, first: int = 0) -> str:
    """Services of type LoadBalancer in front of the web servers, as YAML."""
    spec = {"type": "LoadBalancer", "selector": {"app": WEBS}, "ports": [{"port": 80, "targetPort": WEB_PORT}]}
    names = [f"lb-{number}" for number in range(first, first + count)]
    return yaml.safe_dump_all(
        [{"apiVersion": "v1", "kind": "Service", "metadata": {"name": n, "labels": OURS}, "spec": spec} for n in names]
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
    connection = http.client.HTTPConnection(address, 80, timeout=TRY_S)
    try:
        connection.sock = cluster.host("client").connect(address, 80, TRY_S)
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def one_by_one(cluster: LocalCluster, rounds: int) -> Figure:
    """Seconds from the creation of a Service to its first answer; each is deleted before the next."""
    found = []
    for number in range(rounds):
        started = time.monotonic()
        must_succeed(kubectl(cluster, "create", "--filename=-", text=balancers(1, number)))
        wait_until_all_answer(cluster, [f"lb-{number}"])
        found.append(time.monotonic() - started)
        must_succeed(kubectl(cluster, "delete", "service", f"lb-{number}"))
    p99 = statistics.quantiles(found, n=100, method="inclusive")[98] if rounds > 1 else found[0]
    return ONE.measured(p99, f"median {statistics.median(found):.2f}, max {max(found):.2f}, of {len(found)}")


def many(cluster: LocalCluster) -> Figure:
    """Seconds until all of AT_ONCE Services answer."""
    started = time.monotonic()
    must_succeed(kubectl(cluster, "create", "--filename=-", text=balancers(AT_ONCE)))
    wait_until_all_answer(cluster, [f"lb-{number}" for number in range(AT_ONCE)])
    return MANY.measured(time.monotonic() - started)


def writes(cluster: LocalCluster, access: ArmAccess, rounds: int) -> Figure:
    """Milliseconds of a write to the security group, which is in force when it is answered, with AT_ONCE Services."""
    group = f"/subscriptions/{access.subscription}/resourceGroups/{access.node_resource_group}"
    path = f"{group}/providers/Microsoft.Network/networkSecurityGroups/{cluster.topology.security_group}"
    found = []
    try:
        for number in range(rounds):
            item = arm(access, "GET", path)
            rule = {"protocol": "Tcp", "access": "Deny", "direction": "Inbound", "priority": 4000 + number}
            ends = {"sourceAddressPrefix": "192.0.2.1", "destinationAddressPrefix": "*"}
            ports = {"sourcePortRange": "*", "destinationPortRange": "9"}
            item["properties"]["securityRules"].append({"name": f"bench-{number}", "properties": rule | ends | ports})
            started = time.monotonic()
            arm(access, "PUT", path, item)
            found.append((time.monotonic() - started) * 1000)
    finally:
        item = arm(access, "GET", path)
        rules = item["properties"]["securityRules"]
        item["properties"]["securityRules"] = [rule for rule in rules if not rule["name"].startswith("bench-")]
        arm(access, "PUT", path, item)
    return WRITE.measured(max(found), f"median {statistics.median(found):.0f}, of {len(found)}")


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


def memory(cluster: LocalCluster) -> Figure:
    """MiB of the controller and of the emulation."""
    sizes: dict[str, float] = {}
    for pid in cluster.cgroups.processes(cluster.control_plane_group):
        with suppress(OSError):  # it has ended
            argv = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            name = Path(argv[0]).name
            if name == CLOUD_CONTROLLER_MANAGER or "fixtures.azure" in argv:
                key = name if name == CLOUD_CONTROLLER_MANAGER else "emulation"
                sizes[key] = sizes.get(key, 0) + memory_of(pid)[0] / 2**20
    if len(sizes) < 2:
        return MEMORY.unmeasured(f"found only {', '.join(sizes) or 'none'} of the controller and the emulation")
    return MEMORY.measured(sum(sizes.values()), ", ".join(f"{name} {size:.0f}" for name, size in sizes.items()))


def throughput(cluster: LocalCluster, pairs: int) -> Figure:
    """Requests a second through the load balancer, as a part of those through a node port just before and after.

    Each is a new connection, since the web servers speak HTTP/1.0; with MANY Services there.
    """
    if not plain_locust.is_installed():
        return RATIO.unmeasured(plain_locust.LACKING)
    item = get(cluster, "service", "lb-0")
    balanced = url(item["status"]["loadBalancer"]["ingress"][0]["ip"], 80)
    direct = node_port_urls(cluster, item)[0]

    def per_s(target: str) -> float:
        return plain_locust.from_outside(cluster, target, users=USERS, seconds=LOCUST_S)

    found = []
    for _ in range(pairs):
        found.append(tuple(map(per_s, (direct, balanced, direct))))
    ratios = [ratio(*each) for each in found]
    rates = ", ".join(f"{between:.0f} to {(before + after) / 2:.0f}" for before, between, after in found)
    return RATIO.measured(statistics.median(ratios), f"{', '.join(f'{one:.2f}' for one in ratios)}; a second {rates}")


def ratio(before: float, between: float, after: float) -> float:
    """What was measured in between, to the mean of before and after; raises SuiteError when that is nothing."""
    if before + after <= 0:
        raise SuiteError("throughput: no request was answered through the node port")
    return 2 * between / (before + after)


@contextmanager
def web_servers(cluster: LocalCluster) -> Iterator[None]:
    """Three web servers; they and all Services that were made meanwhile are gone at the end."""
    must_succeed(kubectl(cluster, "create", "--filename=-", text=web(WEBS, replicas=3)))
    try:
        must_succeed(kubectl(cluster, "rollout", "status", f"deployment/{WEBS}", "--timeout=60s"))
        yield
    finally:
        selector = ",".join(f"{key}={value}" for key, value in OURS.items())
        must_succeed(kubectl(cluster, "delete", "service", f"--selector={selector}"))
        must_succeed(kubectl(cluster, "delete", "deployment,service", WEBS, "--ignore-not-found"))


def figures(cluster: LocalCluster, _console: Console, *, rounds: int = ROUNDS) -> Figures:
    """The figures; raises SuiteError, or AssertionError of kubectl, when something fails."""
    access = cluster.info.arm
    if access is None:
        why = cluster.info.no_load_balancer_because or "the cluster was made without Azure"
        yield from (wanted.unmeasured(why) for wanted in WANTED)
        return
    with web_servers(cluster):
        yield one_by_one(cluster, rounds)
        yield many(cluster)
        yield writes(cluster, access, WRITES)
        yield memory(cluster)
        yield throughput(cluster, PAIRS)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code, as `benchmarks.running.main_of` does."""
    parser = CommandParser(prog="python -m benchmarks.azure", description="Load balancers by emulated Azure.")
    parser.add_argument(
        "--repeat", type=int, default=ROUNDS, metavar="N", help="Services one by one (default: %(default)s)"
    )
    parser.add_argument("--cluster-name", metavar="NAME", help="a local cluster that is up (default: a fresh one)")

    def measured(console: Console) -> Figures:
        arguments = parser.parse_args(argv)
        if arguments.repeat < 1:
            raise UsageError(f"--repeat: found {arguments.repeat}; allowed is 1 or more")
        with local_cluster(arguments.cluster_name, console) as cluster:
            yield from figures(cluster, console, rounds=arguments.repeat)

    return main_of(measured)


if __name__ == "__main__":
    sys.exit(main())
