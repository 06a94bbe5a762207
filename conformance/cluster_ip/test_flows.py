"""Flows of datagrams to a ClusterIP and to node ports."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from conformance.flows import (
    BEYOND_S,
    LONGEST_S,
    QUIET_S,
    RATE_PER_S,
    answered,
    kept,
    must_leave_a_pod_that_ends,
)
from conformance.judge import Judge
from fixtures.api import Api
from fixtures.budgets import Budgets
from fixtures.checks.holding import must_hold
from fixtures.checks.isolation import is_silent
from fixtures.checks.outage import outage
from fixtures.clusters import ClusterInfo
from fixtures.errors import BrokenPromise
from fixtures.prober.plan import Target
from fixtures.prober.vantages import PodVantage
from fixtures.probes import Probe
from fixtures.requirements import MUST, SHOULD, requirement
from fixtures.workloads.services import Service
from fixtures.workloads.web import Shape, Web

pytestmark = pytest.mark.long
WELL_WITHIN_S = 20.0
"""How soon all must be well before something is done."""
FLOWS = 8
"""Of each target: so many that some are of the pod that ends."""
TIMEOUT_MS = 1500
"""Where nobody answers yet, the next datagram of a flow is not to wait long for that."""
OTHER_PORT = 8080
"""The pods serve at it as at port 80."""


@pytest.fixture
def mortal(api: Api, cluster: ClusterInfo, shared_namespace: str) -> Web:
    """Two pods that the test may end."""
    return Web(api, cluster, shared_namespace, shape=Shape(replicas=2, drain_s=0))


def flows_to(service: Service, cluster: ClusterInfo) -> list[Target]:
    """Flows to the ClusterIP, and to the node port of the first node, in each family."""
    ways = [(service.by_address("udp", 80, f), *service.on_nodes(cluster, "udp", f)[:1]) for f in service.cluster_ips]
    return kept([target for way in ways for target in way], FLOWS)


@requirement(
    "cluster_ip.flows_of_datagrams_leave_a_pod_that_ended",
    promise="A client, pod or node, that goes on sending datagrams from one port is served by another pod when its pod "
    "has ended, by ClusterIP and by node port.",
    source="test/e2e/network/conntrack.go: preserve UDP traffic when server pod cycles; Kubernetes issue 48370",
    level=MUST,
)
def test_flows_of_datagrams_leave_a_pod_that_ended(
    judge: Judge, mortal: Web, cluster: ClusterInfo, budgets: Budgets, inside_vantages: tuple[PodVantage, ...]
) -> None:
    """Fault: `proxy_frozen_once_ready`, kube-proxy of every node stops before: its flows stay where they are."""
    service = judge.services.create("cluster-ip", type="NodePort", selector=mortal.labels)
    pods = mortal.wait_until_serving()
    judge.services.must_have_endpoints(service, pods)
    must_leave_a_pod_that_ends(
        judge.probing,
        judge.history,
        vantages=inside_vantages,
        targets=flows_to(service, cluster),
        web=mortal,
        pod=pods[0],
        within_s=WELL_WITHIN_S,
        allowed_s=budgets.endpoint_removal_s,
    )
    mortal.delete()
    judge.services.delete(service)


@requirement(
    "cluster_ip.flows_of_datagrams_come_to_the_first_pod",
    promise="A client that goes on sending datagrams from one port to a Service without pods is served once there is "
    "one, by ClusterIP and by node port.",
    source="test/e2e/network/conntrack.go: preserve UDP traffic when initial unready endpoints get ready",
    level=MUST,
)
def test_flows_of_datagrams_come_to_the_first_pod(
    judge: Judge, mortal: Web, cluster: ClusterInfo, budgets: Budgets, inside_vantages: tuple[PodVantage, ...]
) -> None:
    """Fault: `proxy_stopped`, kube-proxy of one node does not run."""
    service = judge.services.create("cluster-ip", type="NodePort", selector=mortal.labels)
    mortal.scale(0)
    mortal.wait_until_serving()
    judge.services.must_have_endpoints(service, ())
    targets, allowed_s = flows_to(service, cluster), budgets.endpoint_addition_s
    pairs, rate_per_s = [(vantage, targets) for vantage in inside_vantages], RATE_PER_S * len(targets)
    with judge.probing.during(pairs, rate_per_s=rate_per_s, longest_s=LONGEST_S, timeout_ms=TIMEOUT_MS) as under_way:
        if not under_way.wait_until_quiet(since=time.time(), quiet_s=QUIET_S, timeout_s=WELL_WITHIN_S, well=is_silent):
            raise BrokenPromise(expected="no answer without pods", observed="some", vantage="pods")
        mortal.scale(1)
        there = judge.services.must_have_endpoints(service, mortal.wait_until_serving())
        under_way.wait_until_quiet(since=time.time(), quiet_s=QUIET_S, timeout_s=allowed_s + BEYOND_S)
    must_hold(judge.history, outage(under_way.batches, allowed_s=allowed_s, since=there))
    mortal.delete()
    judge.services.delete(service)


@requirement(
    "cluster_ip.flows_of_datagrams_follow_the_target_port",
    promise="A client that goes on sending datagrams from one port comes to the pods' new port when the Service's "
    "targetPort is changed, by ClusterIP and by node port.",
    source="test/e2e/network/conntrack.go: cleanup conntrack entries when UDP service target port changes",
    level=SHOULD,
)
def test_flows_of_datagrams_follow_the_target_port(
    judge: Judge, mortal: Web, cluster: ClusterInfo, budgets: Budgets, inside_vantages: tuple[PodVantage, ...]
) -> None:
    """Fault: `settings_ignored`, an admission policy by which no change is heeded."""
    service = judge.services.create("cluster-ip", type="NodePort", selector=mortal.labels)
    judge.services.must_have_endpoints(service, mortal.wait_until_serving())

    def moved(probe: Probe) -> bool:
        return probe.ok and probe.answer is not None and probe.answer.port == OTHER_PORT

    allowed_s = budgets.endpoint_removal_s
    with answered(judge.probing, inside_vantages, flows_to(service, cluster), WELL_WITHIN_S) as under_way:
        ports = [port | {"targetPort": OTHER_PORT} for port in service.body["spec"]["ports"]]
        judge.services.must_change(service, ports=ports)
        changed = time.time()
        under_way.wait_until_quiet(since=changed, quiet_s=QUIET_S, timeout_s=allowed_s + BEYOND_S, well=moved)
    # An answer from the old port is as good as none.
    judged = [
        replace(batch, probes=tuple(p if moved(p) else replace(p, outcome="wrong_answer") for p in batch.probes))
        for batch in under_way.batches
    ]
    must_hold(judge.history, outage(judged, allowed_s=allowed_s, since=changed))
    mortal.delete()
    judge.services.delete(service)
