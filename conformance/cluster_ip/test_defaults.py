"""What a Service is when its author says nothing about it."""

from fixtures.checks.holding import must_hold
from fixtures.checks.values import equal, lie_in
from fixtures.clusters import ClusterInfo
from fixtures.history import History
from fixtures.requirements import MUST, requirement
from fixtures.workloads.services import Services


@requirement(
    "cluster_ip.is_the_default_type",
    promise="If you don't specify the service type, you'll get the default type, ClusterIP.",
    source="seed: Kubernetes services, paragraph 9",
    level=MUST,
)
def test_a_service_without_a_type_is_a_cluster_ip(services: Services, history: History) -> None:
    """Fault: `type_changed`, an admission policy that makes every new Service a NodePort."""
    service = services.create("cluster-ip", type=None)
    must_hold(
        history,
        equal("type of a Service made without one", "ClusterIP", service.body["spec"]["type"]),
        equal("type when it is read again", "ClusterIP", services.read(service).body["spec"]["type"]),
    )


@requirement(
    "cluster_ip.address_is_from_the_service_range",
    promise="A Service of type ClusterIP gets its address from the cluster's pool of addresses reserved for Services.",
    source="kubernetes.io: Service, type: ClusterIP",
    level=MUST,
)
def test_the_address_is_from_the_service_range(services: Services, cluster: ClusterInfo, history: History) -> None:
    """Fault: `range_added`, another ServiceCIDR and an admission policy that takes the address from it."""
    service = services.create("cluster-ip", ports=[{"port": 80}])
    must_hold(
        history,
        lie_in("ClusterIP", list(service.cluster_ips.values()), cluster.service_ranges),
        equal("families of a dual-stack Service", list(cluster.families), list(service.cluster_ips)),
    )
