"""What Azure holds for a Service while a node is lost: noted by who plays it, judged by test_pools."""

from __future__ import annotations

from contextlib import suppress

from fixtures.api import NODES, Object
from fixtures.azure.reading import Reading
from fixtures.checks.azure_holding import Holding
from fixtures.clusters.reading import is_ready
from fixtures.errors import BrokenPromise
from fixtures.history import Observation
from fixtures.scenarios.scene import Scene, Take
from fixtures.workloads.balanced import ENSURED
from fixtures.workloads.events import Events
from fixtures.workloads.services import Service, Services

NOTE = "k8s-service-conformance/looked-at-again"
"""An annotation that means nothing to anybody else."""
LOST = "arm, a node lost"
"""The resource that a history has it as."""


def look_again(scene: Scene) -> None:
    """Have the cloud controller deal with the load balancer while a node is lost, and note what Azure holds then.

    Nothing is noted where Azure cannot be read, and when the controller does not deal with it in time.
    """
    service = scene.services.get("LoadBalancer")
    if scene.cluster.arm is None or service is None:
        return
    services = Services(scene.api, scene.web.namespace, scene.history)
    events = Events(scene.api, scene.web.namespace, scene.history)
    times, limit_s = events.times(service.body, ENSURED) + 1, scene.budgets.load_balancer_address_s
    services.change(service, {NOTE: scene.name})
    # Whoever judges the scenario for something else is not concerned.
    with suppress(BrokenPromise):
        events.must_come(service.body, f"one more event {ENSURED}", is_ensured, times=times, within_s=limit_s)
        _note(scene, services.read(service))


def is_ensured(event: Object) -> bool:
    """Whether an event says that a load balancer is as its Service wants it."""
    return bool(event["reason"] == ENSURED)


def _note(scene: Scene, service: Service) -> None:
    from fixtures.azure.clients import Azure  # noqa: PLC0415 - half a second, and packages that not everybody has

    assert scene.cluster.arm is not None
    azure = Azure(scene.cluster.arm, scene.history)
    resources = Reading(azure, scene.api).resources()
    held = resources.holding(service.body)
    named = {row["name"] for row in held.rules}
    rules = [rule for balancer in resources.load_balancers for rule in balancer.rules if rule.name in named]
    up = {resources.nodes.get(address, address) for rule in rules for address in azure.health(rule).up}
    body = {
        "held": held.body(),
        "up": sorted(up),
        "not_ready": [n["metadata"]["name"] for n in scene.api.list_all(NODES)["items"] if not is_ready(n)],
    }
    scene.history.add(
        Observation(change="READ", resource=LOST, name=service.name, namespace=service.namespace, body=body)
    )


def noted(take: Take) -> tuple[Holding, list[str], list[str]]:
    """What was noted: what Azure held, the names of the nodes whose probes succeeded, of those that were not Ready.

    Raises:
        BrokenPromise: the cloud controller did not deal with the Service.
    """
    name = take.services["LoadBalancer"].name
    seen = take.history.observations(LOST, name)
    if not seen:
        expected = f"an event {ENSURED} of {name} while a node is lost"
        raise BrokenPromise(expected=expected, observed="no such event", vantage="the API")
    body = seen[-1].body
    rows = {field: tuple(value) for field, value in body["held"].items() if field != "service"}
    return Holding(service=body["held"]["service"], **rows), body["up"], body["not_ready"]
