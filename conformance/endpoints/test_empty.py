"""A Service and the pods that it does not have, or does not have yet."""

import time

import pytest

from conformance.judge import SETTLED_S, Answers, Judge, settle
from conformance.shared_web import SharedWeb
from fixtures.api import PODS, Api
from fixtures.budgets import Budgets
from fixtures.checks.holding import must_hold
from fixtures.checks.refusal import refused
from fixtures.clusters import ClusterInfo
from fixtures.history import History
from fixtures.prober.plan import Protocol
from fixtures.prober.probing import Pairs, Probing
from fixtures.prober.vantages import PodVantage
from fixtures.probes import Probe
from fixtures.requirements import MUST, requirement
from fixtures.workloads.doomed import Reason, start_doomed_pod
from fixtures.workloads.services import Services

REFUSED_WITHIN_S = 2.0
"""A refusal takes a millisecond; but Linux may heed an ICMPv6 error for a new TCP connection only when it has sent
the SYN again, one second later. Upstream's test of the same promise allows 3 s."""
TIMEOUT_MS = 3000
REFUSED_PER_S = 2.0
"""Linux sends one client no more than one ICMP error a second (icmp_ratelimit), and refusals may be ICMP errors."""
PROTOCOLS: tuple[Protocol, ...] = ("tcp", "udp")


def is_refused(probe: Probe) -> bool:
    """Whether a probe was refused, be it late."""
    return probe.outcome == "refused"


@requirement(
    "endpoints.none_means_refused",
    promise="A connection to a Service without endpoints is refused at once; the client need not wait for a timeout.",
    source="Kubernetes, test/e2e/network/service.go: should be rejected when no endpoints exist",
    level=MUST,
)
def test_a_service_without_endpoints_is_refused_at_once(
    *,
    cluster: ClusterInfo,
    pod_vantages: tuple[PodVantage, ...],
    services: Services,
    probing: Probing,
    history: History,
) -> None:
    """Fault: `refusals_dropped`, one node drops the refusals that it should send."""
    service = services.create("cluster-ip", selector={"app": "nothing-has-this-label"})
    targets = [service.by_address(protocol, 80, family) for family in cluster.families for protocol in PROTOCOLS]
    batches = probing.run(
        targets,
        pod_vantages,
        count=3,
        converged_at=time.time(),
        rate_per_s=REFUSED_PER_S,
        connect_timeout_ms=TIMEOUT_MS,
    )
    must_hold(history, refused(batches, within_s=REFUSED_WITHIN_S))


@requirement(
    "endpoints.appear_and_it_answers",
    promise="The controller scans for Pods that match the selector and updates the Service's EndpointSlices.",
    source="kubernetes.io: Service, Defining a Service",
    level=MUST,
)
def test_endpoints_appear_and_it_answers(
    cluster: ClusterInfo, shared_web: SharedWeb, pod_vantages: tuple[PodVantage, ...], services: Services
) -> None:
    """Fault: `proxy_stopped`, kube-proxy of one node does not run."""
    service = services.create("cluster-ip", selector=shared_web.web.labels | {"joined": "late"})
    services.must_have_endpoints(service, [])
    shared_web.web.label_pods(shared_web.pods, joined="late")
    targets = [service.by_address(protocol, 80, family) for family in cluster.families for protocol in PROTOCOLS]
    shared_web.must_be_reached(service, targets, pod_vantages)


@requirement(
    "endpoints.failed_pods_leave",
    promise="A pod that its kubelet has ended for good, evicted or past its deadline, leaves its Service though its "
    "object stays: connections to a Service without another pod are refused.",
    source="kubernetes.io: Pod Lifecycle, Pod phase; EndpointSlices, Conditions; test/e2e/network/service.go: should "
    "be rejected for evicted pods (no endpoints exist)",
    level=MUST,
)
@pytest.mark.parametrize("reason", ["Evicted", "DeadlineExceeded"])
@pytest.mark.long
def test_failed_pods_leave(
    *,
    api: Api,
    judge: Judge,
    budgets: Budgets,
    shared_namespace: str,
    pod_vantages: tuple[PodVantage, ...],
    reason: Reason,
) -> None:
    """Fault: `refusals_dropped`."""
    pod = start_doomed_pod(api, judge.cluster, shared_namespace, reason)
    service = judge.services.create("cluster-ip", selector=pod.labels)
    targets = [service.by_address("tcp", 80, family) for family in service.cluster_ips]
    pairs: Pairs = [(vantage, targets) for vantage in pod_vantages]
    settle(judge.probing, pairs)
    answers = [Answers(vantage, targets, {pod.name}) for vantage in pod_vantages]
    judge.must_be_answered(answers, token=pod.name, of=1)
    pod.fail(judge.history)
    judge.services.must_have_endpoints(service, [])
    longest_s = budgets.endpoint_removal_s
    with judge.probing.during(pairs, rate_per_s=REFUSED_PER_S, longest_s=2 * longest_s, judged=False) as under_way:
        under_way.wait_until_quiet(since=time.time(), quiet_s=SETTLED_S, timeout_s=longest_s, well=is_refused)
    batches = judge.probing.run_from(pairs, count=3, rate_per_s=REFUSED_PER_S, connect_timeout_ms=TIMEOUT_MS)
    must_hold(judge.history, refused(batches, within_s=REFUSED_WITHIN_S))
    judge.services.delete(service)
    api.delete(PODS, pod.name, shared_namespace)
