"""Connections that are held while their pod ends."""

import pytest

from conformance.lifecycle.judging import for_each_held_way, judges
from conformance.lifecycle.test_deletion import ABRUPT_DELETION
from fixtures.checks.holding import must_hold
from fixtures.checks.sessions import sessions_end, sessions_unbroken
from fixtures.requirements import MUST, requirement
from fixtures.scenarios.stage import Stage
from fixtures.scenarios.ways import Way

pytestmark = pytest.mark.long


@requirement(
    "lifecycle.connections_end_with_their_pod",
    promise="The client of an established connection is told soon when the pod behind it has ended.",
    source="kubernetes.io: Pod Lifecycle, Termination of Pods",
    level=MUST,
)
@judges(ABRUPT_DELETION)
@for_each_held_way
def test_connections_end_with_their_pod(stage: Stage, way: Way) -> None:
    """Fault: `ends_hidden`, every node drops the packets that end a connection."""
    take = stage.take(ABRUPT_DELETION)
    (pod,) = take.names_of("gone")
    within_s = stage.budgets.established_break_s
    must_hold(take.history, sessions_end(take.of(way), pod, gone_at=take.marks["gone"], within_s=within_s))


@requirement(
    "lifecycle.connections_outlive_other_pods",
    promise="An established connection to one pod is not touched when another pod of the Service ends.",
    source="kubernetes.io: Virtual IPs and Service Proxies: only new connections are balanced",
    level=MUST,
)
@judges(ABRUPT_DELETION)
@for_each_held_way
def test_connections_outlive_other_pods(stage: Stage, way: Way) -> None:
    """Fault: `paths_closed_at_loss`."""
    take = stage.take(ABRUPT_DELETION)
    pods = take.names_of("before") - take.names_of("gone")
    must_hold(take.history, sessions_unbroken(take.of(way), pods, since=take.began_at, until=take.ended_at))
