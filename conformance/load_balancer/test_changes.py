"""The type of a Service and its ports are changed, from a ClusterIP to a load balancer and back."""

import pytest

from conformance.judge import Judge
from conformance.load_balancer.changing import Changing
from conformance.load_balancer.front import Front
from fixtures.prober.vantages import OutsideVantage, PodVantage
from fixtures.requirements import MUST, requirement

pytestmark = pytest.mark.long
FIRST_NODE_PORTS, OTHER_NODE_PORTS = range(30020, 30025), range(30025, 30030)
"""Nobody gets one of them who does not ask for it (KEP-3668), so that one that was given up stays silent."""
OTHER_PORT = 81
NOBODY = {"app": "nothing-has-this-label"}


@requirement(
    "load_balancer.type_and_ports_can_be_changed",
    promise="A ClusterIP may become a NodePort, a load balancer and a ClusterIP again, and get other ports and node "
    "ports on the way: over TCP and UDP what it has works, what it had does not, and what is not changed stays.",
    source="kubernetes.io: Service, Publishing Services; test/e2e/network/loadbalancer.go: change the type and ports "
    "of a TCP service, of a UDP service",
    level=MUST,
    features=("load_balancer", "outside", "node_ports"),
)
def test_type_and_ports_can_be_changed(
    front: Front, judge: Judge, pod_vantages: tuple[PodVantage, ...], node_port_client: OutsideVantage
) -> None:
    """Fault: `settings_ignored`, an admission policy by which no change of a Service is heeded."""
    made = front.services.create("cluster-ip", selector=front.web.traffic_labels)
    service = Changing(front, judge, pod_vantages[0], node_port_client, made)
    service.must_work()
    service.must_become(FIRST_NODE_PORTS, type="NodePort")
    service.must_work()
    service.must_become(type="LoadBalancer")
    service.must_work()
    service.must_become(OTHER_NODE_PORTS)
    service.must_work()
    service.must_become(ports=[port | {"port": OTHER_PORT} for port in service.now.body["spec"]["ports"]])
    service.must_work()
    service.must_become(selector=NOBODY)
    service.must_work(without_pods=True)
    service.must_become(selector=front.web.traffic_labels)
    service.must_work()
    service.must_become(type="ClusterIP")
    service.must_work()
    front.services.delete(service.now)
