"""A Service whose pods are replaced while it is watched and probed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from fixtures.api import Api
from fixtures.checks.names import must_resolve_to
from fixtures.checks.reachability import connections_to_see_all, must_reach
from fixtures.checks.stability import must_keep_addresses
from fixtures.clusters import ClusterInfo
from fixtures.history import History
from fixtures.prober.plan import Target
from fixtures.prober.probing import Probing
from fixtures.prober.vantages import OutsideVantage, PodVantage, Vantage
from fixtures.verdicts import NotObservable
from fixtures.workloads.namespaces import Namespaces
from fixtures.workloads.observer import observing
from fixtures.workloads.services import Service, Services
from fixtures.workloads.web import Pod, Web

LONGEST_S = 300.0
"""A replacement that takes longer is no longer probed."""

MustSurvive = Callable[[Callable[[tuple[Pod, ...]], None]], None]


@pytest.fixture(scope="module")
def own_namespace(namespaces: Namespaces) -> Iterator[str]:
    """A namespace for pods that are replaced."""
    name = namespaces.create("lifecycle")
    yield name
    namespaces.delete(name)


@pytest.fixture(scope="module")
def module_web(api: Api, cluster: ClusterInfo, own_namespace: str) -> Web:
    """Three pods of this module."""
    return Web(api, cluster, own_namespace)


@pytest.fixture(scope="module")
def replaced_service(api: Api, module_web: Web) -> Service:
    """A Service of type NodePort in front of them, on any free node port."""
    ports = [{"name": "web", "port": 80}]
    return Services(api, module_web.namespace, History()).create("node-port", ports=ports)


@pytest.fixture
def replaceable(module_web: Web, history: History) -> Web:
    """The pods, their changes recorded in this test's history."""
    module_web.history = history
    return module_web


@pytest.fixture
def must_survive(
    *,
    api: Api,
    cluster: ClusterInfo,
    replaceable: Web,
    replaced_service: Service,
    pod_vantages: tuple[PodVantage, ...],
    outside: OutsideVantage,
    history: History,
    probing: Probing,
    first_seen: dict[tuple[str, ...], float],
) -> MustSurvive:
    """Check that a Service is the same, and reaches exactly the new pods, once `replace` has replaced all its pods."""
    services = Services(api, replaceable.namespace, history, first_seen)
    service = replaced_service
    by_name = [service.by_name("http", 80, family) for family in cluster.families]
    inside = [*by_name, *(service.by_address("http", 80, family) for family in cluster.families)]
    node_ports = [t for family in cluster.families for t in service.on_nodes(cluster, "http", family)]
    name = Target(name=f"A {service.dns_name}", address=service.dns_name, protocol="dns")

    def must_serve(pods: tuple[Pod, ...]) -> None:
        converged_at = services.must_have_endpoints(service, pods)
        count = connections_to_see_all(len(pods))
        pairs: list[tuple[Vantage, list[Target]]] = [
            *((vantage, inside) for vantage in pod_vantages),
            (outside, node_ports),
        ]
        batches = probing.run_from(pairs, count=count, converged_at=converged_at)
        must_reach(batches, pods={pod.name for pod in pods}, token=replaceable.token)
        must_resolve_to(probing.run([name], pod_vantages, count=1), [next(iter(service.cluster_ips.values()))])

    def check(replace: Callable[[tuple[Pod, ...]], None]) -> None:
        before = replaceable.wait_until_serving()
        services.read(service)
        must_serve(before)
        with observing(api, replaceable.namespace, history), probing.during(inside, pod_vantages, longest_s=LONGEST_S):
            replace(before)
            after = replaceable.wait_until_serving(other_than=before)
        if {ip for pod in before for ip in pod.ips} == {ip for pod in after for ip in pod.ips}:
            raise NotObservable("the new pods were given the addresses of the old ones")
        must_serve(after)
        services.read(service)
        must_keep_addresses(history, service.name)

    return check
