"""Labels and selectors decide who is behind a Service, and they may change."""

import pytest

from conformance.lifecycle.judging import for_each_request_way, judges, must_have_been_left, must_have_lost_at_most
from fixtures.requirements import MUST, requirement
from fixtures.scenarios.scenario import Scenario
from fixtures.scenarios.scene import Scene
from fixtures.scenarios.stage import Stage
from fixtures.scenarios.ways import Way

pytestmark = pytest.mark.long


def take_one_out(scene: Scene) -> None:
    """Remove the label that the Services select by from one pod, wait until it is left, and give the label back."""
    pod = scene.pods[0]
    scene.web.label_pods([pod], traffic=None)
    scene.keep("others", *scene.pods[1:])
    scene.wait_until_left(pod)
    scene.mark_quiet("left")
    scene.keep("still there", *scene.web.wait_until_serving())
    scene.web.label_pods([pod], traffic="on")
    scene.keep("after", *scene.pods)


LABEL_REMOVED = Scenario("label removed", take_one_out)


@requirement(
    "lifecycle.a_pod_without_the_label_is_left",
    promise="A pod that loses the label leaves the Service and runs on; with the label it comes back.",
    source="kubernetes.io: Labels and Selectors; Service, Defining a Service",
    level=MUST,
)
@judges(LABEL_REMOVED)
@for_each_request_way
def test_a_pod_loses_its_label_for_a_while(stage: Stage, way: Way) -> None:
    """Fault: `proxy_frozen_once_ready`."""
    take = stage.take(LABEL_REMOVED)
    assert take.pods["still there"] == take.pods["before"]
    must_have_been_left(take, way, answering="others", at="left")
    must_have_lost_at_most(take, way, stage.budgets.graceful_outage_s)


def switch_to_green(scene: Scene) -> None:
    """Let the Services select one pod (green) instead of all (blue) until the others are left, and switch back."""
    green, *blue = scene.pods
    scene.web.label_pods([green], colour="green")
    scene.keep("green", green)
    scene.select(colour="green")
    scene.wait_until_left(*blue)
    scene.mark_quiet("switched")
    scene.select(colour=None)
    scene.web.label_pods([green], colour=None)
    scene.keep("after", *scene.pods)


SELECTOR_SWITCH = Scenario("selector switch", switch_to_green)


@requirement(
    "lifecycle.after_a_switch_of_the_selector_the_old_pods_are_left",
    promise="When a Service's selector is changed, new connections go to the newly selected pods alone; none is lost.",
    source="kubernetes.io: Labels and Selectors, Service and ReplicationController; Service, Defining a Service",
    level=MUST,
)
@judges(SELECTOR_SWITCH)
@for_each_request_way
def test_a_selector_is_switched(stage: Stage, way: Way) -> None:
    """Fault: `proxy_frozen_once_ready`."""
    take = stage.take(SELECTOR_SWITCH)
    must_have_been_left(take, way, answering="green", at="switched")
    must_have_lost_at_most(take, way, stage.budgets.graceful_outage_s)
