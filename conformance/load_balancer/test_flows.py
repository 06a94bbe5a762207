"""Flows of datagrams through a load balancer whose pod ends."""

import time

from conformance.load_balancer.front import HTTP_AND_UDP, Front
from fixtures.api import Api
from fixtures.checks.holding import must_hold
from fixtures.checks.outage import outage
from fixtures.prober.underway import not_quiet
from fixtures.requirements import MUST, requirement
from fixtures.workloads.web import Shape, Web

QUIET_S, LONGEST_S, BEYOND_S = 3.0, 150.0, 3.0
"""How long all is well before something is done, the end of it all, and how much longer than allowed is looked."""
FLOWS, RATE_PER_S = 16, 20.0
"""Of each target: so many that some are of the pod that ends, but for a chance of 2e-5."""


@requirement(
    "load_balancer.flows_of_datagrams_leave_a_pod_that_ended",
    promise="A client outside that goes on sending datagrams from one port is served by another pod when its pod has "
    "ended.",
    source="test/e2e/network/loadbalancer.go: preserve UDP traffic when server pod cycles; Kubernetes issue 48370",
    level=MUST,
    features=("load_balancer", "outside"),
)
def test_flows_of_datagrams_leave_a_pod_that_ended(front: Front, api: Api) -> None:
    """Fault: `proxy_frozen_once_ready`, kube-proxy of every node stops before: its flows stay where they are."""
    web = Web(api, front.cluster, front.web.namespace, shape=Shape(replicas=2, drain_s=0))
    service = front.services.create("load-balancer", selector=web.labels, ports=HTTP_AND_UDP)
    pods = web.wait_until_serving()
    front.services.must_have_endpoints(service, pods)
    external, kept = front.services.must_have_external_ips(service), {"connection": "reused", "connections": FLOWS}
    single = [external.by_external_ip("udp", 80, family) for family in external.external_ips]
    # What comes to a node that does not know the address yet leaves a flow there that leads nowhere.
    front.settle(single, [front.outside], [pod.name for pod in pods])
    targets = [target.model_copy(update=kept) for target in single]
    pairs, rate_per_s = [(front.outside, targets)], RATE_PER_S * len(targets)
    within_s = front.budgets.load_balancer_health_s + QUIET_S
    allowed_s = front.budgets.endpoint_removal_s
    with front.probing.during(pairs, rate_per_s=rate_per_s, longest_s=LONGEST_S) as under_way:
        if not under_way.wait_until_quiet(since=(since := time.time()), quiet_s=QUIET_S, timeout_s=within_s):
            raise not_quiet(under_way, since, QUIET_S, within_s, expected="answers")
        web.delete_pods(pods[0], grace_period_s=0)
        ended = time.time()
        web.wait_until_serving(other_than=pods[:1])
        under_way.wait_until_quiet(since=time.time(), quiet_s=QUIET_S, timeout_s=allowed_s + BEYOND_S)
    must_hold(front.history, outage(under_way.batches, allowed_s=allowed_s, since=ended))
    web.delete()
    front.services.delete(service)
