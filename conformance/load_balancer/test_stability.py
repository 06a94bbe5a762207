"""The external IP stays what it is, and nothing is lost, whatever is done that is not about it."""

from __future__ import annotations

import pytest

from conformance.lifecycle.judging import AROUND, judges, must_have_lost_at_most
from conformance.lifecycle.test_rollouts import SURGE
from fixtures.checks.answered import answered_only_by
from fixtures.checks.holding import must_hold
from fixtures.checks.hops import by_hop
from fixtures.checks.outage import outage
from fixtures.checks.sessions import sessions_unbroken
from fixtures.checks.stability import external_addresses_kept
from fixtures.requirements import MUST, SHOULD, requirement
from fixtures.scenarios.scenario import Scenario
from fixtures.scenarios.scene import QUIET_S, Scene, Take
from fixtures.scenarios.stage import Stage
from fixtures.scenarios.ways import PORT, REQUESTS, Way
from fixtures.workloads.events import Events
from fixtures.workloads.services import Services

pytestmark = pytest.mark.long
WAYS = tuple(way for way in REQUESTS if way.service_type == "LoadBalancer")
NEW, HELD = Way("LoadBalancer", "new"), Way("LoadBalancer", "established")
NOTE = "k8s-service-conformance/note"
"""An annotation that means nothing to anybody else."""
ENSURED = "EnsuredLoadBalancer"
"""The reason of the event that says that a load balancer is as its Service wants it."""
ONE_PORT = [{"name": "web", "port": PORT, "protocol": "TCP"}]
TWO_PORTS = [*ONE_PORT, {"name": "more", "port": 8085, "targetPort": 8080, "protocol": "TCP"}]


def edit_the_service(scene: Scene) -> None:
    """Change what does not concern the port that is used, each time until the controller has followed."""
    if (service := scene.services.get("LoadBalancer")) is None:
        return
    services = Services(scene.api, scene.web.namespace, scene.history)
    events = Events(scene.api, scene.web.namespace, scene.history)
    for notes, ports in (({NOTE: "1"}, ONE_PORT), ({}, TWO_PORTS), ({}, ONE_PORT)):
        before = events.times(service.body, ENSURED)
        services.change(service, notes, ports=ports)
        events.must_come(service.body, f"one more event {ENSURED}", lambda e: e["reason"] == ENSURED, times=before + 1)
        scene.wait_until_quiet(2 * QUIET_S)
    scene.keep("after", *scene.pods)


EDITS = Scenario("load balancer edits", edit_the_service, takes_s=20)


def must_have_kept_its_ip(take: Take) -> None:
    """The load balancer's addresses were the same in all that was seen of the Service; raises BrokenPromise."""
    take.of(NEW)
    must_hold(take.history, external_addresses_kept(take.history, take.services["LoadBalancer"].name))


@requirement(
    "load_balancer.external_ip_outlives_its_pods",
    promise="The external IP is stable: it stays when all pods are replaced by those of a new version.",
    source="seed: Kubernetes services, paragraphs 2 and 5",
    level=MUST,
    features=("load_balancer", "outside"),
)
@judges(SURGE)
def test_the_external_ip_outlives_its_pods(stage: Stage) -> None:
    """Fault: `external_ip_moves`, a Service is said to have another address once it or its pods change."""
    must_have_kept_its_ip(stage.take(SURGE))


@requirement(
    "load_balancer.external_ip_outlives_edits",
    promise="The external IP stays when annotations without meaning change, and when ports are added and removed.",
    source="test/e2e/network/loadbalancer.go: change the ports; cloud-provider-azure: no-op when unchanged",
    level=MUST,
    features=("load_balancer", "outside"),
)
@judges(EDITS)
def test_the_external_ip_outlives_edits(stage: Stage) -> None:
    """Fault: `external_ip_moves`."""
    must_have_kept_its_ip(stage.take(EDITS))


