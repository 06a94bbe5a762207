"""What the chapter's tests stand on: Services in front of shared and own pods, Ingresses in front of them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from conformance.ingress.entry import Asked, Entry
from fixtures.api import Api
from fixtures.budgets import Budgets
from fixtures.clusters import ClusterInfo
from fixtures.history import History
from fixtures.prober.probing import Probing
from fixtures.prober.vantages import PodVantage
from fixtures.workloads.ingresses import Ingresses, Route, host_of
from fixtures.workloads.needed import Needed
from fixtures.workloads.services import Service, Services
from fixtures.workloads.web import Pod, Shape, Web

SIDE = "ingress-side"
"""A label of the shared pods while these tests last: a number each."""
TWO_PORTS = (
    {"name": "web", "port": 80, "targetPort": 80, "protocol": "TCP"},
    {"name": "alt", "port": 8000, "targetPort": 8080, "protocol": "TCP"},
)


@pytest.fixture(scope="session")
def ingress_web(api: Api, cluster: ClusterInfo, shared_namespace: str, needed: Needed) -> Web:
    """Two pods that tests of this chapter may change."""
    made = Web(api, cluster, shared_namespace, shape=Shape(replicas=2))
    needed.until_last("ingress_web", made.delete)
    return made


@pytest.fixture(scope="session")
def ingress_services(
    api: Api, web: Web, ingress_web: Web, web_pods: tuple[Pod, ...], shared_namespace: str
) -> Iterator[dict[str, Service]]:
    """The Services of `Entry`, whose pods are ready."""
    services = Services(api, shared_namespace, History())
    for number, pod in enumerate(web_pods):
        web.label_pods([pod], **{SIDE: str(number)})
    left, right = (web.labels | {SIDE: number} for number in ("0", "1"))
    selectors = {
        "left": left,
        "right": right,
        "all": web.labels,
        "moving": left,
        "changing": ingress_web.traffic_labels,
    }
    made = {
        name: services.create("cluster-ip", selector=selector, ports=list(TWO_PORTS))
        for name, selector in selectors.items()
    }
    pods = {"left": web_pods[:1], "right": web_pods[1:2], "all": web_pods, "moving": web_pods[:1]}
    for name, found in (pods | {"changing": ingress_web.wait_until_serving()}).items():
        services.must_have_endpoints(made[name], found)
    yield made
    web.label_pods(web_pods, **{SIDE: None})


@pytest.fixture(scope="session")
def entry(
    *,
    api: Api,
    cluster: ClusterInfo,
    budgets: Budgets,
    web: Web,
    ingress_web: Web,
    web_pods: tuple[Pod, ...],
    ingress_services: dict[str, Service],
    pod_vantages: tuple[PodVantage, ...],
) -> Iterator[Entry]:
    """Ingresses, made together; when they have addresses, and lead on, if they ever do."""
    assert cluster.ingress_class
    tag, services = secrets.token_hex(3), ingress_services
    ingresses = Ingresses(api, web.namespace, cluster.ingress_class, History())
    routed = ingresses.create("routed", routes(services, tag))
    going = ingresses.create("going", [Route(host_of("going", tag), services["all"])])
    ingresses.wait_for_addresses([routed, going], budgets.ingress_address_s)
    # The last one, by itself: what hides changes from a controller begins with it (fixtures/faults/ingress.py).
    names = ("changing", "moving")
    changed = ingresses.create("changing", [Route(host_of(name, tag), services[name]) for name in names])
    made = (routed, going, changed)
    if routed.address and going.address:
        ingresses.wait_for_addresses([changed], budgets.ingress_address_s)
    found = Entry(
        web=web,
        pods=web_pods,
        own=ingress_web,
        own_pods=ingress_web.wait_until_serving(),
        services=services,
        routed=routed,
        going=going,
        changed=changed,
        vantage=pod_vantages[0],
        within_s=budgets.ingress_change_s,
        tag=tag,
    )
    if all(ingress.address for ingress in made):
        found.come_about(Probing(History()), known_by(found))
    yield found
    for ingress in made:
        ingresses.delete(ingress)


def routes(services: dict[str, Service], tag: str) -> list[Route]:
    """What the tests of hosts and paths read: ways to the Service `left`, of one pod, and `right`, of another."""
    left, right = services["left"], services["right"]
    paths = host_of("paths", tag)
    return [
        Route(host_of("number", tag), services["all"], port=80),
        Route(host_of("name", tag), services["all"], port="alt"),
        Route(host_of("left", tag), left),
        Route(host_of("right", tag), right),
        Route(f"*.{host_of('wild', tag)}", left),
        Route(paths, left, "/exact", "Exact"),
        Route(paths, right, "/prefix"),
        Route(paths, left, "/prefix/longer"),
        Route(paths, left, "/both", "Exact"),
        Route(paths, right, "/both"),
        Route(paths, right, "/slash/"),
    ]


def known_by(entry: Entry) -> list[Asked]:
    """By what is seen that a controller knows all of the Ingresses."""
    left, right, both = entry.pod(0), entry.pod(1), entry.all_pods
    own = {pod.name for pod in entry.own_pods}
    routed, changed = entry.routed, entry.changed
    return [
        Asked(routed.target(entry.host("number")), both),
        Asked(routed.target(entry.host("name")), both),
        Asked(routed.target(entry.host("left")), left),
        Asked(routed.target(entry.host("right")), right),
        Asked(routed.target(entry.host("paths"), "/exact"), left),
        Asked(routed.target(entry.host("paths"), "/slash/"), right),
        Asked(entry.going.target(entry.host("going")), both),
        Asked(changed.target(entry.host("changing")), own),
        Asked(changed.target(entry.host("moving")), left),
    ]
