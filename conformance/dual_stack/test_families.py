"""Which families a Service has, and that it answers in each of them."""

import pytest

from conformance.dual_stack.families import ASKED, ORDERS, V4, V6, Families, expected_families
from conformance.judge import Answers, Judge
from fixtures.checks.holding import must_hold
from fixtures.checks.values import equal
from fixtures.clusters import IPFamily
from fixtures.prober.plan import Protocol
from fixtures.prober.vantages import OutsideVantage, PodVantage
from fixtures.requirements import MUST, requirement

pytestmark = pytest.mark.scenario("families")


@requirement(
    "dual_stack.families_are_those_asked_for",
    promise="A Service has the families that it asks for, in that order, an address of each, and answers at each.",
    source="kubernetes.io: IPv4/IPv6 dual-stack, Services; KEP-563; test/e2e/network/dual_stack.go",
    level=MUST,
    features=("IPv4", "IPv6"),
)
@pytest.mark.parametrize("asked", ASKED)
def test_families_are_those_asked_for(
    judge: Judge, families: Families, pod_vantages: tuple[PodVantage, ...], asked: str
) -> None:
    """Fault: `settings_ignored`, an admission policy by which who wants two families gets one, and the reverse."""
    service, (policy, wanted) = families.made[asked], ASKED[asked]
    expected = expected_families(policy, wanted, judge.cluster.families)
    must_hold(
        judge.history,
        equal("policy", policy or "SingleStack", service.body["spec"]["ipFamilyPolicy"]),
        equal("families", expected, service.body["spec"]["ipFamilies"]),
        equal("families of the ClusterIPs", expected, list(service.cluster_ips)),
        equal("first ClusterIP", service.body["spec"]["clusterIPs"][0], service.body["spec"]["clusterIP"]),
    )
    judge.services.must_have_endpoints(service, families.pods)
    targets = [service.by_address("http", 80, family) for family in expected]
    answers = [Answers(pod_vantages[0], targets, families.names)]
    judge.must_be_answered(answers, token=families.web.token, of=len(families.pods))


@requirement(
    "dual_stack.both_families_answer_whichever_is_first",
    promise="A dual-stack Service answers by ClusterIP and node port in both families, whichever of them is first.",
    source="kubernetes.io: IPv4/IPv6 dual-stack, Services; test/e2e/network/dual_stack.go: pod-Service, node-Service",
    level=MUST,
    features=("IPv4", "IPv6", "node_ports"),
)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("protocol", ["http", "udp"])
def test_both_families_answer(
    *,
    judge: Judge,
    families: Families,
    pod_vantages: tuple[PodVantage, ...],
    node_port_client: OutsideVantage,
    order: str,
    protocol: Protocol,
) -> None:
    """Fault: `settings_ignored`."""
    service = families.with_node_ports[order]
    must_hold(judge.history, equal("families", ORDERS[order], list(service.cluster_ips)))
    inside = [service.by_address(protocol, 80, family) for family in ORDERS[order]]
    port = "web-udp" if protocol == "udp" else "web"
    outside = [service.on_nodes(judge.cluster, protocol, family, port)[0] for family in ORDERS[order]]
    answers = [
        *(Answers(vantage, inside, families.names) for vantage in pod_vantages),
        Answers(node_port_client, outside, families.names),
    ]
    judge.must_be_answered(answers, token=families.web.token, of=len(families.pods))


CONTRADICTIONS: dict[str, tuple[str, list[IPFamily], list[str]]] = {
    "one family twice": ("PreferDualStack", [V4, V4], ["spec.ipFamilies"]),
    "three families": ("RequireDualStack", [V4, V6, V4], ["spec.ipFamilies"]),
    "two families and SingleStack": ("SingleStack", [V4, V6], ["spec.ipFamilyPolicy"]),
}


@requirement(
    "dual_stack.contradictions_are_refused",
    promise="A Service whose families contradict each other, or its policy, is refused, and the refusal says so.",
    source="KEP-563; kubernetes.io: IPv4/IPv6 dual-stack, Services",
    level=MUST,
    features=("IPv4", "IPv6"),
)
@pytest.mark.parametrize("contradiction", CONTRADICTIONS)
def test_contradictions_are_refused(judge: Judge, contradiction: str) -> None:
    """Fault: `settings_ignored`."""
    policy, families, naming = CONTRADICTIONS[contradiction]
    judge.services.must_be_refused("cluster-ip", naming=naming, ipFamilyPolicy=policy, ipFamilies=families)
