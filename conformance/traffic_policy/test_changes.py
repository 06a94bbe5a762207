"""externalTrafficPolicy of a Service that is changed: its node ports, and its health check node port."""

from collections.abc import Mapping, Sequence
from functools import partial

import pytest

from conformance.changed import targets_of
from conformance.judge import SILENT_CONNECTIONS, TIMEOUT_MS, Judge, settle
from conformance.traffic_policy.policies import CONTROL, HTTP_AND_UDP, Policies, Policy
from fixtures.api import Refused
from fixtures.checks.clients import client_address_kept
from fixtures.checks.health import FIT, UNFIT, health_said, status_of
from fixtures.checks.holding import must_hold
from fixtures.checks.isolation import is_silent, isolated
from fixtures.checks.values import equal
from fixtures.prober.plan import Target
from fixtures.prober.vantages import OutsideVantage, PodVantage
from fixtures.probes import Probe
from fixtures.requirements import MUST, requirement
from fixtures.verdicts import NotObservable
from fixtures.workloads.services import FOREIGN_CLASS, Service, Services, on_first_free

pytestmark = pytest.mark.scenario("policies")
HEALTH_CHECK_PORTS = range(30080, 30086)
"""Nobody gets one of them who does not ask for it (KEP-3668), so that one that was given up stays silent."""
HEALTH_PROBES = 3


def balanced_by_nobody(services: Services, policies: Policies) -> Service:
    """A Service of type LoadBalancer that nobody makes a load balancer of: its ports on nodes are kube-proxy's."""
    spec = {"loadBalancerClass": FOREIGN_CLASS, "externalTrafficPolicy": "Cluster", "ports": HTTP_AND_UDP}
    try:
        return services.create("load-balancer", selector=policies.web.labels, **spec)
    except Refused as refused:
        raise NotObservable(f"Services of type LoadBalancer are refused here: {refused.message}") from refused


def must_answer(judge: Judge, policies: Policies, service: Service, policy: Policy, client: OutsideVantage) -> None:
    """Node ports lead to the pods that are due under a policy, over TCP and UDP; raises BrokenPromise."""
    own = Policies(policies.cluster, policies.web, policies.pods, policies.made | {"changed": service})
    by_http = own.from_outside("changed", policy, client, "http")
    answers = [*by_http, *own.from_outside("changed", policy, client, "udp")]
    batches = judge.must_follow(answers, token=policies.web.token, of=len(policies.pods))
    if policy == "Cluster":
        return
    nodes = {str(address) for node in policies.cluster.nodes for address in node.addresses}
    for targets in zip(*(each.targets for each in by_http if each.pods), strict=True):
        names = [target.name for target in targets]
        must_hold(judge.history, client_address_kept([batch.of(*names) for batch in batches], nodes=nodes))


def health_of(policies: Policies, service: Service) -> dict[Target, bool]:
    """The health check node port of each node, in each family, and whether the node has pods."""
    return {
        target: bool(policies.on(node))
        for family in policies.cluster.families
        for node, target in service.health_on_nodes(policies.cluster, family).items()
    }


def must_tell(judge: Judge, vantages: Sequence[PodVantage], health: Mapping[Target, bool]) -> None:
    """The health check node port says on each node whether it has pods; raises BrokenPromise."""
    fit = {target.name: has_pods for target, has_pods in health.items()}

    def well(probe: Probe) -> bool:
        return status_of(probe) == (FIT if fit[probe.target] else UNFIT)

    targets = list(health)
    settle(judge.probing, [(vantage, targets) for vantage in vantages], well=well)
    must_hold(judge.history, health_said(judge.probing.run(targets, vantages, count=HEALTH_PROBES), fit=fit))


def must_be_closed(
    judge: Judge, vantages: Sequence[PodVantage], targets: Sequence[Target], control: Sequence[Target]
) -> None:
    """Nobody answers at these any more, while somebody does at the control; raises BrokenPromise."""
    settle(judge.probing, [(vantage, targets) for vantage in vantages], well=is_silent)
    run = partial(judge.probing.run_from, count=SILENT_CONNECTIONS, timeout_ms=TIMEOUT_MS)
    closed, answering = (run([(vantage, some) for vantage in vantages]) for some in (targets, control))
    must_hold(judge.history, isolated(closed, control=answering))


@requirement(
    "traffic_policy.a_change_of_the_external_policy_is_followed",
    promise="When externalTrafficPolicy becomes Local, and Cluster again, node ports answer where they should, and a "
    "health check node port, the one that was asked for, comes and goes.",
    source="kubernetes.io: Service, External traffic policy; Service v1, healthCheckNodePort; "
    "test/e2e/network/service.go: NodePort and HealthCheckNodePort when ExternalTrafficPolicy changes",
    level=MUST,
    features=("node_ports",),
)
def test_a_change_of_the_external_policy_is_followed(
    judge: Judge, policies: Policies, pod_vantages: tuple[PodVantage, ...], node_port_client: OutsideVantage
) -> None:
    """Fault: `settings_ignored`, an admission policy by which no change of a Service is heeded."""
    made = balanced_by_nobody(judge.services, policies)
    must_answer(judge, policies, made, "Cluster", node_port_client)
    change = partial(judge.services.change, made, externalTrafficPolicy="Local")
    local = on_first_free(HEALTH_CHECK_PORTS, lambda number: change(healthCheckNodePort=number))
    must_hold(
        judge.history,
        equal("policy", "Local", local.body["spec"]["externalTrafficPolicy"]),
        equal("health check node port as asked for", True, local.health_check_node_port in HEALTH_CHECK_PORTS),
    )
    must_answer(judge, policies, local, "Local", node_port_client)
    health = health_of(policies, local)
    must_tell(judge, pod_vantages, health)
    after = judge.services.must_change(local, externalTrafficPolicy="Cluster")
    must_hold(
        judge.history,
        equal("policy", "Cluster", after.body["spec"]["externalTrafficPolicy"]),
        equal("health check node port", None, after.body["spec"].get("healthCheckNodePort")),
        equal("node ports", made.body["spec"]["ports"], after.body["spec"]["ports"]),
    )
    must_answer(judge, policies, after, "Cluster", node_port_client)
    must_be_closed(judge, pod_vantages, list(health), targets_of(policies.made[CONTROL]))
    judge.services.delete(after)
