"""Endpoints come and go, and connections follow, over each protocol and in each family."""

from __future__ import annotations

import secrets

import pytest

from conformance.judge import Answers, Judge, settle
from conformance.shared_web import SharedWeb
from fixtures.checks.holding import must_hold
from fixtures.checks.values import equal
from fixtures.prober.plan import Protocol
from fixtures.prober.vantages import PodVantage
from fixtures.requirements import MUST, requirement

PROTOCOLS: tuple[Protocol, ...] = ("http", "udp")


@requirement(
    "endpoints.changes_are_followed_everywhere",
    promise="A pod that leaves a Service gets nothing more, and one that joins gets its share, in each family, by "
    "ClusterIP over TCP and UDP and by node port over TCP.",
    source="test/e2e/network/networking.go, dual_stack.go: should update endpoints; kubernetes.io: EndpointSlices",
    level=MUST,
    features=("node_ports",),
)
@pytest.mark.long
def test_changes_are_followed_everywhere(
    judge: Judge, shared_web: SharedWeb, inside_vantages: tuple[PodVantage, ...]
) -> None:
    """Fault: `proxy_frozen_once_ready`, kube-proxy of every node stops before."""
    web, pods = shared_web.web, shared_web.pods
    members = {"member-of": f"changing-{secrets.token_hex(4)}"}
    web.label_pods(pods, **members)
    service = judge.services.create("cluster-ip", type="NodePort", selector=members)
    must_hold(judge.history, equal("families", sorted(judge.cluster.families), sorted(service.cluster_ips)))
    targets = [service.by_address(protocol, 80, family) for protocol in PROTOCOLS for family in service.cluster_ips]
    targets += [service.on_nodes(judge.cluster, "http", family)[0] for family in service.cluster_ips]
    for present in (pods, pods[1:], pods):
        web.label_pods(set(pods) - set(present), **dict.fromkeys(members))
        web.label_pods(present, **members)
        converged_at = judge.services.must_have_endpoints(service, present)
        names = {pod.name for pod in present}
        if present == pods:
            settle(judge.probing, [(vantage, targets) for vantage in inside_vantages], names)
        answers = [Answers(vantage, targets, names) for vantage in inside_vantages]
        until = None if present == pods else converged_at
        judge.must_be_answered(answers, token=web.token, of=len(pods), converged_at=until)
    judge.services.delete(service)
    web.label_pods(pods, **dict.fromkeys(members))
