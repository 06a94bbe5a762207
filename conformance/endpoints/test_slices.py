"""What EndpointSlices say of a Service's pods, and what follows from that."""

from __future__ import annotations

import pytest

from conformance.directory import APP_PROTOCOL, MANUAL_PORTS, Asked
from conformance.judge import Answers, Judge, settle
from conformance.shared_web import SharedWeb
from fixtures.api import NODES, Api, Object
from fixtures.checks.endpoints import Endpoint, endpoints, of_family, ports
from fixtures.checks.holding import must_hold
from fixtures.checks.reachability import reachability
from fixtures.checks.values import equal
from fixtures.clusters import ClusterInfo, IPFamily
from fixtures.prober.plan import Protocol
from fixtures.requirements import MUST, requirement
from fixtures.workloads.services import PROXY_NAME_LABEL, Service, Services, family_of
from fixtures.workloads.slices import Slices, subset
from fixtures.workloads.web import Pod

pytestmark = pytest.mark.scenario("names")

ZONE_LABEL = "topology.kubernetes.io/zone"
MIRROR_PORT = {"name": "one", "port": 80, "protocol": "TCP"}


def expected(api: Api, pods: tuple[Pod, ...], family: IPFamily, *, ready: set[Pod], published: bool) -> list[Endpoint]:
    """What the slices of one family must say of pods; `published`: those that are not ready count as ready too."""
    nodes = {node["metadata"]["name"]: node["metadata"]["labels"] for node in api.list_all(NODES)["items"]}
    return sorted(
        Endpoint(
            addresses=tuple(ip for ip in pod.ips if family_of(ip) is family),
            node=pod.node,
            zone=nodes[pod.node].get(ZONE_LABEL, ""),
            target=f"Pod/{pod.name}",
            ready=published or pod in ready,
            serving=pod in ready,
            terminating=False,
        )
        for pod in pods
    )


def led_to(slices: list[Object]) -> list[tuple[str, int, str]]:
    """Where the ports of slices lead: the name and the number of each with each of its addresses, sorted."""
    return sorted(
        (name, number, ip)
        for one in slices
        for name, _, number, _ in ports([one])
        for endpoint in endpoints([one])
        for ip in endpoint.addresses
    )


@requirement(
    "endpoints.slices_say_where_a_pod_is",
    promise="An endpoint in an EndpointSlice says pod, node and zone, and whether it is ready, serving, terminating.",
    source="kubernetes.io: EndpointSlices, Conditions and Topology information; KEP-752; KEP-1672",
    level=MUST,
)
@pytest.mark.parametrize("name", ["described", "mixed", "all"], ids=["ready", "unready", "published"])
def test_slices_say_where_a_pod_is(asked: Asked, api: Api, family: IPFamily, name: str) -> None:
    """Fault: `slices_damaged`."""
    directory = asked.directory
    pods = directory.pods if name == "described" else directory.mixed
    ready = set(directory.pods) | {directory.mixed[0]}
    wanted = expected(api, pods, family, ready=ready, published=name == "all")
    asked.slices.must_become(
        directory.made[name].name,
        f"{family} slices that say {wanted}",
        lambda slices: endpoints(of_family(slices, family)) == wanted,
    )


@requirement(
    "endpoints.slices_list_the_ports",
    promise="An EndpointSlice lists the Service's ports by name, with protocol, appProtocol and the pods' port number.",
    source="kubernetes.io: EndpointSlices; Service, Application protocol; test/e2e/network/endpointslice.go",
    level=MUST,
)
def test_slices_list_the_ports(asked: Asked, family: IPFamily) -> None:
    """Fault: `slices_damaged`."""
    described = asked.directory.made["described"]
    wanted = [("by-name", "TCP", 80, ""), ("number", "TCP", 8080, APP_PROTOCOL), ("udp", "UDP", 80, "")]
    asked.slices.must_become(
        described.name,
        f"{family} slices with the ports {wanted}",
        lambda slices: ports(of_family(slices, family)) == wanted,
    )


