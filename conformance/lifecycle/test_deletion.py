"""Pods are deleted; their Service is not."""

import pytest

from conformance.lifecycle.judging import for_each_request_way, judges, must_have_lost_at_most
from fixtures.requirements import MUST, requirement
from fixtures.scenarios.scenario import Scenario, graceful
from fixtures.scenarios.scene import Scene
from fixtures.scenarios.stage import Stage
from fixtures.scenarios.ways import Way

pytestmark = pytest.mark.long


def delete_one(scene: Scene) -> None:
    """Delete a pod as usual, and wait until its process has ended and another one has taken its place."""
    gone = scene.pods[0]
    scene.web.delete_pods(gone)
    scene.keep("after", *scene.web.wait_until_serving(other_than=(gone,)))
    scene.keep("gone", gone)
    scene.web.wait_until_gone(gone)
    scene.mark("gone")


ABRUPT_DELETION = Scenario("abrupt deletion", delete_one)
GRACEFUL_DELETION = Scenario("graceful deletion", delete_one, graceful, takes_s=25)


@requirement(
    "lifecycle.a_graceful_deletion_loses_nothing",
    promise="A deleted pod is taken out of its Services while it finishes its work; no request need be lost.",
    source="kubernetes.io: Pod Lifecycle, Termination of Pods; KEP-1672",
    level=MUST,
)
@judges(GRACEFUL_DELETION)
@for_each_request_way
def test_a_pod_that_shuts_down_gracefully(stage: Stage, way: Way) -> None:
    """Fault: `path_flaps`, one node loses all packets to pods for a second, again and again."""
    take = stage.take(GRACEFUL_DELETION)
    must_have_lost_at_most(take, way, stage.budgets.graceful_outage_s)


@requirement(
    "lifecycle.pods_replaced_one_by_one",
    promise="Pods have a limited lifespan and their addresses change; the Service is more stable and not affected.",
    source="seed: Kubernetes services, paragraphs 1, 2 and 5",
    level=MUST,
)
@judges(ABRUPT_DELETION)
@for_each_request_way
def test_a_pod_that_ends_at_once(stage: Stage, way: Way) -> None:
    """Fault: `proxy_frozen_once_ready`, kube-proxy of every node stops before the pod goes: the nodes keep to it."""
    take = stage.take(ABRUPT_DELETION)
    must_have_lost_at_most(take, way, stage.budgets.endpoint_removal_s)


def force_delete_one(scene: Scene) -> None:
    """Delete a pod without a grace period."""
    gone = scene.pods[0]
    scene.web.delete_pods(gone, grace_period_s=0)
    scene.keep("after", *scene.web.wait_until_serving(other_than=(gone,)))


FORCED_DELETION = Scenario("forced deletion", force_delete_one)


@requirement(
    "lifecycle.a_forced_deletion_is_followed",
    promise="A pod that is deleted by force leaves the Service; new connections go to the others.",
    source="kubernetes.io: Pod Lifecycle, Forced Pod termination",
    level=MUST,
)
@judges(FORCED_DELETION)
@for_each_request_way
def test_a_pod_deleted_by_force(stage: Stage, way: Way) -> None:
    """Fault: `path_closed_at_loss`."""
    take = stage.take(FORCED_DELETION)
    must_have_lost_at_most(take, way, stage.budgets.endpoint_removal_s)


def force_delete_all(scene: Scene) -> None:
    """Delete all pods at once without a grace period."""
    scene.web.delete_pods(*scene.pods, grace_period_s=0)
    scene.keep("after", *scene.web.wait_until_serving(other_than=scene.pods))
    scene.mark("replaced")


FORCED_DELETION_OF_ALL = Scenario("forced deletion of all", force_delete_all)


@requirement(
    "lifecycle.pods_replaced_all_at_once",
    promise="You can safely configure applications to interact with pods by using Services.",
    source="seed: Kubernetes services, paragraphs 2 and 7",
    level=MUST,
)
@judges(FORCED_DELETION_OF_ALL)
@for_each_request_way
def test_all_pods_deleted_by_force(stage: Stage, way: Way) -> None:
    """Fault: `path_closed_at_loss`."""
    take = stage.take(FORCED_DELETION_OF_ALL)
    without_pods_s = take.marks["replaced"] - take.began_at
    must_have_lost_at_most(take, way, without_pods_s + stage.return_s(way.service_type))
