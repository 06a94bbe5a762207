"""What a Service of type LoadBalancer is given, and what it does without: node ports of two kinds, a class."""

import pytest

from conformance.judge import Answers, Judge
from conformance.load_balancer.front import Front
from fixtures.api import Object
from fixtures.checks.holding import must_hold
from fixtures.checks.values import equal
from fixtures.clusters import ClusterInfo, IPFamily
from fixtures.history import History
from fixtures.prober.vantages import OutsideVantage
from fixtures.requirements import MUST, requirement
from fixtures.workloads.services import AZURE, FOREIGN_CLASS, Service, Services

FOREIGN_LOCAL: Object = {"loadBalancerClass": FOREIGN_CLASS, "externalTrafficPolicy": "Local"}
"""With a class that is nobody's the API server's part can be seen alone."""
WITHOUT_FLOATING_IP = {f"{AZURE}disable-load-balancer-floating-ip": "true"}


@requirement(
    "load_balancer.a_foreign_class_is_left_alone",
    promise="A Service with a loadBalancerClass of somebody else is ignored by the cluster's own load balancers.",
    source="kubernetes.io: Service, Specifying class of load balancer implementation",
    level=MUST,
    features=("load_balancer",),
)
def test_a_foreign_class_is_left_alone(front: Front) -> None:
    """Fault: `wishes_forgotten`, an admission policy that takes the class out of every new Service."""
    front.service("diagram")  # made after it, and it has its address
    foreign = front.services.read(front.made["foreign"])
    must_hold(
        front.history,
        equal("external addresses of a Service with a foreign class", {}, foreign.external_ips),
        equal("finalizers of it", [], foreign.body["metadata"].get("finalizers", [])),
        equal("events about it", [], front.events.reasons(foreign.body)),
    )


@requirement(
    "load_balancer.works_without_node_ports",
    promise="With allocateLoadBalancerNodePorts false there are no node ports, and the load balancer works without.",
    source="kubernetes.io: Service, Disabling load balancer NodePort allocation; AKS issues 3165 and 3453",
    level=MUST,
    features=("load_balancer", "outside"),
)
def test_it_works_without_node_ports(front: Front, family: IPFamily) -> None:
    """Fault: `wishes_forgotten`, an admission policy that has every new Service get node ports."""
    service = front.service("no node ports")
    given = [port.get("nodePort") for port in service.body["spec"]["ports"]]
    must_hold(front.history, equal("node ports of a Service that wants none", [None], given))
    front.must_reach([service.by_external_ip("http", 80, family)])


@requirement(
    "load_balancer.node_ports_can_come_later",
    promise="A load balancer without node ports gets them when allocateLoadBalancerNodePorts becomes true: they work, "
    "and its address stays and works on.",
    source="kubernetes.io: Service, Disabling load balancer NodePort allocation; test/e2e/network/loadbalancer.go: "
    "create LoadBalancer Service without NodePort and change it",
    level=MUST,
    features=("load_balancer", "outside", "node_ports"),
)
def test_node_ports_can_come_later(
    front: Front, judge: Judge, cluster: ClusterInfo, node_port_client: OutsideVantage
) -> None:
    """Fault: `settings_ignored`, an admission policy by which no change of a Service is heeded."""
    # With this policy Azure's needs none: it probes, and sends to, other ports.
    without: Object = {"externalTrafficPolicy": "Local", "allocateLoadBalancerNodePorts": False}
    made = front.services.create("load-balancer", selector=front.web.traffic_labels, **without)
    before = front.services.must_have_external_ips(made)
    given = [port.get("nodePort") for port in before.body["spec"]["ports"]]
    must_hold(front.history, equal("node ports of a Service that wants none", [None], given))
    targets = [before.by_external_ip("http", 80, family) for family in before.external_ips]
    front.must_reach(targets)
    said = front.times_ensured(before)
    after = front.services.must_change(before, allocateLoadBalancerNodePorts=True)
    (first, last), number = cluster.node_port_range, after.node_port("web")
    must_hold(front.history, equal(f"the node port {number} is one of {first}-{last}", True, first <= number <= last))
    by_node = zip(*(after.on_nodes(cluster, "http", family) for family in after.external_ips), strict=True)
    control = front.service("diagram").on_nodes(cluster, "http", cluster.families[0])[:1]
    answers = [
        Answers(node_port_client, on_node, {pod.name for pod in front.pods if pod.node == node.name}, control)
        for node, on_node in zip(cluster.nodes, by_node, strict=True)
    ]
    judge.must_follow(answers, token=front.web.token, of=len(front.pods))
    after = front.must_be_ensured(after, said + 1)
    must_hold(front.history, equal("external addresses", before.external_ips, after.external_ips))
    front.must_reach(targets)
    front.services.delete(after)


