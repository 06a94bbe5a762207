"""A load balancer that is given up, with its Service or without, no longer answers."""

from collections.abc import Sequence

from conformance.load_balancer.front import Front
from fixtures.checks.holding import must_hold
from fixtures.checks.isolation import is_silent, isolated
from fixtures.checks.values import equal
from fixtures.clusters import ClusterInfo
from fixtures.prober.plan import Target
from fixtures.prober.vantages import PodVantage
from fixtures.probes import ProbeBatch
from fixtures.requirements import MUST, requirement

ATTEMPTS, QUIET_S = 20, 1.0


def must_be_given_up(front: Front, targets: Sequence[Target], control: Sequence[Target]) -> list[ProbeBatch]:
    """Nothing answers at the targets any more, from the budget for removals on, while the controls do; gives these.

    Raises:
        BrokenPromise: something does.
    """
    limit_s = front.budgets.endpoint_removal_s
    pairs = [(front.outside, targets)]
    with front.probing.during(pairs, rate_per_s=20.0 * len(targets), longest_s=2 * limit_s) as under_way:
        under_way.wait_until_quiet(since=0, quiet_s=QUIET_S, timeout_s=limit_s, well=is_silent)
    gone, answering = front.probing.run_from([(front.outside, targets), (front.outside, control)], count=ATTEMPTS)
    must_hold(front.history, isolated([gone], control=[answering]))
    return [answering]


@requirement(
    "load_balancer.after_deletion_nothing_answers",
    promise="When a Service is deleted its load balancer goes with it: nothing answers at the external IP any more.",
    source="kubernetes.io: Create an External Load Balancer, Garbage collecting load balancers; AKS issue 1283",
    level=MUST,
    features=("load_balancer", "outside"),
)
def test_after_deletion_nothing_answers(front: Front, cluster: ClusterInfo) -> None:
    """Fault: `answers_leaked`, the router answers at external IPs that were given up."""
    service = front.services.create("load-balancer", selector=front.web.traffic_labels)
    service = front.services.must_have_external_ips(service)
    targets = [service.by_external_ip("http", 80, family) for family in cluster.families]
    control = [front.external("diagram", "http", 80, family) for family in cluster.families]
    front.must_reach([*targets, *control])
    front.services.delete(service)
    front.services.must_be_gone(service)
    must_be_given_up(front, targets, control)


@requirement(
    "load_balancer.becomes_a_cluster_ip",
    promise="A Service may be turned into a ClusterIP: the external IP is given up, the ClusterIP stays and works.",
    source="kubernetes.io: Service; test/e2e/network/loadbalancer.go: change the type; AKS issue 1959",
    level=MUST,
    features=("load_balancer", "outside"),
)
def test_it_becomes_a_cluster_ip(front: Front, cluster: ClusterInfo, pod_vantages: tuple[PodVantage, ...]) -> None:
    """Fault: `answers_leaked`."""
    before = front.services.create("load-balancer", selector=front.web.traffic_labels)
    before = front.services.must_have_external_ips(before)
    targets = [before.by_external_ip("http", 80, family) for family in cluster.families]
    control = [front.external("diagram", "http", 80, family) for family in cluster.families]
    front.must_reach([*targets, *control])
    front.services.change(before, type="ClusterIP")
    after = front.services.must_become(before, "no external address", lambda s: not s.external_ips)
    must_be_given_up(front, targets, control)
    must_hold(front.history, equal("ClusterIPs of the Service", before.cluster_ips, after.cluster_ips))
    front.must_reach([after.by_address("http", 80, family) for family in cluster.families], pod_vantages)
    front.services.delete(after)
