"""trafficDistribution: the nearest pods answer."""

import pytest

from conformance.judge import Answers, Judge
from conformance.traffic_policy.policies import (
    DISTRIBUTIONS,
    Policies,
    must_make_a_difference,
    preferred,
)
from fixtures.api import ENDPOINT_SLICES, Api
from fixtures.checks.hints import hinted
from fixtures.checks.holding import must_hold
from fixtures.history import History
from fixtures.prober.vantages import PodVantage
from fixtures.requirements import SHOULD, requirement
from fixtures.workloads.services import Service

pytestmark = pytest.mark.scenario("policies")


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
    service = distributed[distribution]
    selector = f"kubernetes.io/service-name={service.name}"
    slices = api.list_all(ENDPOINT_SLICES, service.namespace, selector=selector)["items"]
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
    expected = [preferred(policies, vantage.node, zones, distribution) for vantage in pod_vantages]
    must_make_a_difference(policies, expected)
    targets = [distributed[distribution].by_address("http", 80, family) for family in policies.cluster.families]
    answers = [Answers(vantage, targets, pods) for vantage, pods in zip(pod_vantages, expected, strict=True)]
    judge.must_be_answered(answers, token=policies.web.token, of=len(policies.pods))
