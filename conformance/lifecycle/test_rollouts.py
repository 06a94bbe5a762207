"""New versions are deployed; nobody notices, or not for longer than it must take."""

import pytest

from conformance.lifecycle.judging import for_each_request_way, judges, must_have_lost_at_most
from fixtures.requirements import MUST, requirement
from fixtures.scenarios.scenario import Scenario, Script, graceful, stateful
from fixtures.scenarios.scene import Scene
from fixtures.scenarios.stage import Stage
from fixtures.scenarios.ways import Way
from fixtures.workloads.web import Strategy

pytestmark = pytest.mark.long


def rolling_out(strategy: Strategy) -> Script:
    """Replace all pods by those of another version, and wait until the old ones have ended."""

    def roll_out(scene: Scene) -> None:
        scene.web.roll_out(f"after-{scene.web.version}", strategy)
        scene.keep("after", *scene.web.wait_until_serving(other_than=scene.pods))
        scene.mark("replaced")
        scene.web.wait_until_gone(*scene.pods)

    return roll_out


RECREATION = Scenario("recreation", rolling_out("recreate"))
NO_SURGE = Scenario("rolling update without surge", rolling_out("no surge"), graceful, takes_s=50)


SURGE = Scenario("rolling update with surge", rolling_out("surge"), graceful, takes_s=40)


@requirement(
    "lifecycle.pods_replaced_by_a_new_version",
    promise="Pods are replaced whenever new versions are deployed; Services are not affected by container updates.",
    source="seed: Kubernetes services, paragraphs 1 and 5",
    level=MUST,
)
@judges(SURGE)
@for_each_request_way
def test_a_rolling_update_with_surge(stage: Stage, way: Way) -> None:
    """Fault: `path_flaps`."""
    take = stage.take(SURGE)
    must_have_lost_at_most(take, way, stage.budgets.graceful_outage_s)


@requirement(
    "lifecycle.a_rollout_without_surge_loses_nothing",
    promise="A rolling update that takes a pod away before it adds one loses nothing when pods end gracefully.",
    source="kubernetes.io: Deployments, Rolling Update Deployment, Max Unavailable",
    level=MUST,
)
@judges(NO_SURGE)
@for_each_request_way
def test_a_rolling_update_without_surge(stage: Stage, way: Way) -> None:
    """Fault: `path_flaps`."""
    take = stage.take(NO_SURGE)
    must_have_lost_at_most(take, way, stage.budgets.graceful_outage_s)


@requirement(
    "lifecycle.a_recreated_deployment_is_found_again",
    promise="A Deployment that ends all pods before it makes new ones is down for that long and no longer.",
    source="kubernetes.io: Deployments, Recreate Deployment",
    level=MUST,
)
@judges(RECREATION)
@for_each_request_way
def test_a_recreated_deployment(stage: Stage, way: Way) -> None:
    """Fault: `path_closed_at_loss`."""
    take = stage.take(RECREATION)
    without_pods_s = take.marks["replaced"] - take.began_at
    must_have_lost_at_most(take, way, without_pods_s + stage.return_s(way.service_type))


def replace_one_of_a_set(scene: Scene) -> None:
    """Delete a pod of a StatefulSet; the new one has its name and another address."""
    gone = scene.pods[0]
    scene.web.delete_pods(gone)
    scene.keep("after", *scene.web.wait_until_serving(other_than=(gone,)))


STATEFUL_REPLACEMENT = Scenario("stateful replacement", replace_one_of_a_set, stateful)


@requirement(
    "lifecycle.a_stateful_pod_is_found_at_its_new_address",
    promise="A pod of a StatefulSet keeps its name when it is replaced, and its Service finds it at its new address.",
    source="kubernetes.io: StatefulSets, Stable Network ID",
    level=MUST,
)
@judges(STATEFUL_REPLACEMENT)
@for_each_request_way
def test_a_pod_of_a_stateful_set_is_replaced(stage: Stage, way: Way) -> None:
    """Fault: `path_closed_at_loss`."""
    take = stage.take(STATEFUL_REPLACEMENT)
    assert take.names_of("after") == take.names_of("before")
    must_have_lost_at_most(take, way, stage.budgets.endpoint_removal_s)
