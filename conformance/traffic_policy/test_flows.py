"""Flows of datagrams that must stay on their node."""

import time

import pytest

from conformance.flows import BEYOND_S, QUIET_S, answered, kept
from conformance.judge import Judge
from fixtures.api import Api
from fixtures.budgets import Budgets
from fixtures.checks.holding import must_hold
from fixtures.checks.outage import outage
from fixtures.checks.reachability import reachability
from fixtures.prober.vantages import PodVantage
from fixtures.requirements import MUST, requirement
from fixtures.verdicts import NotObservable
from fixtures.workloads.web import Pod, Shape, Web

pytestmark = pytest.mark.long
WELL_WITHIN_S = 20.0
"""How soon all must be well before something is done."""
JUDGED_S = 2.0
"""Of the time in which all is well: what came before it may be off by the clocks' error."""
FLOWS = 8
"""Of each target: so many that some would be of the other node's pod."""


@requirement(
    "traffic_policy.flows_of_datagrams_stay_on_the_node",
    promise="With internalTrafficPolicy Local a client, pod or node, that goes on sending datagrams from one port is "
    "served by the pod of its node, and by the one that takes its place.",
    source="test/e2e/network/conntrack.go: server pod cycles for a ClusterIP service with InternalTrafficPolicy Local; "
    "Kubernetes issue 126934",
    level=MUST,
)
def test_flows_of_datagrams_stay_on_the_node(
    judge: Judge, api: Api, shared_namespace: str, budgets: Budgets, inside_vantages: tuple[PodVantage, ...]
) -> None:
    """Fault: `settings_ignored`, an admission policy by which new Services have the policy Cluster."""
    nodes = tuple(node.name for node in judge.cluster.nodes[:2])
    if len(nodes) < 2:
        raise NotObservable("1 node, 2 are needed: for the pod that ends, and for another that must not serve for it")
    vantages = [vantage for vantage in inside_vantages if vantage.node in nodes]
    web = Web(api, judge.cluster, shared_namespace, judge.history, Shape(replicas=2, drain_s=0, nodes=nodes))
    service = judge.services.create("cluster-ip", selector=web.labels, internalTrafficPolicy="Local")
    before = web.wait_until_serving()
    judge.services.must_have_endpoints(service, before)
    targets = [service.by_address("udp", 80, family) for family in service.cluster_ips]
    moments: list[tuple[float, tuple[Pod, ...]]] = []
    with answered(judge.probing, vantages, kept(targets, FLOWS), WELL_WITHIN_S) as under_way:
        moments.append((time.time(), before))
        web.delete_pods(before[0], grace_period_s=0)
        after = web.wait_until_serving(other_than=before[:1])
        there, allowed_s = judge.services.must_have_endpoints(service, after), budgets.endpoint_addition_s
        under_way.wait_until_quiet(since=there, quiet_s=QUIET_S, timeout_s=allowed_s + BEYOND_S)
        moments.append((time.time(), after))
    found = [outage(under_way.batches, allowed_s=allowed_s, since=there)]
    for vantage, batch in zip(vantages, under_way.batches, strict=True):
        for until, pods in moments:
            own = {pod.name for pod in pods if pod.node == vantage.node}
            found.append(reachability([batch.between(until - JUDGED_S, until)], pods=own, token=web.token))
    must_hold(judge.history, *found)
    judge.services.delete(service)
    web.delete()