@requirement(
    "endpoints.slices_list_ports_of_sctp",
    promise="A Service may have ports of SCTP, beside TCP of the same number: it gets its addresses, and its "
    "EndpointSlices list pods and ports.",
    source="KEP-614, SCTP support; kubernetes.io: Service, Multi-port Services; test/e2e/network/service.go: should "
    "allow creating a basic SCTP service with pod and endpoints",
    level=MUST,
)
def test_slices_list_ports_of_sctp(slices: Slices, shared_web: SharedWeb) -> None:
    """Fault: `slices_damaged`, by which they say UDP in place of SCTP."""
    ports_asked_for = [
        {"name": "messages", "port": 81, "targetPort": 8080, "protocol": "SCTP"},
        {"name": "stream", "port": 81, "targetPort": 80, "protocol": "TCP"},
    ]
    # Left to nobody's proxy: rules about SCTP, where the kernel has no match for it, may be refused with all others.
    left = {PROXY_NAME_LABEL: "conformance.example"}
    selector = shared_web.web.labels
    service = shared_web.services.create("cluster-ip", {}, left, selector=selector, ports=ports_asked_for)
    shared_web.must_be_behind(service)
    seen = slices.must_become(service.name, "slices", bool)
    wanted = [("messages", "SCTP", 8080, ""), ("stream", "TCP", 80, "")]
    must_hold(
        shared_web.history,
        equal("families of its addresses", sorted(service.families), sorted(service.cluster_ips)),
        *(equal(f"ports in {family} slices", wanted, ports(of_family(seen, family))) for family in service.families),
    )
    shared_web.services.delete(service)


@requirement(
    "endpoints.unready_pods_get_nothing",
    promise="Connections to a Service go to ready pods alone, unless publishNotReadyAddresses wants all of them.",
    source="kubernetes.io: EndpointSlices, Conditions; Service v1, publishNotReadyAddresses",
    level=MUST,
)
@pytest.mark.parametrize("name", ["mixed", "all"], ids=["ready alone", "published"])
@pytest.mark.parametrize("protocol", ["http", "udp"])
def test_unready_pods_get_nothing(asked: Asked, family: IPFamily, name: str, protocol: Protocol) -> None:
    """Fault: `slices_damaged`."""
    pods = {pod.name for pod in (asked.directory.mixed[:1] if name == "mixed" else asked.directory.mixed)}
    batches = asked.connect([asked.directory.made[name].by_address(protocol, 80, family)], len(pods))
    must_hold(asked.history, reachability(batches, pods=pods, token=asked.directory.mixed_token))


@requirement(
    "endpoints.slices_by_hand_are_used",
    promise="A Service without a selector leads to its EndpointSlices' endpoints; ports are matched by name.",
    source="kubernetes.io: Service, Services without selectors; test/e2e/network/endpointslice.go: multiple ports",
    level=MUST,
)
@pytest.mark.parametrize("port", MANUAL_PORTS)
def test_slices_by_hand_are_used(asked: Asked, family: IPFamily, port: int) -> None:
    """Fault: `slices_damaged`."""
    target = asked.directory.made["manual"].by_address("http", port, family)
    pods = {pod.name for pod in asked.directory.pods}
    batches = asked.connect([target], len(pods))
    right = reachability(batches, pods=pods, token=asked.directory.token, pod_port=MANUAL_PORTS[port])
    must_hold(asked.history, right)


@requirement(
    "endpoints.all_slices_are_used",
    promise="A Service's endpoints may be in several slices of 100: the ready ones of all of them get connections.",
    source="kubernetes.io: EndpointSlices; KEP-752: more than 100 endpoints",
    level=MUST,
)
def test_all_slices_are_used(asked: Asked, family: IPFamily) -> None:
    """Fault: `slices_damaged`.

    Of 300 endpoints 297 are not ready, and at addresses where nobody is; each slice has one that is ready.
    """
    hundreds = asked.directory.made["hundreds"]
    held = endpoints(of_family(asked.slices.must_become(hundreds.name, "slices", bool), family))
    pods = {pod.name for pod in asked.directory.pods}
    batches = asked.connect([hundreds.by_address("http", 80, family)], len(pods))
    right = reachability(batches, pods=pods, token=asked.directory.token)
    must_hold(asked.history, right, equal("endpoints", 100 * len(pods), len(held)))


