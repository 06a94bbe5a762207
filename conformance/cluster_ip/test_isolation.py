"""A ClusterIP is of the cluster alone."""

from conformance.shared_web import SharedWeb
from fixtures.checks.holding import must_hold
from fixtures.checks.isolation import isolated
from fixtures.clusters import ClusterInfo, IPFamily
from fixtures.prober.plan import Protocol
from fixtures.prober.probing import Probing
from fixtures.prober.vantages import OutsideVantage, PodVantage
from fixtures.requirements import MUST, requirement
from fixtures.workloads.services import Service

PROTOCOLS: tuple[Protocol, ...] = ("http", "tcp", "udp")
CONTROL_RATE_PER_S = 10.0
"""Of each pod that shows, meanwhile, that the Service does answer inside."""


@requirement(
    "cluster_ip.is_not_reachable_from_outside",
    promise="Services and pods receive virtual IP addresses only accessible from within the cluster.",
    source="seed: Kubernetes services, paragraph 10",
    level=MUST,
    features=("node_ports",),
)
def test_a_cluster_ip_answers_nothing_from_outside(
    *,
    cluster: ClusterInfo,
    node_port_service: Service,
    shared_web: SharedWeb,
    pod_vantages: tuple[PodVantage, ...],
    node_port_client: OutsideVantage,
    probing: Probing,
    family: IPFamily,
) -> None:
    """Fault: `cluster_ip_leaked`, the way from outside gets a route for the Service range to a node."""
    node_ports = [node_port_service.on_nodes(cluster, protocol, family)[0] for protocol in PROTOCOLS]
    control = shared_web.must_be_reached(node_port_service, node_ports, [node_port_client])
    targets = [node_port_service.by_address(protocol, 80, family) for protocol in PROTOCOLS]
    pairs = [(vantage, targets) for vantage in pod_vantages]
    with probing.during(pairs, rate_per_s=CONTROL_RATE_PER_S, longest_s=60) as under_way:
        silent = probing.run(targets, [node_port_client], count=20)
    must_hold(shared_web.history, isolated(silent, control=[*control, *under_way.batches]))