NEEDING_NODE_PORTS = {
    "Cluster": ("Cluster", {}),
    "Cluster without floating IP": ("Cluster", WITHOUT_FLOATING_IP),
    "Local without floating IP": ("Local", WITHOUT_FLOATING_IP),
}


@requirement(
    "load_balancer.without_the_node_ports_that_it_needs_it_says_so",
    promise="Where the load balancer or its probe needs a node port and there is none, the Service works or says why.",
    source="cloud-provider-azure: Azure LoadBalancer, allocateLoadBalancerNodePorts; AKS issue 3453",
    level=MUST,
    features=("load_balancer", "outside", "arm"),
)
@pytest.mark.parametrize("combination", NEEDING_NODE_PORTS)
def test_what_needs_node_ports_says_so(front: Front, cluster: ClusterInfo, combination: str) -> None:
    """Fault: `events_lost`, an admission policy that refuses events about Services."""
    policy, annotations = NEEDING_NODE_PORTS[combination]
    spec = {"selector": front.web.traffic_labels, "externalTrafficPolicy": policy}
    made = front.services.create("load-balancer", annotations, **spec, allocateLoadBalancerNodePorts=False)
    event = front.events.must_come(
        made.body,
        "an event that says how the load balancer came about",
        lambda e: e["reason"] in ("SyncLoadBalancerFailed", "EnsuredLoadBalancer"),
        within_s=front.budgets.load_balancer_address_s,
    )
    if event["reason"] == "EnsuredLoadBalancer":
        service = front.services.must_have_external_ips(made)
        front.must_reach([service.by_external_ip("http", 80, cluster.families[0])])
    front.services.delete(made)


def _with_health_port(services: Services, port: int | None) -> Service:
    given = {} if port is None else {"healthCheckNodePort": port}
    return services.create("load-balancer", **FOREIGN_LOCAL, **given)


@requirement(
    "load_balancer.health_check_node_ports_do_not_collide",
    promise="A healthCheckNodePort that is taken, by a node port or another one, is refused; a freed one can be had.",
    source="kubernetes.io: Service, Choosing your own port; Kubernetes issues 54885, 60749 and 64466",
    level=MUST,
)
def test_a_health_check_node_port_that_is_taken_is_refused(services: Services, history: History) -> None:
    """Fault: `wishes_forgotten`, an admission policy that forgets a health check node port that is asked for."""
    first, other = _with_health_port(services, None), services.create("node-port", ports=[{"name": "web", "port": 80}])
    taken = first.health_check_node_port
    for number in (taken, other.node_port("web")):
        services.must_be_refused(
            "load-balancer", naming=[str(number), "allocated"], **FOREIGN_LOCAL, healthCheckNodePort=number
        )
    node_ports = [{"name": "web", "port": 80, "nodePort": taken}]
    services.must_be_refused("node-port", naming=[str(taken), "already allocated"], ports=node_ports)
    services.delete(first)
    again = _with_health_port(services, taken)
    must_hold(history, equal("a health check node port that was freed", taken, again.health_check_node_port))
    for service in (again, other):
        services.delete(service)


@requirement(
    "load_balancer.health_check_node_port_out_of_range_is_refused",
    promise="A healthCheckNodePort must be in the range of node ports; another one makes the API transaction fail.",
    source="kubernetes.io: Service v1, healthCheckNodePort; Choosing your own port",
    level=MUST,
)
@pytest.mark.parametrize("side", ["below", "above"])
def test_a_health_check_node_port_out_of_range_is_refused(services: Services, cluster: ClusterInfo, side: str) -> None:
    """Fault: `wishes_forgotten`."""
    first, last = cluster.node_port_range
    number = first - 1 if side == "below" else last + 1
    services.must_be_refused("load-balancer", naming=["range"], **FOREIGN_LOCAL, healthCheckNodePort=number)
