"""A Service and the pods that it does not have, or does not have yet."""

import time

from conformance.shared_web import SharedWeb
from fixtures.checks.holding import must_hold
from fixtures.checks.refusal import refused
from fixtures.clusters import ClusterInfo
from fixtures.history import History
from fixtures.prober.plan import Protocol
from fixtures.prober.probing import Probing
from fixtures.prober.vantages import PodVantage
from fixtures.requirements import MUST, requirement
from fixtures.workloads.services import Services

REFUSED_WITHIN_S = 2.0
"""A refusal takes a millisecond; but Linux may heed an ICMPv6 error for a new TCP connection only when it has sent
the SYN again, one second later. Upstream's test of the same promise allows 3 s."""
TIMEOUT_MS = 3000
REFUSED_PER_S = 2.0
"""Linux sends one client no more than one ICMP error a second (icmp_ratelimit), and refusals may be ICMP errors."""
PROTOCOLS: tuple[Protocol, ...] = ("tcp", "udp")


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