@requirement(
    "load_balancer.edits_lose_nothing",
    promise="Edits of a Service that are not about a port lose no request to that port.",
    source="kubernetes.io: Service; Azure Load Balancer: changes of one rule do not disturb the flows of others",
    level=MUST,
    features=("load_balancer", "outside"),
)
@judges(EDITS)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_edits_lose_nothing(stage: Stage, way: Way) -> None:
    """Fault: `path_flaps`."""
    take = stage.take(EDITS)
    must_hold(take.history, outage(take.of(way), allowed_s=0, since=take.began_at))


def restart_the_controller(scene: Scene) -> None:
    """Restart what makes load balancers."""
    scene.disruptions.restart_cloud_controller()
    scene.keep("after", *scene.pods)


CONTROLLER = Scenario("cloud controller restarted", restart_the_controller, act=AROUND)


@requirement(
    "load_balancer.a_restart_of_the_controller_is_not_noticed",
    promise="What makes load balancers may be restarted: the external IP stays, and no request is lost.",
    source="kubernetes.io: Cloud Controller Manager; Create an External Load Balancer",
    level=MUST,
    features=("load_balancer", "outside", "cloud_controller_restart"),
)
@judges(CONTROLLER)
@pytest.mark.disruptive
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_the_controller_is_restarted(stage: Stage, way: Way) -> None:
    """Fault: `path_flaps`."""
    take = stage.take(CONTROLLER)
    must_have_lost_at_most(take, way, 0)
    must_have_kept_its_ip(take)


def exclude_a_node(scene: Scene) -> None:
    """Exclude the first node from load balancers until it gets no new connection, then have it back."""
    node = scene.cluster.nodes[0].name
    scene.keep("after", *scene.pods)
    with scene.disruptions.excluded_node(node):
        scene.wait_until_avoided(node)
        scene.mark_quiet("avoided")


EXCLUSION = Scenario("node excluded", exclude_a_node, act=AROUND)


@requirement(
    "load_balancer.an_excluded_node_is_avoided",
    promise="A node with the label exclude-from-external-load-balancers gets no new connection by load balancers.",
    source="kubernetes.io: Well-Known Labels, node.kubernetes.io/exclude-from-external-load-balancers; AKS issue 1372",
    level=MUST,
    features=("load_balancer", "outside", "node_exclusion"),
)
@judges(EXCLUSION)
@pytest.mark.disruptive
def test_an_excluded_node_is_avoided(stage: Stage) -> None:
    """Fault: `exclusion_lost`, an admission policy takes the label off nodes."""
    take, node = stage.take(EXCLUSION), stage.cluster.nodes[0].name
    addresses = {str(a): n.name for n in stage.cluster.nodes for a in n.addresses}
    others = {n.name for n in stage.cluster.nodes} - {node}
    since, until = take.quiet_since["avoided"], take.marks["avoided"]
    hops = by_hop(take.of(NEW), addresses)
    must_hold(
        take.history,
        answered_only_by(hops, pods=others, token=take.token, since=since, until=until),
    )


@requirement(
    "load_balancer.an_exclusion_is_not_noticed",
    promise="When a node is excluded from load balancers and comes back, no request is lost and the external IP stays.",
    source="KEP-3836, Improved ingress connectivity reliability; cloud-provider-azure issue 3499",
    level=MUST,
    features=("load_balancer", "outside", "node_exclusion"),
)
@judges(EXCLUSION)
@pytest.mark.disruptive
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_an_exclusion_is_not_noticed(stage: Stage, way: Way) -> None:
    """Fault: `path_flaps`."""
    take = stage.take(EXCLUSION)
    must_have_lost_at_most(take, way, 0)
    must_have_kept_its_ip(take)


@requirement(
    "load_balancer.connections_survive_an_exclusion",
    promise="Connections that came by a node go on when the node is excluded from load balancers and still runs.",
    source="KEP-3836, connection draining; Kubernetes issue 129605",
    level=SHOULD,
    features=("load_balancer", "outside", "node_exclusion"),
)
@judges(EXCLUSION)
@pytest.mark.disruptive
def test_connections_survive_an_exclusion(stage: Stage) -> None:
    """Fault: `path_flaps`."""
    take = stage.take(EXCLUSION)
    pods = take.names_of("before")
    must_hold(take.history, sessions_unbroken(take.of(HELD), pods, since=take.began_at, until=take.ended_at))
