"""What is known beforehand is measured by the suite, and lies within the bounds that it states."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fixtures.api import Api
from fixtures.budgets import FILE, Budgets, chosen
from fixtures.checks.distribution import connections_to_make, distribution, even_shares
from fixtures.checks.latency import latency
from fixtures.checks.outage import outage
from fixtures.clusters.local.cluster import LocalCluster
from fixtures.faults.balancing import first_preferred, unfair
from fixtures.faults.data_path import BROKEN_NODE, run_on
from fixtures.history import Finding, History
from fixtures.prober.plan import Target
from fixtures.prober.probing import Probing
from fixtures.prober.vantages import Vantage
from fixtures.scenarios.ground import Ground
from fixtures.scenarios.stage import REQUEST_RATE_PER_S, Stage
from fixtures.scenarios.ways import PORT, ServiceType, Way
from fixtures.verdicts import Verdict
from fixtures.workloads.namespaces import Namespaces
from fixtures.workloads.services import Service
from fixtures.workloads.vantages import start_vantages
from fixtures.workloads.web import Shape, Web

ROOT = Path(__file__).parents[2]
NEW = Way("ClusterIP", "new")
SLOW_MS, TIMER_MS = 200, 10
"""How late a backend answers, and by how much a timer of its busy process may be later than that."""
WEIGHTS = [40, 30, 30]
MARGIN = 0.06
"""Less than the first share is off."""
RATE_PER_S = 500.0


@pytest.fixture(scope="module")
def stage(cluster: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Pods and Services on the cluster, probed from the node that is made to misbehave."""
    api, run_id = Api(cluster.kubeconfig), f"truths-{secrets.token_hex(3)}"
    namespaces = Namespaces(api, run_id)
    created = start_vantages(api, cluster.info, namespaces.create("truths"))
    vantages = tuple(vantage for vantage in created if vantage.node == BROKEN_NODE)
    budgets = Budgets(**{name: budget.value for name, budget in chosen(ROOT / FILE, "full", {}).items()})
    folder = tmp_path_factory.mktemp("truths")
    made = Stage(Ground(api, cluster.info, namespaces, run_id, folder, budgets, vantages, None))
    yield made
    made.close()
    namespaces.delete_all()


@contextmanager
def settled(
    stage: Stage, shape: Shape, probing: Probing
) -> Iterator[tuple[Web, dict[ServiceType, Service], list[tuple[Vantage, list[Target]]]]]:
    """A workload, its Services, and what to probe, once it answers."""
    with stage.served(shape, History()) as (web, services):
        pairs = stage.pairs_of(services, NEW)
        stage.must_be_quiet(probing, pairs)
        yield web, services, pairs


def lost_for(cluster: LocalCluster, length_ms: int) -> None:
    """Let one node lose what it forwards to pods for exactly this long: the kernel forgets the element by itself."""
    chain = "chain broken { type filter hook forward priority -5; tcp dport @down drop; }"
    elements = "set down { type inet_service; flags timeout; }"
    commands = f"add table inet truth\ndelete table inet truth\ntable inet truth {{\n{elements}\n{chain}\n}}\n"
    run_on(cluster, BROKEN_NODE, "nft", "-f", "-", stdin=commands)
    run_on(cluster, BROKEN_NODE, "nft", "add", "element", "inet", "truth", "down", f"{{ 80 timeout {length_ms}ms }}")


@pytest.mark.parametrize("length_ms", [250, 1000, 5000])
def test_the_length_of_an_outage(
    cluster: LocalCluster, stage: Stage, request: pytest.FixtureRequest, length_ms: int
) -> None:
    probing = Probing(History())
    windows = []
    with (
        settled(stage, Shape(), probing) as (_, _, pairs),
        probing.during(pairs, rate_per_s=REQUEST_RATE_PER_S, longest_s=600) as under_way,
    ):
        assert under_way.wait_until_quiet(since=time.time(), quiet_s=0.5, timeout_s=10)
        for _ in range(request.config.getoption("rounds")):
            since = time.time()
            lost_for(cluster, length_ms)
            # From when the loss is over at the latest.
            assert under_way.wait_until_quiet(since=time.time() + length_ms / 1000, quiet_s=1, timeout_s=30)
            windows.append((since, time.time()))
    run_on(cluster, BROKEN_NODE, "nft", "delete", "table", "inet", "truth")
    found = [outage(under_way.batches, allowed_s=0, since=since, until=until) for since, until in windows]
    assert [finding.verdict for finding in found] == [Verdict.FAIL] * len(windows)
    assert [f for f in found if not holds(f, length_ms / 1000)] == []


def holds(finding: Finding, truth_s: float) -> bool:
    """Whether the truth is within the bounds, and these are no wider than two probe intervals and the clock's bound."""
    low, high = finding.numbers["longest_at_least_s"], finding.numbers["longest_at_most_s"]
    slack_s = 2 / REQUEST_RATE_PER_S + 2 * finding.numbers["clock_error_s"]
    print(f"{truth_s:g} s: measured {low:.4f} to {high:.4f} s, {high - low - slack_s:+.4f} s wider than two intervals")
    return low <= truth_s <= high


def test_the_lateness_of_a_backend(stage: Stage, request: pytest.FixtureRequest) -> None:
    probing, one = Probing(History()), Shape(replicas=1)
    with settled(stage, one, probing) as (late, _, pairs), settled(stage, one, probing) as (prompt, *_):
        (slow,), (fast,) = late.wait_until_serving(), prompt.wait_until_serving()
        late.slow_down(slow, SLOW_MS)
        direct = Target(name="fast", address=fast.ips[0], port=PORT, protocol="http")
        both = [(vantage, [*targets, direct]) for vantage, targets in pairs]
        for _ in range(request.config.getoption("rounds")):
            batches = probing.run_from(both, count=150, rate_per_s=100)
            found = latency(batches, service=pairs[0][1][0].name, direct=direct.name, added_p50_ms=SLOW_MS / 2)
            assert found.verdict is Verdict.FAIL
            assert found.numbers["added_p50_low_ms"] <= SLOW_MS + TIMER_MS
            assert found.numbers["added_p50_high_ms"] >= SLOW_MS
        late.slow_down(slow, 0)


def weighted(backends: int) -> list[int]:
    """The known weights, once all pods are ready."""
    return WEIGHTS if backends == len(WEIGHTS) else first_preferred(backends)


def test_the_weights_of_a_balancer(cluster: LocalCluster, stage: Stage, request: pytest.FixtureRequest) -> None:
    probing = Probing(History())
    with (
        unfair(cluster, stage.api, weighted) as spread,
        settled(stage, Shape(), probing) as (web, services, pairs),
    ):
        service = services["ClusterIP"]
        spread.wait_until_applied(service.name, service.namespace, len(WEIGHTS))
        ordered = sorted(web.wait_until_serving(), key=lambda pod: pod.ips[0])
        shares = {pod.name: weight / 100 for pod, weight in zip(ordered, WEIGHTS, strict=True)}
        even = even_shares(shares)
        count = max(connections_to_make(even, MARGIN), connections_to_make(shares, MARGIN))
        for _ in range(request.config.getoption("rounds")):
            batches = probing.run_from(pairs, count=count, rate_per_s=RATE_PER_S)
            found = distribution(batches, shares=shares, margin=MARGIN, token=web.token)
            assert found.verdict is Verdict.PASS, found
            found = distribution(batches, shares=even, margin=MARGIN, token=web.token)
            assert found.verdict is Verdict.FAIL, found
