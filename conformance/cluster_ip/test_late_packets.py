"""Packets of a connection that come too late."""

from __future__ import annotations

import pytest

from conformance.judge import Judge, settle
from fixtures.api import Api, Refused
from fixtures.checks.holding import must_hold
from fixtures.checks.reachability import reachability
from fixtures.clusters import ClusterInfo, IPFamily
from fixtures.errors import SuiteError
from fixtures.prober.plan import Target
from fixtures.prober.vantages import PodVantage
from fixtures.requirements import MUST, requirement
from fixtures.verdicts import NotObservable, Verdict
from fixtures.workloads.late_web import LateWeb, start_late_web
from fixtures.workloads.namespaces import Namespaces
from fixtures.workloads.needed import Needed
from fixtures.workloads.services import Services

HELD, REQUESTS, RATE_PER_S = 4, 40, 40.0
"""Connections of each target from each vantage, requests over all of these, and how many a second over both targets.
Each brings a late packet with it."""


@pytest.fixture
def late_web(api: Api, cluster: ClusterInfo, namespaces: Namespaces, needed: Needed) -> LateWeb:
    """A backend beside which packets are sent that come too late."""
    if not cluster.pods.host_network:
        raise NotObservable("no pod may have the capability NET_RAW, which late packets are sent with")
    if IPFamily.IPV4 not in cluster.families:
        raise NotObservable("late packets are sent over IPv4 alone")
    namespace = namespaces.create("late", pod_security="privileged")
    needed.until_last("late_web", lambda: namespaces.delete(namespace))
    try:
        return start_late_web(api, cluster, namespace)
    except Refused as refused:
        raise NotObservable(f"no pod may have the capability NET_RAW: {refused.message}") from refused


@requirement(
    "cluster_ip.late_packets_reset_nothing",
    promise="A connection through a Service goes on when a packet of it comes much too late.",
    source="Kubernetes issue 74839; test/e2e/network/conntrack.go: the invalid conntrack state bug",
    level=MUST,
)
def test_late_packets_reset_nothing(
    judge: Judge, api: Api, late_web: LateWeb, pod_vantages: tuple[PodVantage, ...]
) -> None:
    """Fault: `late_packets_untranslated`, the nodes pass them on as they come from the pod."""
    services, pod = Services(api, late_web.namespace, judge.history), late_web.pod
    service = services.create("cluster-ip", selector=late_web.labels)
    services.must_have_endpoints(service, [pod])
    kept = {"port": 80, "protocol": "tcp", "connection": "reused", "connections": HELD}
    places = {"ClusterIP": service.cluster_ips[IPFamily.IPV4], "the pod": pod.ips[0]}
    targets = [Target.model_validate({"name": name, "address": to, **kept}) for name, to in places.items()]
    pairs = [(vantage, targets) for vantage in pod_vantages]
    settle(judge.probing, pairs)
    before = late_web.sent()
    batches = judge.probing.run_from(pairs, count=REQUESTS, rate_per_s=RATE_PER_S)
    direct, through = ([batch.of(name) for batch in batches] for name in ("the pod", "ClusterIP"))
    own = reachability(direct, pods={pod.name}, token=pod.name)
    if own.verdict is not Verdict.PASS:
        raise SuiteError(f"the pod itself did not answer: {own.sentence}")
    requests = sum(len(batch.probes) for batch in batches)
    if (sent := late_web.sent() - before) < requests / 2:
        raise SuiteError(f"{pod.name} sent {sent} late packets, and had {requests} requests")
    must_hold(judge.history, reachability(through, pods={pod.name}, token=pod.name))