@requirement(
    "endpoints.endpoints_are_mirrored",
    promise="Endpoints that a user writes for a Service without selector are mirrored to EndpointSlices, and followed.",
    source="kubernetes.io: EndpointSlices, EndpointSlice mirroring; test/e2e/network/endpointslicemirroring.go",
    level=MUST,
)
def test_endpoints_are_mirrored(asked: Asked, cluster: ClusterInfo, services: Services) -> None:
    """Fault: `slices_damaged`."""
    family = cluster.families[0]
    ips = asked.directory.ips(family)
    mirrored = services.create("without-selector", ipFamilyPolicy="SingleStack", ipFamilies=[str(family)])
    asked.slices.make_endpoints(mirrored, subset(ips[:2], MIRROR_PORT))
    _must_mirror(asked, mirrored, ips[:2])
    asked.slices.change_endpoints(mirrored, subset(ips[1:], MIRROR_PORT))
    _must_mirror(asked, mirrored, ips[1:])
    asked.slices.delete_endpoints(mirrored)
    asked.slices.must_become(mirrored.name, "no slice", lambda slices: not slices)


def _must_mirror(asked: Asked, mirrored: Service, ips: list[str]) -> None:
    """The slices of a Service come to hold exactly these addresses, and the port of its Endpoints."""
    wanted = sorted((ip,) for ip in ips)

    def holds(slices: list[Object]) -> bool:
        return [e.addresses for e in endpoints(slices)] == wanted and ports(slices) == [("one", "TCP", 80, "")]

    asked.slices.must_become(mirrored.name, f"slices of exactly {', '.join(ips)} on port 80", holds)


@requirement(
    "endpoints.all_subsets_are_mirrored",
    promise="Endpoints with several subsets are mirrored as a whole: each port leads to the addresses of its subset, "
    "one that is in two subsets answers at both, and both families are there.",
    source="kubernetes.io: EndpointSlices, EndpointSlice mirroring; test/e2e/network/endpointslicemirroring.go: "
    "multiple subsets and same IP address",
    level=MUST,
)
def test_all_subsets_are_mirrored(asked: Asked, judge: Judge) -> None:
    """Fault: `slices_damaged`."""
    pods = asked.directory.pods
    mirrored = judge.services.create("without-selector")
    # The second pod is in both subsets.
    behind = {("one", 80): pods[:2], ("other", 81): pods[1:]}
    wanted = sorted(
        (name, MANUAL_PORTS[port], ip)
        for (name, port), some in behind.items()
        for pod in some
        for ip in pod.ips
        if family_of(ip) in mirrored.families
    )
    by_name = {name: {"name": name, "port": number, "protocol": "TCP"} for name, number, _ in wanted}
    subsets = [subset([ip for led_by, _, ip in wanted if led_by == name], port) for name, port in by_name.items()]
    asked.slices.make_endpoints(mirrored, *subsets)
    asked.slices.must_become(mirrored.name, f"slices of {wanted}", lambda slices: led_to(slices) == wanted)
    for (_, port), some in behind.items():
        targets = [mirrored.by_address("http", port, family) for family in mirrored.cluster_ips]
        names = {pod.name for pod in some}
        settle(judge.probing, [(vantage, targets) for vantage in asked.vantages], names)
        answers = [Answers(vantage, targets, names) for vantage in asked.vantages]
        judge.must_be_answered(answers, token=asked.directory.token, of=len(pods), port=MANUAL_PORTS[port])
    judge.services.delete(mirrored)


@requirement(
    "endpoints.a_deleted_service_takes_its_slices",
    promise="When a Service is deleted, its EndpointSlices go; another Service of the same pods keeps its own.",
    source="kubernetes.io: EndpointSlices, Ownership; test/e2e/network/networking.go: same selector",
    level=MUST,
)
def test_a_deleted_service_takes_its_slices(asked: Asked, family: IPFamily) -> None:
    """Fault: `slices_damaged`."""
    asked.slices.must_become(asked.directory.deleted.name, "no slice", lambda slices: not slices)
    pods = {pod.name for pod in asked.directory.pods}
    batches = asked.connect([asked.directory.made["twin"].by_address("http", 80, family)], len(pods))
    must_hold(asked.history, reachability(batches, pods=pods, token=asked.directory.token))
