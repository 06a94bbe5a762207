"""The ports of a Service, and the ports of its pods that they lead to."""

import secrets
from collections.abc import Callable

import pytest

from conformance.judge import Answers, Judge, settle
from conformance.shared_web import SharedWeb
from fixtures.api import PODS, Api
from fixtures.checks.holding import must_hold
from fixtures.checks.values import equal
from fixtures.clusters import IPFamily
from fixtures.prober.plan import Protocol
from fixtures.prober.vantages import PodVantage
from fixtures.requirements import MUST, requirement
from fixtures.workloads.services import Service
from fixtures.workloads.vantages import start_talking_pod

MustLead = Callable[[Protocol, int, int], None]

PORT_NAME, NUMBER = "web-alt", 8080
"""Of the shared pods."""


@pytest.fixture
def must_lead(
    ports_service: Service, shared_web: SharedWeb, pod_vantages: tuple[PodVantage, ...], family: IPFamily
) -> MustLead:
    """Check that a protocol and port of the Service lead to a port of every pod, from a pod on each node."""

    def check(protocol: Protocol, port: int, pod_port: int) -> None:
        target = ports_service.by_address(protocol, port, family)
        shared_web.must_be_reached(ports_service, [target], pod_vantages, pod_port=pod_port)

    return check


@requirement(
    "cluster_ip.target_port_defaults_to_the_port",
    promise="By default the targetPort is set to the same value as the port field.",
    source="kubernetes.io: Service, Defining a Service",
    level=MUST,
)
def test_the_target_port_defaults_to_the_port(must_lead: MustLead) -> None:
    """Fault: `target_ports_changed`, an admission policy that sends every port to another targetPort."""
    must_lead("tcp", 80, 80)


@requirement(
    "cluster_ip.port_may_differ_from_target_port",
    promise="A Service can map any incoming port to a targetPort.",
    source="kubernetes.io: Service, Defining a Service",
    level=MUST,
)
def test_the_port_may_differ_from_the_target_port(must_lead: MustLead) -> None:
    """Fault: `target_ports_changed`."""
    must_lead("tcp", 8081, 8080)


@requirement(
    "cluster_ip.target_port_may_be_a_name",
    promise="Port definitions in Pods have names, and you can reference these names in the targetPort of a Service.",
    source="kubernetes.io: Service, Port definitions",
    level=MUST,
)
def test_the_target_port_may_be_a_name(must_lead: MustLead) -> None:
    """Fault: `target_ports_changed`."""
    must_lead("http", 8082, 8080)


@requirement(
    "cluster_ip.a_port_name_is_each_pods_own",
    promise="A targetPort that is a name leads to the number that each pod has under that name, be they different.",
    source="kubernetes.io: Service, Port definitions; test/e2e/network/service.go: named targetPorts",
    level=MUST,
)
def test_a_port_name_is_each_pods_own(
    judge: Judge, api: Api, shared_web: SharedWeb, pod_vantages: tuple[PodVantage, ...]
) -> None:
    """Fault: `target_ports_changed`."""
    web, members = shared_web.web, {"member-of": f"named-{secrets.token_hex(4)}"}
    other = start_talking_pod(
        api, judge.cluster, web.namespace, says=web.token, more_labels=members, port_name=PORT_NAME
    )
    web.label_pods(shared_web.pods, **members)
    ports = [{"name": "web", "port": 80, "targetPort": PORT_NAME, "protocol": "TCP"}]
    service = judge.services.create("cluster-ip", selector=members, ports=ports)
    targets = [service.by_address("http", 80, family) for family in service.cluster_ips]
    expected = {pod.name: [NUMBER] for pod in shared_web.pods} | {other.name: [80]}
    settle(judge.probing, [(vantage, targets) for vantage in pod_vantages], expected)
    answers = [Answers(vantage, targets, expected.keys()) for vantage in pod_vantages]
    batches = judge.must_be_answered(answers, token=web.token, of=len(expected), port=None)
    said = {(p.answer.pod, p.answer.port) for batch in batches for p in batch.probes if p.answer}
    seen = {name: sorted(port for pod, port in said if pod == name) for name in expected}
    must_hold(judge.history, equal("ports that pods were reached at", expected, seen))
    judge.services.delete(service)
    web.label_pods(shared_web.pods, **dict.fromkeys(members))
    api.delete(PODS, other.name, web.namespace)


@requirement(
    "cluster_ip.one_number_for_tcp_and_udp",
    promise="Each port definition can have the same or a different protocol: one number serves TCP and UDP.",
    source="kubernetes.io: Service, Multi-port Services",
    level=MUST,
)
@pytest.mark.parametrize(("protocol", "pod_port"), [("tcp", 80), ("udp", 8080)])
def test_tcp_and_udp_share_a_port_number(must_lead: MustLead, protocol: Protocol, pod_port: int) -> None:
    """Fault: `target_ports_changed`."""
    must_lead(protocol, 8083, pod_port)
