"""What a load balancer costs in time."""

import pytest

from conformance.load_balancer.front import Front
from fixtures.checks.holding import must_hold
from fixtures.checks.latency import latency
from fixtures.clusters import ClusterInfo
from fixtures.requirements import SHOULD, requirement

PAIRS, RATE_PER_S = 200, 80.0


@requirement(
    "load_balancer.costs_little_time",
    promise="The way by a load balancer takes hardly longer than the way by a node port.",
    source="Azure Load Balancer: a pass-through network load balancer with ultra-low latency",
    level=SHOULD,
    features=("load_balancer", "node_ports_outside"),
)
@pytest.mark.long
def test_a_load_balancer_costs_little_time(front: Front, cluster: ClusterInfo) -> None:
    """Fault: `slow_front`, the nodes send what comes for external IPs by way of a slow program."""
    family = cluster.families[0]
    balanced = front.external("diagram", "http", 80, family)
    direct = front.service("diagram").on_nodes(cluster, "http", family)[0]
    front.settle([balanced, direct], [front.outside])
    batches = front.probing.run([balanced, direct], [front.outside], count=PAIRS, rate_per_s=RATE_PER_S)
    budget_ms = front.budgets.service_latency_added_p50_ms
    must_hold(front.history, latency(batches, service=balanced.name, direct=direct.name, added_p50_ms=budget_ms))
