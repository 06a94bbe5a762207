"""externalTrafficPolicy Local while its pods come and go: the load balancer follows, and the pods wait for it."""

from __future__ import annotations

import pytest

from conformance.lifecycle.judging import judges, must_have_lost_at_most
from conformance.lifecycle.test_nodes import DRAIN
from fixtures.budgets import Budgets
from fixtures.checks.holding import must_hold
from fixtures.checks.outage import outage
from fixtures.probes import Probe
from fixtures.requirements import MUST, requirement
from fixtures.scenarios.scenario import Scenario
from fixtures.scenarios.scene import Scene
from fixtures.scenarios.stage import Stage
from fixtures.scenarios.ways import REQUESTS, Way
from fixtures.workloads.web import Shape

pytestmark = pytest.mark.long
WAYS = tuple(way for way in REQUESTS if way.service_type == "LoadBalancer")
NEW = Way("LoadBalancer", "new")
NOTICED_S = 12.0
"""Without pods for so long, so that the load balancer's probes have failed twice on every node."""


def replace_all_and_leave_a_node(scene: Scene) -> None:
    """Replace all pods by a new version, then one pod fewer: a node is left without. The old ones drain meanwhile."""
    scene.web.roll_out(f"after-{scene.web.version}", "surge")
    replaced = scene.web.wait_until_serving(other_than=scene.pods)
    scene.keep("new version", *replaced)
    scene.wait_until_left(*scene.pods)
    scene.mark("left")
    scene.web.scale(len(replaced) - 1)
    remaining = scene.web.wait_until_serving()
    scene.keep("after", *remaining)
    scene.web.wait_until_gone(*scene.pods, *(pod for pod in replaced if pod not in remaining))
    scene.web.scale(len(replaced))
    scene.keep("after", *scene.web.wait_until_serving())


def draining(budgets: Budgets) -> Shape:
    """Pods that serve on for longer than the load balancer takes to find a node without ready pods."""
    return Shape(drain_s=budgets.load_balancer_health_s)


LOCAL_ROLLOUT = Scenario("local rollout", replace_all_and_leave_a_node, draining, takes_s=60, policy="Local")


@requirement(
    "load_balancer.local_policy_loses_nothing_when_pods_drain",
    promise="With the policy Local a rollout, and a node that is left, lose nothing when pods drain for long enough.",
    source="KEP-1669; Kubernetes issue 85643; AKS pull request 4905: preStop longer than interval x threshold",
    level=MUST,
    features=("load_balancer", "outside"),
)
@judges(LOCAL_ROLLOUT)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_pods_that_drain_for_long_enough(stage: Stage, way: Way) -> None:
    """Fault: `path_flaps`."""
    must_have_lost_at_most(stage.take(LOCAL_ROLLOUT), way, stage.budgets.graceful_outage_s)


@requirement(
    "load_balancer.local_policy_loses_nothing_when_a_node_is_drained",
    promise="With the policy Local a node may be drained under load: when its pods drain for long enough no request is "
    "lost.",
    source="KEP-1669; Kubernetes issues 73188 and 85643; kubernetes.io: Safely Drain a Node",
    level=MUST,
    features=("load_balancer", "outside", "node_drain"),
)
@judges(DRAIN)
@pytest.mark.disruptive
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_node_is_drained(stage: Stage, way: Way) -> None:
    """Fault: `path_flaps`."""
    must_have_lost_at_most(stage.take(DRAIN), way, stage.budgets.graceful_outage_s)


def to_none_and_back(scene: Scene) -> None:
    """No pods until the load balancer has noticed, then pods again."""

    def silent(probe: Probe) -> bool:
        return not probe.ok

    scene.web.scale(0)
    scene.web.wait_until_gone(*scene.pods)
    scene.wait_until_quiet(scene.budgets.endpoint_removal_s + NOTICED_S, quiet_s=NOTICED_S, well=silent)
    scene.web.scale(len(scene.pods))
    scene.keep("after", *scene.web.wait_until_serving())
    scene.mark("ready")


LOCAL_TO_NONE = Scenario("local to none and back", to_none_and_back, takes_s=45, policy="Local")


@requirement(
    "load_balancer.local_policy_recovers_from_no_pods",
    promise="With the policy Local a Service whose pods were all gone answers again soon after some are ready.",
    source="Kubernetes issue 75262; Azure Load Balancer health probes: interval and threshold",
    level=MUST,
    features=("load_balancer", "outside"),
)
@judges(LOCAL_TO_NONE)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_it_recovers_from_no_pods(stage: Stage, way: Way) -> None:
    """Fault: `path_closed_at_loss`."""
    take = stage.take(LOCAL_TO_NONE)
    batches, ready = take.of(way), take.marks["ready"]
    recovered = outage(batches, allowed_s=stage.return_s("LoadBalancer"), since=ready, phase="the recovery")
    must_have_lost_at_most(take, way, ready - take.began_at + stage.return_s("LoadBalancer"))
    must_hold(take.history, recovered)
