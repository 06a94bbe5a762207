"""A Service that goes, and comes again with the same numbers."""

from __future__ import annotations

import time

import pytest

from conformance.judge import Judge
from fixtures.api import Api
from fixtures.checks.holding import must_hold
from fixtures.checks.isolation import isolated
from fixtures.checks.reachability import connections_to_see_all, reachability
from fixtures.clusters import ClusterInfo
from fixtures.prober.plan import Protocol, Target
from fixtures.prober.vantages import PodVantage
from fixtures.requirements import MUST, requirement
from fixtures.workloads.services import Service
from fixtures.workloads.web import Shape, Web

PORT_NAMES: dict[Protocol, str] = {"http": "web", "udp": "web-udp"}
"""Of manifests/services/cluster-ip.yaml."""
PODS = 2
OWN_NODE_PORTS = range(30010, 30020)
"""No other test's: nobody else is given a number of these while the Service is away (KEP-3668, the static band)."""


def ways(service: Service, cluster: ClusterInfo) -> list[Target]:
    """Its ClusterIP and its node ports on the first node, over HTTP and UDP."""
    family = cluster.families[0]
    by_ip = [service.by_address(protocol, 80, family) for protocol in PORT_NAMES]
    return by_ip + [service.on_nodes(cluster, protocol, family, name)[0] for protocol, name in PORT_NAMES.items()]


@requirement(
    "node_port.stops_and_starts_with_its_service",
    promise="A deleted Service stops answering, by ClusterIP and node port; made again with both, it answers again.",
    source="kubernetes.io: Service, API object; test/e2e/network/service.go: should work after the service has been "
    "recreated; networking.go: should update nodePort",
    level=MUST,
)
@pytest.mark.long
def test_it_stops_and_starts_with_its_service(
    api: Api, judge: Judge, shared_namespace: str, pod_vantages: tuple[PodVantage, ...]
) -> None:
    """Fault: `proxy_frozen_once_ready`, kube-proxy of every node stops before the deletion: the nodes answer on."""
    web = Web(api, judge.cluster, shared_namespace, shape=Shape(replicas=PODS, drain_s=0))
    how: dict[str, object] = {"type": "NodePort", "selector": web.labels}
    service, other = (judge.services.create_on_node_port("cluster-ip", OWN_NODE_PORTS, **how) for _ in range(2))
    pods, count = web.wait_until_serving(), connections_to_see_all(PODS)
    names, targets, others = {pod.name for pod in pods}, ways(service, judge.cluster), ways(other, judge.cluster)
    since = max(judge.services.must_have_endpoints(each, pods) for each in (service, other))
    before = judge.probing.run(targets, pod_vantages, count=count, converged_at=since)
    must_hold(judge.history, reachability(before, pods=names, token=web.token))
    judge.services.delete(service)
    silent = judge.probing.run(targets, pod_vantages, count=3, converged_at=time.time())
    # Another Service of the same pods is none the worse, and shows that an answer would have been seen.
    control = judge.probing.run(others, pod_vantages, count=count)
    must_hold(judge.history, isolated(silent, control=control))
    same = {name: service.body["spec"][name] for name in ("clusterIP", "clusterIPs", "ports")}
    again = judge.services.create("cluster-ip", **how, **same)
    since = judge.services.must_have_endpoints(again, pods)
    after = judge.probing.run(targets, pod_vantages, count=count, converged_at=since)
    must_hold(judge.history, reachability(after, pods=names, token=web.token))
    for each in (again, other):
        judge.services.delete(each)
    web.delete()
