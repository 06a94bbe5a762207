"""Connections to a NodePort Service are spread over all of its pods."""

import math

import pytest

from fixtures.checks.distribution import distribution
from fixtures.checks.holding import must_hold
from fixtures.checks.sessions import sessions_unbroken
from fixtures.requirements import MUST, requirement
from fixtures.scenarios.spread import Spreads, all_open_at
from fixtures.scenarios.ways import Way
from fixtures.verdicts import NotObservable

pytestmark = pytest.mark.long


@requirement(
    "node_port.connections_are_spread_evenly",
    promise="The pods of a Service share its connections: each gets its part, seen from outside, at each node.",
    source="seed: Kubernetes services, paragraph 7; kubernetes.io: Service, Virtual IPs: a backend is chosen at random",
    level=MUST,
    features=("outside",),
)
@pytest.mark.scenario("spread")
@pytest.mark.parametrize("pods", [2, 3, 10])
def test_new_connections_are_spread_evenly(spreads: Spreads, pods: int) -> None:
    """Fault: `unfair`, every node prefers one backend."""
    spread = spreads.over(pods)
    batches = spread.of(Way("NodePort", "new"))
    findings = [
        distribution(batches, shares=spread.shares, margin=spread.margins.pooled, token=spread.token, pooled=True)
    ]
    if spread.margins.flow is not None:
        findings += [distribution(batches, shares=spread.shares, margin=spread.margins.flow, token=spread.token)]
    must_hold(spread.history, *findings)


@requirement(
    "node_port.kept_connections_are_spread_evenly",
    promise="Connections that are kept open are shared by the pods as well, and each stays with its pod.",
    source="kubernetes.io: Service, Virtual IPs and Service Proxies: a backend is chosen when a connection is made",
    level=MUST,
    features=("outside",),
)
@pytest.mark.scenario("spread")
@pytest.mark.parametrize("pods", [2, 3])
def test_kept_connections_are_spread_evenly(spreads: Spreads, pods: int) -> None:
    """Fault: `unfair`."""
    spread = spreads.over(pods)
    batches = spread.of(Way("NodePort", "established"))
    if spread.margins.kept is None:
        raise NotObservable("there are too few vantages to judge how kept connections are spread")
    found = distribution(batches, shares=spread.shares, margin=spread.margins.kept, token=spread.token, pooled=True)
    stayed = [sessions_unbroken([b], set(spread.shares), since=all_open_at(b), until=math.inf) for b in batches]
    must_hold(spread.history, found, *stayed)
