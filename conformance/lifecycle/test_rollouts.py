"""New versions are deployed; nobody notices, or not for longer than it must take."""

import pytest

from conformance.lifecycle.judging import for_each_request_way, must_have_lost_at_most
from fixtures.requirements import MUST, requirement
from fixtures.scenarios.stage import Scene, Script, Stage
from fixtures.scenarios.ways import Way
from fixtures.workloads.web import Shape, Strategy

pytestmark = pytest.mark.long
STATEFUL = Shape(kind="StatefulSet", drain_s=0)


def rolling_out(strategy: Strategy) -> Script:
    """Replace all pods by those of another version, and wait until the old ones have ended."""

    def roll_out(scene: Scene) -> None:
        scene.web.roll_out(f"after-{scene.web.version}", strategy)
        scene.keep("after", *scene.web.wait_until_serving(other_than=scene.pods))
        scene.mark("replaced")
        scene.web.wait_until_gone(*scene.pods)

    return roll_out


@requirement(
    "lifecycle.pods_replaced_by_a_new_version",
    promise="Pods are replaced whenever new versions are deployed; Services are not affected by container updates.",
    source="seed: Kubernetes services, paragraphs 1 and 5",
    level=MUST,
)
@pytest.mark.scenario("rolling update with surge")
@for_each_request_way
def test_a_rolling_update_with_surge(stage: Stage, way: Way) -> None:
    """Fault: `path_flaps`."""
    take = stage.play("rolling update with surge", stage.graceful, rolling_out("surge"))
    must_have_lost_at_most(take, way, stage.budgets.graceful_outage_s)


@requirement(
    "lifecycle.a_rollout_without_surge_loses_nothing",
    promise="A rolling update that takes a pod away before it adds one loses nothing when pods end gracefully.",
    source="kubernetes.io: Deployments, Rolling Update Deployment, Max Unavailable",
    level=MUST,
)
@pytest.mark.scenario("rolling update without surge")
@for_each_request_way
def test_a_rolling_update_without_surge(stage: Stage, way: Way) -> None:
    """Fault: `path_flaps`."""
    take = stage.play("rolling update without surge", stage.graceful, rolling_out("no surge"))
    must_have_lost_at_most(take, way, stage.budgets.graceful_outage_s)


@requirement(
    "lifecycle.a_recreated_deployment_is_found_again",
    promise="A Deployment that ends all pods before it makes new ones is down for that long and no longer.",
    source="kubernetes.io: Deployments, Recreate Deployment",
    level=MUST,
)
@pytest.mark.scenario("recreation")
@for_each_request_way
def test_a_recreated_deployment(stage: Stage, way: Way) -> None:
    """Fault: `path_closed_at_loss`."""
    take = stage.play("recreation", stage.abrupt, rolling_out("recreate"))
    without_pods_s = take.marks["replaced"] - take.began_at
    must_have_lost_at_most(take, way, without_pods_s + stage.budgets.endpoint_addition_s)


def replace_one_of_a_set(scene: Scene) -> None:
    """Delete a pod of a StatefulSet; the new one has its name and another address."""
    gone = scene.pods[0]
    scene.web.delete_pods(gone)
    scene.keep("after", *scene.web.wait_until_serving(other_than=(gone,)))


@requirement(
    "lifecycle.a_stateful_pod_is_found_at_its_new_address",
    promise="A pod of a StatefulSet keeps its name when it is replaced, and its Service finds it at its new address.",
    source="kubernetes.io: StatefulSets, Stable Network ID",
    level=MUST,
)
@pytest.mark.scenario("stateful replacement")
@for_each_request_way
def test_a_pod_of_a_stateful_set_is_replaced(stage: Stage, way: Way) -> None:
    """Fault: `path_closed_at_loss`."""
    take = stage.play("stateful replacement", STATEFUL, replace_one_of_a_set)
    assert take.names_of("after") == take.names_of("before")
    must_have_lost_at_most(take, way, stage.budgets.endpoint_removal_s)
