"""trafficDistribution, and hints by the zones' processors: the nearest pods answer."""

from collections.abc import Sequence

import pytest

from conformance.judge import Judge
from conformance.shared_web import SharedWeb
from conformance.traffic_policy.policies import (
    AUTO_MODE,
    DISTRIBUTIONS,
    Policies,
    must_be_spread_as_processors,
    must_know_distribution,
    must_make_a_difference,
    preferred,
)
from conformance.versions import must_be_of
from fixtures.api import ENDPOINT_SLICES, NODES, Api, Object
from fixtures.checks.hints import hinted
from fixtures.checks.holding import must_hold
from fixtures.history import History
from fixtures.prober.vantages import PodVantage
from fixtures.requirements import SHOULD, requirement
from fixtures.workloads.services import Service
from fixtures.workloads.web import Pod, Web

pytestmark = pytest.mark.scenario("policies")
AUTO_SINCE = (1, 27)
"""The version that knows the annotation by this name."""


def slices_of(api: Api, service: Service) -> list[Object]:
    """The EndpointSlices of a Service."""
    selector = f"kubernetes.io/service-name={service.name}"
    found: list[Object] = api.list_all(ENDPOINT_SLICES, service.namespace, selector=selector)["items"]
    return found


def nodes_with_and_without(vantages: Sequence[PodVantage], pods: Sequence[Pod]) -> list[PodVantage]:
    """The vantages on the nodes of pods, and one on another node if there is one."""
    with_pods = {pod.node for pod in pods}
    others = [vantage for vantage in vantages if vantage.node not in with_pods]
    return [*(vantage for vantage in vantages if vantage.node in with_pods), *others[:1]]


@requirement(
    "traffic_policy.distribution_is_hinted_at",
    promise="With a trafficDistribution each endpoint in the EndpointSlices has a hint of its zone, or of its node.",
    source="KEP-3015; kubernetes.io: EndpointSlices, Topology information",
    level=SHOULD,
)
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_distribution_is_hinted_at(
    *,
    api: Api,
    policies: Policies,
    distributed: dict[str, Service],
    zones: dict[str, str],
    history: History,
    distribution: str,
) -> None:
    """Fault: `settings_ignored`, an admission policy by which new Services have no trafficDistribution."""
    must_make_a_difference(policies, [preferred(policies, pod.node, zones, distribution) for pod in policies.pods])
    slices = slices_of(api, distributed[distribution])
    must_hold(history, hinted(slices, zones=zones, for_nodes=distribution == "PreferSameNode"))


@requirement(
    "traffic_policy.the_nearest_pods_answer",
    promise="Clients are answered by pods of their zone, or of their node, if there are any, and else by all.",
    source="KEP-3015; kubernetes.io: Service, Traffic distribution; test/e2e/network/traffic_distribution.go",
    level=SHOULD,
)
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_the_nearest_pods_answer(
    *,
    judge: Judge,
    policies: Policies,
    distributed: dict[str, Service],
    zones: dict[str, str],
    pod_vantages: tuple[PodVantage, ...],
    distribution: str,
) -> None:
    """Fault: `settings_ignored`."""
    near = Policies(policies.cluster, policies.web, policies.pods, distributed)
    answers = near.from_near(distribution, pod_vantages, zones, distribution)
    must_make_a_difference(near, [frozenset(each.pods) for each in answers])
    judge.must_be_answered(answers, token=policies.web.token, of=len(policies.pods))


@requirement(
    "traffic_policy.others_answer_for_the_nearest",
    promise="While the pod of a client's node, or zone, is not ready others answer in its place; once it is, it does.",
    source="KEP-3015; test/e2e/network/traffic_distribution.go: fall back when the endpoint becomes unavailable",
    level=SHOULD,
)
def test_others_answer_for_the_nearest(
    *, api: Api, judge: Judge, shared_namespace: str, zones: dict[str, str], pod_vantages: tuple[PodVantage, ...]
) -> None:
    """Fault: `backend_dropped`, one node drops what goes to the backends on other nodes."""
    must_know_distribution(judge.cluster)
    web = Web(api, judge.cluster, shared_namespace, judge.history)
    pods = web.wait_until_serving()
    made = {
        name: judge.services.create("cluster-ip", selector=web.labels, trafficDistribution=name)
        for name in DISTRIBUTIONS
    }
    everyone = Policies(judge.cluster, web, pods, made)
    vantages = nodes_with_and_without(pod_vantages, pods)
    gone = next(pod for node in judge.cluster.nodes for pod in pods if pod.node == node.name)
    nearest = [preferred(everyone, vantage.node, zones, "PreferSameNode") for vantage in vantages]
    must_make_a_difference(everyone, nearest)
    for there in (everyone, everyone.without(gone), everyone):
        web.set_health(gone, ready=there is everyone)
        for service in made.values():
            judge.services.must_have_endpoints(service, there.pods)
        answers = [each for name in made for each in there.from_near(name, vantages, zones, name)]
        judge.must_follow(answers, token=web.token, of=len(pods))
    for service in made.values():
        judge.services.delete(service)
    web.delete()


@requirement(
    "traffic_policy.zones_serve_themselves",
    promise="In the topology mode Auto, with pods in each zone as it has processors, each endpoint has a hint of its "
    "zone, and clients are answered by the pods of theirs.",
    source="KEP-2433; kubernetes.io: Topology Aware Routing; test/e2e/network/topology_hints.go",
    level=SHOULD,
)
def test_zones_serve_themselves(
    api: Api, judge: Judge, shared_web: SharedWeb, zones: dict[str, str], pod_vantages: tuple[PodVantage, ...]
) -> None:
    """Fault: `settings_ignored`, an admission policy by which new Services have no annotation of that."""
    must_be_of(judge.cluster, AUTO_SINCE, f"the annotation {next(iter(AUTO_MODE))} is")
    must_be_spread_as_processors(shared_web.pods, api.list_all(NODES)["items"])
    service = judge.services.create("cluster-ip", AUTO_MODE, selector=shared_web.web.labels)
    shared_web.must_be_behind(service)
    policies = Policies(judge.cluster, shared_web.web, shared_web.pods, {"Auto": service})
    answers = policies.from_near("Auto", pod_vantages, zones, "PreferSameZone")
    judge.must_follow(answers, token=shared_web.web.token, of=len(shared_web.pods))
    must_hold(judge.history, hinted(slices_of(api, service), zones=zones, for_nodes=False))
    judge.services.delete(service)
