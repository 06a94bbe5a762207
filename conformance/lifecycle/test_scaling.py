"""The number of pods changes, down to none and up again."""

import pytest

from conformance.lifecycle.judging import (
    for_each_held_way,
    for_each_request_way,
    judges,
    kept,
    must_have_lost_at_most,
)
from fixtures.checks.holding import must_hold
from fixtures.checks.outage import outage
from fixtures.checks.refusal import refused
from fixtures.checks.sessions import sessions_unbroken
from fixtures.history import History
from fixtures.prober.probing import Probing
from fixtures.probes import Probe
from fixtures.requirements import MUST, requirement
from fixtures.scenarios.scenario import Scenario, abrupt, graceful
from fixtures.scenarios.scene import QUIET_S, Scene
from fixtures.scenarios.stage import Stage
from fixtures.scenarios.ways import REQUESTS, Way
from fixtures.workloads.services import Services

pytestmark = pytest.mark.long
NEW = tuple(way for way in REQUESTS if way.use == "new" and way.service_type != "LoadBalancer")
"""A load balancer without a healthy node may drop what comes in place of refusing it, as Azure's does."""
REFUSED_WITHIN_S, TIMEOUT_MS, REFUSED_PER_S = 2.0, 3000, 0.8
"""As in the chapter endpoints: Linux may heed an ICMP error only when it has sent the SYN again, and sends a client no
more than one a second; of each target, which are on a node each or asked from a node each."""


def scale_to_one_and_back(scene: Scene) -> None:
    """From three pods to one, and when the two have ended, to three again."""
    scene.web.scale(1)
    (survivor,) = scene.web.wait_until_serving()
    scene.keep("survivor", survivor)
    scene.web.wait_until_gone(*(pod for pod in scene.pods if pod.uid != survivor.uid))
    scene.web.scale(3)
    scene.keep("after", *scene.web.wait_until_serving())


TO_ONE_AND_BACK = Scenario("scaling to one and back", scale_to_one_and_back, graceful, takes_s=30)


@requirement(
    "lifecycle.scaling_loses_nothing",
    promise="A Service follows pods that come and go; no request is lost when they end gracefully.",
    source="kubernetes.io: Service, Defining a Service; Pod Lifecycle, Termination of Pods",
    level=MUST,
)
@judges(TO_ONE_AND_BACK)
@for_each_request_way
def test_scaling_to_one_pod_and_back(stage: Stage, way: Way) -> None:
    """Fault: `path_flaps`."""
    take = stage.take(TO_ONE_AND_BACK)
    must_have_lost_at_most(take, way, stage.budgets.graceful_outage_s)


@requirement(
    "lifecycle.connections_survive_changes_elsewhere",
    promise="An established connection to a pod that stays is not touched when other endpoints come and go.",
    source="kubernetes.io: Virtual IPs and Service Proxies: only new connections are balanced",
    level=MUST,
)
@judges(TO_ONE_AND_BACK)
@for_each_held_way
def test_connections_survive_scaling(stage: Stage, way: Way) -> None:
    """Fault: `paths_closed_at_loss`."""
    take = stage.take(TO_ONE_AND_BACK)
    survivors = take.names_of("survivor")
    must_hold(take.history, sessions_unbroken(take.of(way), survivors, since=take.began_at, until=take.ended_at))


def scale_to_none_and_back(scene: Scene) -> None:
    """From three pods to none, and when nothing has answered for a while, to three again."""
    scene.web.scale(0)
    scene.web.wait_until_gone(*scene.pods)

    def silent(probe: Probe) -> bool:
        return not probe.ok

    scene.wait_until_quiet(scene.budgets.endpoint_removal_s + QUIET_S, well=silent)
    scene.web.scale(3)
    scene.keep("after", *scene.web.wait_until_serving())
    scene.mark("ready")


TO_NONE_AND_BACK = Scenario("scaling to none and back", scale_to_none_and_back, graceful, takes_s=35)


@requirement(
    "lifecycle.the_last_pods_serve_until_they_end",
    promise="When all endpoints of a Service are terminating, traffic goes on to those that still serve.",
    source="KEP-1669, Proxy terminating endpoints; kubernetes.io: Virtual IPs, Traffic to terminating endpoints",
    level=MUST,
)
@judges(TO_NONE_AND_BACK)
@for_each_request_way
def test_the_last_pods_serve_while_they_terminate(stage: Stage, way: Way) -> None:
    """Fault: `path_flaps`."""
    take = stage.take(TO_NONE_AND_BACK)
    # Judged for as long as all of the pods accept: they were told to end a moment after the scenario began.
    until = take.began_at + graceful(stage.budgets).drain_s - QUIET_S
    batches = take.of(way)
    found = outage(batches, allowed_s=stage.budgets.graceful_outage_s, since=take.began_at, until=until)
    must_hold(take.history, found, *kept(take, way))


@requirement(
    "lifecycle.with_pods_again_it_answers_again",
    promise="A Service that had no pods answers as soon as it has some again.",
    source="kubernetes.io: Service, Defining a Service: the controller continuously scans for Pods",
    level=MUST,
)
@judges(TO_NONE_AND_BACK)
@for_each_request_way
def test_with_pods_again_it_answers_again(stage: Stage, way: Way) -> None:
    """Fault: `path_closed_at_loss`."""
    take = stage.take(TO_NONE_AND_BACK)
    without_pods_s = take.marks["ready"] - take.began_at
    must_have_lost_at_most(take, way, without_pods_s + stage.return_s(way.service_type))


@requirement(
    "lifecycle.without_pods_connections_are_refused",
    promise="A Service whose pods are gone refuses connections at once.",
    source="Kubernetes, test/e2e/network/service.go: should be rejected when no endpoints exist",
    level=MUST,
    features=("node_ports_outside",),
)
# Alone: a node sends one client no more than one ICMP error a second, whatever tests it is refused for.
@pytest.mark.disruptive
def test_without_pods_connections_are_refused(stage: Stage, history: History, probing: Probing) -> None:
    """Fault: `refusals_dropped`, one node drops the refusals that it should send."""
    with stage.served(abrupt(stage.budgets), history) as (web, services):
        pods = web.wait_until_serving()
        web.scale(0)
        web.wait_until_gone(*pods)
        seen = [Services(stage.api, web.namespace, history).must_have_endpoints(s, []) for s in services.values()]
        # Each node is asked as often as it may refuse, all at the same time.
        pairs = [(vantage, [one]) for way in NEW for vantage, found in stage.pairs_of(services, way) for one in found]
        batches = probing.run_from(
            pairs, count=3, converged_at=max(seen), rate_per_s=REFUSED_PER_S, connect_timeout_ms=TIMEOUT_MS
        )
        web.scale(web.shape.replicas)
    must_hold(history, refused(batches, within_s=REFUSED_WITHIN_S))
