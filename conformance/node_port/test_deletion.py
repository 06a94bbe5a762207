"""The node port of a Service that is deleted."""

from __future__ import annotations

import time

import pytest

from conformance.changed import must_be_free, outside
from conformance.judge import SILENT_CONNECTIONS, TIMEOUT_MS, Judge
from fixtures.api import Api
from fixtures.budgets import Budgets
from fixtures.checks.holding import must_hold
from fixtures.checks.isolation import is_silent, isolated
from fixtures.errors import BrokenPromise
from fixtures.prober.vantages import OutsideVantage
from fixtures.requirements import MUST, requirement
from fixtures.workloads.web import Shape, Web

pytestmark = pytest.mark.long
NODE_PORTS = range(30000, 30010)
"""In the band that is kept for who asks (KEP-3668)."""
QUIET_S, WELL_WITHIN_S = 3.0, 20.0
RATE_PER_S = 8.0
"""Of each target."""


@requirement(
    "node_port.is_given_up_with_its_service",
    promise="When a Service is deleted no node answers at its node port any more, and other Services can have it.",
    source="test/e2e/network/service.go: release NodePorts on delete; networking.go: should update nodePort",
    level=MUST,
    features=("node_ports",),
)
def test_it_is_given_up_with_its_service(
    *, api: Api, judge: Judge, shared_namespace: str, budgets: Budgets, node_port_client: OutsideVantage
) -> None:
    """Fault: `proxy_frozen_once_ready`, kube-proxy of every node stops before: the nodes answer on."""
    web = Web(api, judge.cluster, shared_namespace, shape=Shape(replicas=2, drain_s=0))
    services = [judge.services.create_on_node_port("node-port", NODE_PORTS, selector=web.labels) for _ in range(2)]
    pods = web.wait_until_serving()
    for service in services:
        judge.services.must_have_endpoints(service, pods)
    targets, control = (outside(service, judge.cluster) for service in services)
    pairs, rate_per_s = [(node_port_client, targets)], RATE_PER_S * len(targets)
    with judge.probing.during(pairs, rate_per_s=rate_per_s, longest_s=60, timeout_ms=TIMEOUT_MS) as under_way:
        if not under_way.wait_until_quiet(since=time.time(), quiet_s=QUIET_S, timeout_s=WELL_WITHIN_S):
            raise BrokenPromise(expected="answers before the deletion", observed="none", vantage=node_port_client.name)
        judge.services.delete(services[0])
        under_way.wait_until_quiet(since=0, quiet_s=1.0, timeout_s=budgets.endpoint_removal_s, well=is_silent)
    gone, answering = judge.probing.run_from(
        [(node_port_client, targets), (node_port_client, control)], count=SILENT_CONNECTIONS, timeout_ms=TIMEOUT_MS
    )
    must_hold(judge.history, isolated([gone], control=[answering]))
    must_be_free(judge.services, services[0].node_port("web"))
    judge.services.delete(services[1])
    web.delete()
