"""Nodes are drained, fail, and come back."""

import pytest

from conformance.azure.lost_nodes import look_again
from conformance.lifecycle.judging import for_each_request_way, judges, must_have_been_left, must_have_lost_at_most
from fixtures.budgets import Budgets
from fixtures.clusters import ClusterInfo
from fixtures.requirements import MUST, requirement
from fixtures.scenarios.scenario import Scenario
from fixtures.scenarios.scene import QUIET_S, Scene
from fixtures.scenarios.stage import Stage
from fixtures.scenarios.ways import Way
from fixtures.verdicts import NotObservable
from fixtures.workloads.web import Shape

pytestmark = [pytest.mark.long, pytest.mark.disruptive]


def drain_a_node(scene: Scene) -> None:
    """Cordon the node of one pod and evict our pods from it, as far as a PodDisruptionBudget of two lets go."""
    node = scene.pods[0].node
    evicted = [pod for pod in scene.pods if pod.node == node]
    with scene.web.disruption_budget(min_available=2), scene.disruptions.cordoned_node(node):
        scene.disruptions.drain(node, scene.web.namespace, evicted)
        scene.keep("after", *scene.web.wait_until_serving(other_than=evicted))


def draining(budgets: Budgets) -> Shape:
    """Pods that serve on until the load balancer, too, has found that their node has no ready pod left."""
    return Shape(drain_s=max(budgets.endpoint_removal_s, budgets.load_balancer_health_s))


# For a load balancer the policy Local is the harder one: who comes by the node finds only the pod that ends.
DRAIN = Scenario("node drain", drain_a_node, draining, policy="Local")


@requirement(
    "lifecycle.a_drained_node_loses_nothing",
    promise="Pods that are evicted from a node end gracefully and are replaced elsewhere; no request is lost.",
    source="kubernetes.io: Safely Drain a Node; Disruptions, Pod disruption budgets",
    level=MUST,
    features=("node_drain",),
)
@judges(DRAIN)
@for_each_request_way
def test_a_node_is_drained(stage: Stage, way: Way) -> None:
    """Fault: `path_flaps`."""
    take = stage.take(DRAIN)
    must_have_lost_at_most(take, way, stage.budgets.graceful_outage_s)


def last_node(cluster: ClusterInfo) -> str:
    """The name of the node that fails."""
    return cluster.nodes[-1].name


def fail_the_last_node(scene: Scene) -> None:
    """Let a node fail until new connections avoid its pods, then bring it back."""
    node, grace_period_s = last_node(scene.cluster), scene.cluster.node_monitor_grace_period_s
    assert grace_period_s is not None
    scene.keep("others", *(pod for pod in scene.pods if pod.node != node))
    with scene.disruptions.failed_node(node):
        scene.wait_until_quiet(grace_period_s + scene.budgets.node_failure_margin_s + QUIET_S)
        scene.mark_quiet("avoided")
        look_again(scene)
    scene.keep("after", *scene.web.wait_until_serving())


FAILURE = Scenario("node failure", fail_the_last_node, away=last_node)


@requirement(
    "lifecycle.a_failed_node_is_avoided",
    promise="Pods of a failed node leave their Services after the node monitor's grace period, and come back with it.",
    source="kubernetes.io: Nodes, Node heartbeats and Node controller",
    level=MUST,
    features=("node_failure",),
)
@judges(FAILURE)
@pytest.mark.disruptive(order=1)
@for_each_request_way
def test_a_node_fails_and_comes_back(stage: Stage, way: Way) -> None:
    """Fault: `path_closed_at_loss`."""
    if (grace_period_s := stage.cluster.node_monitor_grace_period_s) is None:
        raise NotObservable("it is not known after how long this cluster calls a node lost")
    take = stage.take(FAILURE)
    must_have_been_left(take, way, answering="others", at="avoided")
    must_have_lost_at_most(take, way, grace_period_s + stage.budgets.node_failure_margin_s)
