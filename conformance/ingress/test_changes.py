"""An Ingress follows its pods and its Service, and ends with itself."""

from __future__ import annotations

import pytest

from conformance.ingress.entry import Asked, Entry
from fixtures.api import Api
from fixtures.clusters import ClusterInfo
from fixtures.history import History
from fixtures.prober.probing import Probing
from fixtures.requirements import SHOULD, requirement
from fixtures.workloads.ingresses import Ingresses
from fixtures.workloads.services import Services

pytestmark = pytest.mark.scenario("ingress")


@requirement(
    "ingress.follows_its_pods",
    promise="By an Ingress no request comes to a pod that is not ready, or that has left its Service.",
    source="kubernetes.io: Ingress, What is Ingress?; Pod Lifecycle, Container probes; EndpointSlices, Conditions",
    level=SHOULD,
    features=("ingress",),
)
def test_follows_its_pods(entry: Entry, services: Services, probing: Probing, history: History) -> None:
    """Fault: `ingress_controller_cut_off`, the controller does not hear of changes."""
    web, (first, second) = entry.own, entry.own_pods
    target = entry.changed.target(entry.host("changing"))
    web.history = history
    entry.must_lead(probing, history, [Asked(target, {first.name, second.name})], token=web.token)
    web.set_health(first, ready=False)
    services.must_have_endpoints(entry.services["changing"], [second])
    entry.must_follow(probing, history, [Asked(target, {second.name})], token=web.token)
    web.set_health(first, ready=True)
    web.label_pods([second], traffic=None)
    services.must_have_endpoints(entry.services["changing"], [first])
    entry.must_follow(probing, history, [Asked(target, {first.name})], token=web.token)


@requirement(
    "ingress.follows_its_service",
    promise="When the selector of a Service is changed, or a targetPort, requests by its Ingress come to the pods and "
    "the port that it has then.",
    source="kubernetes.io: Ingress, The Ingress resource; Service, Defining a Service",
    level=SHOULD,
    features=("ingress",),
)
def test_follows_its_service(entry: Entry, services: Services, probing: Probing, history: History) -> None:
    """Fault: `ingress_controller_cut_off`."""
    service, other = entry.services["moving"], entry.services["right"]
    target = entry.changed.target(entry.host("moving"))
    entry.must_lead(probing, history, [Asked(target, entry.pod(0))], token=entry.web.token)
    ports = [port | {"targetPort": 8080} for port in service.body["spec"]["ports"]]
    services.change(service, selector=other.body["spec"]["selector"], ports=ports)
    services.must_have_endpoints(service, entry.pods[1:2])
    entry.must_follow(probing, history, [Asked(target, entry.pod(1), 8080)], token=entry.web.token)


@requirement(
    "ingress.ends_when_it_is_deleted",
    promise="When an Ingress is deleted, requests for its hosts come to its pods no more.",
    source="kubernetes.io: Ingress, What is Ingress?; Ingress controllers",
    level=SHOULD,
    features=("ingress",),
)
def test_ends_when_it_is_deleted(
    *, api: Api, cluster: ClusterInfo, entry: Entry, probing: Probing, history: History
) -> None:
    """Fault: `ingress_controller_cut_off`."""
    target, control = entry.going.target(entry.host("going")), entry.routed.target(entry.host("number"))
    entry.must_lead(probing, history, [Asked(target, entry.all_pods)], token=entry.web.token)
    Ingresses(api, entry.web.namespace, str(cluster.ingress_class), history).delete(entry.going)
    asked = [Asked(target, set()), Asked(control, entry.all_pods)]
    entry.must_follow(probing, history, asked, token=entry.web.token)
