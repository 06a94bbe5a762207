"""Nodes are drained, fail, and come back."""

import pytest

from conformance.lifecycle.judging import for_each_request_way, must_have_been_left, must_have_lost_at_most
from fixtures.requirements import MUST, requirement
from fixtures.scenarios.stage import QUIET_S, Scene, Script, Stage
from fixtures.scenarios.ways import Way
from fixtures.verdicts import NotObservable

pytestmark = [pytest.mark.long, pytest.mark.disruptive]


def drain_a_node(scene: Scene) -> None:
    """Cordon the node of one pod and evict our pods from it, as far as a PodDisruptionBudget of two lets go."""
    node = scene.pods[0].node
    evicted = [pod for pod in scene.pods if pod.node == node]
    with scene.web.disruption_budget(min_available=2), scene.disruptions.cordoned_node(node):
        scene.disruptions.drain(node, scene.web.namespace, evicted)
        scene.keep("after", *scene.web.wait_until_serving(other_than=evicted))


@requirement(
    "lifecycle.a_drained_node_loses_nothing",
    promise="Pods that are evicted from a node end gracefully and are replaced elsewhere; no request is lost.",
    source="kubernetes.io: Safely Drain a Node; Disruptions, Pod disruption budgets",
    level=MUST,
    features=("node_drain",),
)
@pytest.mark.scenario("node drain")
@for_each_request_way
def test_a_node_is_drained(stage: Stage, way: Way) -> None:
    """Fault: `path_flaps`."""
    take = stage.play("node drain", stage.graceful, drain_a_node)
    must_have_lost_at_most(take, way, stage.budgets.graceful_outage_s)


def failing_node(node: str, grace_period_s: float) -> Script:
    """Let a node fail until new connections avoid its pods, then bring it back."""

    def fail(scene: Scene) -> None:
        scene.keep("others", *(pod for pod in scene.pods if pod.node != node))
        with scene.disruptions.failed_node(node):
            limit_s = grace_period_s + scene.budgets.node_failure_margin_s
            scene.wait_until_quiet(limit_s + QUIET_S)
            scene.mark("avoided")
        scene.keep("after", *scene.web.wait_until_serving())

    return fail


@requirement(
    "lifecycle.a_failed_node_is_avoided",
    promise="Pods of a failed node leave their Services after the node monitor's grace period, and come back with it.",
    source="kubernetes.io: Nodes, Node heartbeats and Node controller",
    level=MUST,
    features=("node_failure",),
)
@pytest.mark.scenario("node failure")
@pytest.mark.disruptive(order=1)
@for_each_request_way
def test_a_node_fails_and_comes_back(stage: Stage, way: Way) -> None:
    """Fault: `path_closed_at_loss`."""
    grace_period_s = stage.cluster.node_monitor_grace_period_s
    if grace_period_s is None:
        raise NotObservable("it is not known after how long this cluster calls a node lost")
    node = stage.cluster.nodes[-1].name
    take = stage.play("node failure", stage.abrupt, failing_node(node, grace_period_s), away=node)
    must_have_been_left(take, way, answering="others", at="avoided")
    must_have_lost_at_most(take, way, grace_period_s + stage.budgets.node_failure_margin_s)
