"""Session affinity of a load balancer that is switched on and off."""

import time

from conformance.load_balancer.front import Front
from fixtures.checks.clients import always_one_pod
from fixtures.checks.holding import must_hold
from fixtures.prober.probing import PROPAGATION_BUDGET_S
from fixtures.requirements import MUST, requirement

POLICIES = ("Cluster", "Local")
CONNECTIONS = 40
"""Of two pods, one would answer all of them by chance with 2e-12."""


@requirement(
    "load_balancer.affinity_can_be_switched",
    promise="Session affinity of a load balancer can be switched on and off, whatever its externalTrafficPolicy.",
    source="test/e2e/network/loadbalancer.go: switch session affinity, with Local and with Cluster traffic policy",
    level=MUST,
    features=("load_balancer", "outside"),
)
def test_affinity_can_be_switched(front: Front) -> None:
    """Fault: `affinity_fixed`, an admission policy by which it cannot be switched."""
    selector = front.web.traffic_labels
    asked = [front.services.create("load-balancer", selector=selector, externalTrafficPolicy=p) for p in POLICIES]
    services = [front.services.must_have_external_ips(service) for service in asked]
    targets = [service.by_external_ip("http", 80, front.cluster.families[0]) for service in services]
    front.must_reach(targets)
    for service in services:
        front.services.change(service, sessionAffinity="ClientIP")
    # Nothing tells that the last balancer and node have followed.
    followed_at = time.time() + max(0.0, front.budgets.load_balancer_health_s - PROPAGATION_BUDGET_S)
    (pinned,) = front.probing.run(targets, [front.outside], count=CONNECTIONS, converged_at=followed_at)
    must_hold(front.history, *(always_one_pod([pinned.of(target.name)], pods=2) for target in targets))
    for service in services:
        front.services.change(service, sessionAffinity="None", sessionAffinityConfig=None)
    front.must_reach(targets)
    for service in services:
        front.services.delete(service)
