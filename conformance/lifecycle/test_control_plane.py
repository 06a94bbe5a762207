"""What the data path stands on is restarted or goes away for a while; traffic does not notice."""

import threading

import pytest

from conformance.lifecycle.judging import (
    AROUND,
    for_each_held_way,
    for_each_request_way,
    judges,
    kept,
    must_have_lost_at_most,
)
from fixtures.checks.holding import must_hold
from fixtures.checks.outage import outage
from fixtures.checks.sessions import sessions_unbroken
from fixtures.requirements import MUST, requirement
from fixtures.scenarios.scenario import Scenario
from fixtures.scenarios.scene import Scene
from fixtures.scenarios.stage import Stage
from fixtures.scenarios.ways import REQUESTS, Way

pytestmark = [pytest.mark.long, pytest.mark.disruptive]
API_SERVER_OUTAGE_S = 20.0


def restart_one_proxy(scene: Scene) -> None:
    """Restart kube-proxy of the first node."""
    scene.disruptions.restart_kube_proxy(scene.cluster.nodes[0].name)
    scene.keep("after", *scene.pods)


ONE_PROXY = Scenario("kube-proxy of one node restarted", restart_one_proxy, act=AROUND)


def restart_every_proxy(scene: Scene) -> None:
    """Restart kube-proxy of all nodes, one after another."""
    for node in scene.cluster.nodes:
        scene.disruptions.restart_kube_proxy(node.name)
    scene.keep("after", *scene.pods)


EVERY_PROXY = Scenario("kube-proxy of every node restarted", restart_every_proxy, act=AROUND)


@requirement(
    "lifecycle.a_restart_of_kube_proxy_is_not_noticed",
    promise="kube-proxy's rules stay in force while it is restarted: no request is lost.",
    source="kubernetes.io: Virtual IPs and Service Proxies; test/e2e/network/service.go: restarting kube-proxy",
    level=MUST,
    features=("kube_proxy_restart",),
)
@judges(ONE_PROXY)
@for_each_request_way
def test_kube_proxy_of_one_node_is_restarted(stage: Stage, way: Way) -> None:
    """Fault: `rules_flushed`, a node's rules go with its kube-proxy."""
    take = stage.take(ONE_PROXY)
    must_have_lost_at_most(take, way, stage.budgets.proxy_restart_outage_s)


@requirement(
    "lifecycle.restarts_of_kube_proxy_everywhere_are_not_noticed",
    promise="kube-proxy may be restarted on all nodes, as by an upgrade: no request is lost.",
    source="kubernetes.io: Virtual IPs and Service Proxies; test/e2e/network/service.go: restarting kube-proxy",
    level=MUST,
    features=("kube_proxy_restart",),
)
@judges(EVERY_PROXY)
@for_each_request_way
def test_kube_proxy_of_every_node_is_restarted(stage: Stage, way: Way) -> None:
    """Fault: `rules_flushed`."""
    take = stage.take(EVERY_PROXY)
    must_have_lost_at_most(take, way, stage.budgets.proxy_restart_outage_s)


@requirement(
    "lifecycle.connections_survive_restarts_of_kube_proxy",
    promise="An established connection is not touched when kube-proxy is restarted.",
    source="kubernetes.io: Virtual IPs and Service Proxies: only new connections are balanced",
    level=MUST,
    features=("kube_proxy_restart",),
)
@judges(EVERY_PROXY)
@for_each_held_way
def test_connections_survive_restarts_of_kube_proxy(stage: Stage, way: Way) -> None:
    """Fault: `path_flaps`."""
    take = stage.take(EVERY_PROXY)
    pods = take.names_of("before")
    must_hold(take.history, sessions_unbroken(take.of(way), pods, since=take.began_at, until=take.ended_at))


def take_the_api_server_away(scene: Scene) -> None:
    """Take the API server away for API_SERVER_OUTAGE_S."""
    with scene.disruptions.api_server_outage():
        # The time itself is what is done: pods cannot be asked meanwhile, since the way to them is the API server.
        threading.Event().wait(API_SERVER_OUTAGE_S)
    scene.keep("after", *scene.web.wait_until_serving())


API_SERVER_OUTAGE = Scenario("API server outage", take_the_api_server_away)


@requirement(
    "lifecycle.traffic_needs_no_api_server",
    promise="The data path does not need the API server: while it is away for 20 s no request is lost.",
    source="kubernetes.io: Virtual IPs and Service Proxies: kube-proxy installs rules, the kernel forwards",
    level=MUST,
    features=("api_server_outage",),
)
@judges(API_SERVER_OUTAGE)
# The very last: components try again after longer and longer waits, and may not follow changes for a minute.
@pytest.mark.disruptive(order=2)
@for_each_request_way
def test_the_api_server_is_away(stage: Stage, way: Way) -> None:
    """Fault: `path_flaps`."""
    take = stage.take(API_SERVER_OUTAGE)
    must_have_lost_at_most(take, way, stage.budgets.api_server_outage_loss_s)


def restart_of_dns(scene: Scene) -> None:
    """Replace the DNS pods one after another."""
    scene.disruptions.restart_dns()


DNS_RESTART = Scenario("DNS restarted", restart_of_dns, act=AROUND)


@requirement(
    "lifecycle.names_resolve_while_dns_is_restarted",
    promise="The DNS Service answers while its pods are replaced: its clients need not know.",
    source="kubernetes.io: DNS for Services and Pods; seed: Kubernetes services, paragraph 5",
    level=MUST,
    features=("dns_restart",),
)
@judges(DNS_RESTART)
def test_dns_is_restarted(stage: Stage) -> None:
    """Fault: `path_flaps`."""
    take = stage.take(DNS_RESTART)
    allowed_s = stage.budgets.dns_restart_failures_s
    found = outage(take.names, allowed_s=allowed_s, since=take.began_at, until=take.until)
    must_hold(take.history, found, *kept(take, REQUESTS[0]))


def restart_a_kubelet(scene: Scene) -> None:
    """Restart kubelet of the node of the first pod."""
    scene.disruptions.restart_kubelet(scene.pods[0].node)
    scene.keep("after", *scene.web.wait_until_serving())


KUBELET = Scenario("kubelet restarted", restart_a_kubelet, act=AROUND)


@requirement(
    "lifecycle.a_restart_of_kubelet_is_not_noticed",
    promise="Pods run on while kubelet is restarted, and stay behind their Service: no request is lost.",
    source="kubernetes.io: Node status, Container Runtimes; kubelet: restart with running pods",
    level=MUST,
    features=("kubelet_restart",),
)
@judges(KUBELET)
@for_each_request_way
def test_kubelet_is_restarted(stage: Stage, way: Way) -> None:
    """Fault: `path_flaps`."""
    take = stage.take(KUBELET)
    assert take.pods["after"] == take.pods["before"]
    must_have_lost_at_most(take, way, stage.budgets.kubelet_restart_outage_s)
