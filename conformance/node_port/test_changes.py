"""Node ports of a Service that is changed."""

import pytest

from conformance.changed import Changes, must_be_free, outside
from conformance.judge import Answers, Judge
from fixtures.checks.holding import must_hold
from fixtures.checks.values import equal
from fixtures.prober.vantages import OutsideVantage
from fixtures.requirements import MUST, requirement
from fixtures.workloads.services import Service

pytestmark = pytest.mark.scenario("changes")


@requirement(
    "node_port.is_kept_when_a_port_is_added",
    promise="A Service keeps its node ports when a port is added; the new port gets a node port of the range.",
    source="kubernetes.io: Service, NodePort; test/e2e/network/service.go: updated after adding or deleting ports",
    level=MUST,
    features=("node_ports",),
)
def test_it_is_kept_when_a_port_is_added(judge: Judge, changes: Changes, node_port_client: OutsideVantage) -> None:
    """Fault: `settings_ignored`, an admission policy by which no change of a Service is heeded."""
    before, after = changes.made["port added"].before, changes.made["port added"].after
    added, (first, last) = after.node_port("other"), judge.cluster.node_port_range
    kept = {name: after.node_port(name) for name in ("web", "web-udp")}
    must_hold(
        judge.history,
        equal("node ports", {name: before.node_port(name) for name in kept}, kept),
        equal(f"the new node port {added} is another one of {first}-{last}", True, added not in kept.values()),
        equal(f"the new node port {added} is one of {first}-{last}", True, first <= added <= last),
    )
    for port_name, pod_port in (("web", 80), ("other", 8080)):
        targets = [
            target
            for family in judge.cluster.families
            for target in after.on_nodes(judge.cluster, "http", family, port_name)
        ]
        answers = [Answers(node_port_client, targets, changes.names)]
        judge.must_be_answered(answers, token=changes.web.token, of=len(changes.pods), port=pod_port)


@requirement(
    "node_port.can_be_exchanged",
    promise="A node port can be exchanged for another: that answers, the old one does not, and others can have it.",
    source="kubernetes.io: Service, Choosing your own port; test/e2e/network/service.go: NodePort collisions",
    level=MUST,
    features=("node_ports",),
)
def test_it_can_be_exchanged(
    judge: Judge, changes: Changes, node_port_client: OutsideVantage, node_port_service: Service
) -> None:
    """Fault: `settings_ignored`."""
    before, after = changes.made["another node port"].before, changes.made["another node port"].after
    must_hold(
        judge.history, equal("the node port is another one", True, before.node_port("web") != after.node_port("web"))
    )
    control = outside(node_port_service, judge.cluster)
    answers = [
        Answers(node_port_client, outside(after, judge.cluster), changes.names),
        Answers(node_port_client, outside(before, judge.cluster), (), control),
    ]
    judge.must_be_answered(answers, token=changes.web.token, of=len(changes.pods))
    must_be_free(judge.services, before.node_port("web"))


@requirement(
    "node_port.a_change_out_of_range_is_refused",
    promise="A node port out of the range is refused when a Service is changed, too, and the refusal says why.",
    source="kubernetes.io: Service, Choosing your own port; test/e2e/network/service.go: NodePort out-of-range",
    level=MUST,
)
def test_a_change_out_of_range_is_refused(judge: Judge) -> None:
    """Fault: `settings_ignored`."""
    first, last = judge.cluster.node_port_range
    service = judge.services.create("node-port", ports=[{"port": 80}])
    ports = [{"port": 80, "nodePort": last + 1}]
    judge.services.must_refuse_change(service, naming=[str(last + 1), f"{first}-{last}"], ports=ports)
    judge.services.delete(service)
