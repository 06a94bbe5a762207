"""Flows of datagrams whose pod ends."""

from __future__ import annotations

import time

import pytest

from conformance.judge import Judge
from fixtures.api import Api
from fixtures.budgets import Budgets
from fixtures.checks.holding import must_hold
from fixtures.checks.outage import outage
from fixtures.clusters import ClusterInfo
from fixtures.errors import BrokenPromise
from fixtures.prober.vantages import PodVantage
from fixtures.requirements import MUST, requirement
from fixtures.workloads.web import Shape, Web

pytestmark = pytest.mark.long
QUIET_S, WELL_WITHIN_S, LONGEST_S = 3.0, 20.0, 120.0
"""How long all is well before something is done, how soon that must come about, and the end of it all."""
FLOWS, RATE_PER_S = 8, 20.0
"""Of each target: so many that some are of the pod that ends."""
BEYOND_S = 3.0
"""Longer than what is allowed, so that what lasts longer is seen to."""


@pytest.fixture
def mortal(api: Api, cluster: ClusterInfo, shared_namespace: str) -> Web:
    """Two pods that the test may end."""
    return Web(api, cluster, shared_namespace, shape=Shape(replicas=2, drain_s=0))


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
    kept = {"connection": "reused", "connections": FLOWS}
    ways = [(service.by_address("udp", 80, f), *service.on_nodes(cluster, "udp", f)[:1]) for f in service.cluster_ips]
    targets = [target.model_copy(update=kept) for way in ways for target in way]
    pairs = [(vantage, targets) for vantage in inside_vantages]
    allowed_s = budgets.endpoint_removal_s
    with judge.probing.during(pairs, rate_per_s=RATE_PER_S * len(targets), longest_s=LONGEST_S) as under_way:
        began = time.time()
        if not under_way.wait_until_quiet(since=began, quiet_s=QUIET_S, timeout_s=WELL_WITHIN_S):
            raise BrokenPromise(expected="answers before anything is done", observed="none", vantage="pods")
        mortal.delete_pods(pods[0], grace_period_s=0)
        ended = time.time()
        mortal.wait_until_serving(other_than=pods[:1])
        under_way.wait_until_quiet(since=time.time(), quiet_s=QUIET_S, timeout_s=allowed_s + BEYOND_S)
    must_hold(judge.history, outage(under_way.batches, allowed_s=allowed_s, since=ended))
    mortal.delete()
    judge.services.delete(service)
