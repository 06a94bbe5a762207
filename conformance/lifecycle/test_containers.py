"""Containers crash and probes fail; requests go where they are answered."""

import pytest

from conformance.lifecycle.judging import for_each_request_way, judges, must_have_been_left, must_have_lost_at_most
from fixtures.requirements import MUST, requirement
from fixtures.scenarios.scenario import Scenario
from fixtures.scenarios.scene import Scene
from fixtures.scenarios.stage import Stage
from fixtures.scenarios.ways import Way

pytestmark = pytest.mark.long


def crash_one(scene: Scene) -> None:
    """End the process of one pod with exit code 1; kubelet starts it again in the same pod."""
    pod = scene.pods[0]
    scene.web.crash(pod)
    scene.web.wait_until_restarted(pod)
    scene.keep("after", *scene.web.wait_until_serving())


CRASH = Scenario("container crash", crash_one)


@requirement(
    "lifecycle.a_crashed_container_comes_back",
    promise="A container that crashes is started again by kubelet, and its pod serves again at the same address.",
    source="kubernetes.io: Pod Lifecycle, Container restart policy",
    level=MUST,
)
@judges(CRASH)
@for_each_request_way
def test_a_container_that_crashes(stage: Stage, way: Way) -> None:
    """Fault: `path_closed_at_loss`, one node resets connections to a Service that has lost an endpoint."""
    take = stage.take(CRASH)
    must_have_lost_at_most(take, way, stage.budgets.container_restart_s)


def fail_liveness_of_one(scene: Scene) -> None:
    """Let the liveness probe of one pod fail until kubelet has started the container again."""
    pod = scene.pods[0]
    scene.web.set_health(pod, alive=False)
    scene.web.wait_until_restarted(pod)
    scene.keep("after", *scene.web.wait_until_serving())


LIVENESS = Scenario("liveness", fail_liveness_of_one, takes_s=20)


@requirement(
    "lifecycle.a_failed_liveness_probe_restarts",
    promise="A container whose liveness probe fails is ended and started again; the Service lives on.",
    source="kubernetes.io: Liveness, Readiness, and Startup Probes",
    level=MUST,
)
@judges(LIVENESS)
@for_each_request_way
def test_a_container_that_is_not_alive(stage: Stage, way: Way) -> None:
    """Fault: `path_closed_at_loss`."""
    take = stage.take(LIVENESS)
    must_have_lost_at_most(take, way, stage.budgets.container_restart_s)


def fail_readiness_of_one(scene: Scene) -> None:
    """Let the readiness probe of one pod fail until no new connection reaches it; then let it succeed again."""
    pod = scene.pods[0]
    scene.web.set_health(pod, ready=False)
    scene.web.wait_until_readiness(pod, ready=False)
    scene.keep("ready", *scene.pods[1:])
    scene.wait_until_left(pod)
    scene.mark_quiet("left")
    scene.web.set_health(pod, ready=True)
    scene.keep("after", *scene.web.wait_until_serving())


READINESS = Scenario("readiness", fail_readiness_of_one)


@requirement(
    "lifecycle.an_unready_pod_gets_no_new_connection",
    promise="A pod whose readiness probe fails gets no traffic through Services, and nothing is lost by that.",
    source="kubernetes.io: Liveness, Readiness, and Startup Probes, Readiness probe",
    level=MUST,
)
@judges(READINESS)
@for_each_request_way
def test_a_pod_that_is_not_ready_for_a_while(stage: Stage, way: Way) -> None:
    """Fault: `proxy_frozen_once_ready`."""
    take = stage.take(READINESS)
    must_have_been_left(take, way, answering="ready", at="left")
    must_have_lost_at_most(take, way, stage.budgets.graceful_outage_s)
