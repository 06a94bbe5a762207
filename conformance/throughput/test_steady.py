"""What a Service carries at a steady rate, against its pods directly."""

import pytest

from fixtures.checks.distribution import even_shares
from fixtures.checks.holding import must_hold
from fixtures.checks.throughput import BYTES, carries, no_losses, quick, spread
from fixtures.load.stage import SIZES_B, LoadStage
from fixtures.requirements import SHOULD, requirement
from fixtures.scenarios.ways import EVERY_TYPE, ServiceType

pytestmark = pytest.mark.disruptive(order=9)
PROXIES = "kubernetes.io: Virtual IPs and Service Proxies: packets are redirected in the kernel"
every_type = pytest.mark.parametrize("service_type", EVERY_TYPE)


@requirement(
    "throughput.requests_are_carried",
    promise="A Service carries the requests that its pods carry: on connections that are kept, at any type's address.",
    source=PROXIES,
    level=SHOULD,
)
@every_type
def test_a_service_carries_what_its_pods_carry(load_stage: LoadStage, service_type: ServiceType) -> None:
    """Fault: `node_capped`, one node resets what goes through Services beyond some packets a second."""
    load_stage.must_reach(service_type)
    load_stage.must_compare()
    found, budgets = load_stage.carried("reused"), load_stage.ground.budgets
    limit = found.limit.per_s()
    must_hold(found.history, carries(found.takes, service_type, at_least=budgets.load_ratio, generator_per_s=limit))


@requirement(
    "throughput.connections_are_carried",
    promise="A Service carries the new connections that its pods carry, one after another, as long as they come.",
    source=f"{PROXIES}; each connection is an entry in the node's connection tracking",
    level=SHOULD,
)
@every_type
def test_a_service_carries_new_connections(load_stage: LoadStage, service_type: ServiceType) -> None:
    """Fault: `node_capped`; `entries_leaked`, one node keeps an entry for each connection and has room for few."""
    load_stage.must_reach(service_type)
    load_stage.must_compare()
    found, budgets = load_stage.carried("new"), load_stage.ground.budgets
    ratio, limit = budgets.load_ratio, found.limit.per_s()
    judged = carries(found.takes, service_type, at_least=ratio, generator_per_s=limit, tracked=found.tracked)
    must_hold(found.history, judged)


@requirement(
    "throughput.bytes_are_carried",
    promise="A Service carries the bytes that its pods carry, be answers small or large.",
    source="test/e2e/network/networking_perf.go: should run iperf2",
    level=SHOULD,
)
def test_a_service_carries_the_bytes_of_its_pods(load_stage: LoadStage) -> None:
    """Fault: `bytes_capped`, every node drops what comes back through Services beyond some bytes a second."""
    load_stage.must_compare()
    found, budgets = load_stage.carried("reused", SIZES_B), load_stage.ground.budgets
    ratio, limit = budgets.load_ratio, BYTES.of(found.limit)
    must_hold(found.history, carries(found.takes, load_stage.front, at_least=ratio, generator_per_s=limit, unit=BYTES))


@requirement(
    "throughput.steady_load_loses_nothing",
    promise="Under a steady load that its pods can bear a Service loses no request.",
    source="seed: Kubernetes services, paragraph 6: services are more stable than pods",
    level=SHOULD,
)
@every_type
def test_steady_load_loses_nothing(load_stage: LoadStage, service_type: ServiceType) -> None:
    """Fault: `node_capped`."""
    load_stage.must_reach(service_type)
    for found in (load_stage.carried("reused"), load_stage.carried("new")):
        own = [take for take in found.takes if take.block.label == service_type]
        must_hold(found.history, no_losses(own, f"by {service_type}"))


@requirement(
    "throughput.connections_are_spread_under_load",
    promise="Under load, too, the pods of a Service share its connections: each gets its part.",
    source="kubernetes.io: Service, Virtual IPs: a backend is chosen at random",
    level=SHOULD,
)
def test_connections_are_spread_under_load(load_stage: LoadStage) -> None:
    """Fault: `unfair_under_load`, every node prefers one backend of each Service."""
    found, budgets = load_stage.carried("new"), load_stage.ground.budgets
    own = [take for take in found.takes if take.block.label == load_stage.front]
    shares = even_shares([pod.name for pod in found.pods])
    must_hold(found.history, spread(own, shares=shares, margin=budgets.distribution_pooled_margin))


@requirement(
    "throughput.answers_stay_quick_at_half_load",
    promise="At half of what can be carried a Service adds little to the time of an answer, for the slowest as well.",
    source=PROXIES,
    level=SHOULD,
)
def test_answers_stay_quick_at_half_load(load_stage: LoadStage) -> None:
    """Fault: `detour_under_load`, one node sends connections by way of a program that is 200 ms late."""
    load_stage.must_compare()
    found, budgets = load_stage.carried("reused"), load_stage.ground.budgets
    allowed = {"added_p50_ms": budgets.load_added_p50_ms, "added_p99_ms": budgets.load_added_p99_ms}
    must_hold(found.history, quick(found.takes, load_stage.front, **allowed))
