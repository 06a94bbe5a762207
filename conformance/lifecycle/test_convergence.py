"""How long changes in the API take to reach the data path."""

import time
from collections.abc import Sequence

import pytest

from conformance.lifecycle.judging import judges
from fixtures.checks.convergence import (
    Sample,
    convergence,
    time_to_answer,
    time_to_first_answer_of,
    time_to_last_answer_of,
)
from fixtures.checks.holding import must_hold
from fixtures.history import History
from fixtures.prober.probing import Probing
from fixtures.requirements import MUST, requirement
from fixtures.scenarios.scenario import Scenario, two
from fixtures.scenarios.scene import Scene, Take
from fixtures.scenarios.stage import REQUEST_RATE_PER_S, Stage
from fixtures.scenarios.ways import EVERY_TYPE, REQUESTS, ServiceType, Way, create_services, types_of
from fixtures.workloads.services import Services
from fixtures.workloads.web import Web

pytestmark = pytest.mark.long
REPEATS = 5
NEW = tuple(way for way in REQUESTS if way.use == "new")


def come_and_go(scene: Scene) -> None:
    """Take one of two pods out of the Services and put it in again, several times."""
    pod = scene.pods[0]
    scene.keep("moving", pod)
    for turn in range(REPEATS):
        scene.mark(f"out {turn}")
        scene.web.label_pods([pod], traffic=None)
        scene.wait_until_left(pod)
        scene.mark_quiet(f"in {turn}")
        scene.web.label_pods([pod], traffic="on")
        scene.wait_until_joined(pod)
        scene.mark(f"next {turn}")


CONVERGENCE = Scenario("convergence", come_and_go, two, takes_s=45)


def samples(take: Take, service_type: ServiceType, *, removal: bool) -> list[Sample]:
    """How long each removal, or addition, took to reach each vantage."""
    measure = time_to_last_answer_of if removal else time_to_first_answer_of
    (pod,) = take.pods["moving"]
    found: list[Sample] = []
    for turn in range(REPEATS):
        since, until = (take.marks[f"{name} {turn}"] for name in (("out", "in") if removal else ("in", "next")))
        # A second of grace for the probe that shows the addition, which may be on its way when its answer is seen.
        batches = [b.between(since, until + (0.0 if removal else 1.0)) for b in take.of(Way(service_type, "new"))]
        found += measure(batches, pod.name, share=0.5, since=since)
    return found


@requirement(
    "lifecycle.a_new_endpoint_is_used_soon",
    promise="A pod that becomes an endpoint of a Service gets its share of new connections within seconds, everywhere.",
    source="kubernetes.io: Service, Defining a Service: the controller continuously scans for Pods",
    level=MUST,
)
@judges(CONVERGENCE)
@pytest.mark.parametrize("service_type", EVERY_TYPE)
def test_a_new_endpoint_is_used_soon(stage: Stage, service_type: ServiceType) -> None:
    """Fault: `proxy_frozen_once_left`, kube-proxy of one node stops once an endpoint is gone, and misses its return."""
    take = stage.take(CONVERGENCE)
    found = samples(take, service_type, removal=False)
    must_hold(
        take.history, convergence(found, budget_s=stage.budgets.endpoint_addition_s, what="a new endpoint is used")
    )


@requirement(
    "lifecycle.a_removed_endpoint_is_left_soon",
    promise="A pod that ceases to be an endpoint of a Service gets no new connection after seconds, from anywhere.",
    source="kubernetes.io: Service, Defining a Service: the controller continuously scans for Pods",
    level=MUST,
)
@judges(CONVERGENCE)
@pytest.mark.parametrize("service_type", EVERY_TYPE)
def test_a_removed_endpoint_is_left_soon(stage: Stage, service_type: ServiceType) -> None:
    """Fault: `proxy_frozen_once_ready`."""
    take = stage.take(CONVERGENCE)
    found = samples(take, service_type, removal=True)
    must_hold(
        take.history, convergence(found, budget_s=stage.budgets.endpoint_removal_s, what="a removed endpoint is left")
    )


def answering(stage: Stage, web: Web, ways: Sequence[Way], history: History, probing: Probing) -> list[Sample]:
    """How long Services in front of ready pods take to answer after they were created, several times."""
    found: list[Sample] = []
    balanced = any(way.service_type == "LoadBalancer" for way in ways)
    longest_s = stage.ready_within_s if balanced else stage.budgets.service_creation_s
    for _ in range(REPEATS):
        created = create_services(stage.api, stage.cluster, web, history, balanced=balanced)
        since = time.time()
        pairs = [pair for way in ways for pair in stage.pairs_of(created, way)]
        rates = [REQUEST_RATE_PER_S * len(targets) for _, targets in pairs]
        with probing.during(pairs, rate_per_s=rates, longest_s=60) as under_way:
            under_way.wait_until_quiet(since=since, quiet_s=1.0, timeout_s=longest_s + 1)
        found += time_to_answer(under_way.batches, since=since)
        for service in created.values():
            Services(stage.api, web.namespace, history).delete(service)
    return found


@requirement(
    "lifecycle.a_new_service_answers_soon",
    promise="A Service in front of ready pods answers within seconds of its creation, everywhere.",
    source="kubernetes.io: Service, Defining a Service",
    level=MUST,
    features=("node_ports_outside",),
)
def test_a_new_service_answers_soon(stage: Stage, history: History, probing: Probing) -> None:
    """Fault: `proxy_stopped`, kube-proxy of one node does not run."""
    budget_s, longest_s = stage.budgets.service_creation_s, stage.ready_within_s
    ways = [way for way in NEW if way.service_type in types_of(stage.cluster)]
    with stage.webs.one(two(stage.budgets)) as web:
        web.wait_until_serving()
        found = answering(stage, web, ways, history, probing)
    balanced = [sample for sample in found if sample.target.startswith("LoadBalancer")]
    findings = [convergence([s for s in found if s not in balanced], budget_s=budget_s, what="a new Service answers")]
    if balanced:
        findings += [convergence(balanced, budget_s=longest_s, what="a load balancer with an address answers")]
    must_hold(history, *findings)
