"""Flows of datagrams through a load balancer whose pod ends."""

from conformance.flows import QUIET_S, kept, must_leave_a_pod_that_ends
from conformance.load_balancer.front import HTTP_AND_UDP, Front
from fixtures.api import Api
from fixtures.requirements import MUST, requirement
from fixtures.workloads.web import Shape, Web

FLOWS = 16
"""Of each target: so many that some are of the pod that ends, but for a chance of 2e-5."""


@requirement(
    "load_balancer.flows_of_datagrams_leave_a_pod_that_ended",
    promise="A client outside that goes on sending datagrams from one port is served by another pod when its pod has "
    "ended.",
    source="test/e2e/network/loadbalancer.go: preserve UDP traffic when server pod cycles; Kubernetes issue 48370",
    level=MUST,
    features=("load_balancer", "outside"),
)
def test_flows_of_datagrams_leave_a_pod_that_ended(front: Front, api: Api) -> None:
    """Fault: `proxy_frozen_once_ready`, kube-proxy of every node stops before: its flows stay where they are."""
    web = Web(api, front.cluster, front.web.namespace, shape=Shape(replicas=2, drain_s=0))
    service = front.services.create("load-balancer", selector=web.labels, ports=HTTP_AND_UDP)
    pods = web.wait_until_serving()
    front.services.must_have_endpoints(service, pods)
    external = front.services.must_have_external_ips(service)
    targets = [external.by_external_ip("udp", 80, family) for family in external.external_ips]
    # What comes to a node that does not know the address yet leaves a flow there that leads nowhere.
    front.settle(targets, [front.outside], [pod.name for pod in pods])
    must_leave_a_pod_that_ends(
        front.probing,
        front.history,
        vantages=[front.outside],
        targets=kept(targets, FLOWS),
        web=web,
        pod=pods[0],
        within_s=front.budgets.load_balancer_health_s + QUIET_S,
        allowed_s=front.budgets.endpoint_removal_s,
    )
    web.delete()
    front.services.delete(service)
