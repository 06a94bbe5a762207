"""The names of Services that have a ClusterIP."""

import secrets
import time

from conformance.shared_web import SharedWeb
from conformance.versions import must_be_of
from fixtures.api import SERVICES, Api, Refused
from fixtures.checks.holding import must_hold
from fixtures.checks.names import does_not_exist, resolves_to
from fixtures.clusters import ClusterInfo, IPFamily
from fixtures.errors import BrokenPromise
from fixtures.history import History
from fixtures.prober.plan import QueryType, Target
from fixtures.prober.probing import Probing
from fixtures.prober.vantages import PodVantage
from fixtures.requirements import MUST, SHOULD, requirement
from fixtures.workloads.manifests import load
from fixtures.workloads.services import Service

RECORDS: dict[IPFamily, QueryType] = {IPFamily.IPV4: "A", IPFamily.IPV6: "AAAA"}
QUERIES = 5
DIGITS_SINCE = (1, 36)
"""The version that has the feature gate RelaxedServiceNameValidation on by default."""


def asked_for(service: Service, family: IPFamily) -> Target:
    """A Service's name, asked for its addresses of a family."""
    name, record = service.dns_name, RECORDS[family]
    return Target(name=f"{record} {name}", address=name, protocol="dns", query_type=record)


@requirement(
    "dns.name_resolves_to_the_cluster_ip",
    promise="Normal Services are assigned A and AAAA records for their name that resolve to the cluster IP.",
    source="kubernetes.io: DNS for Services and Pods, Services, A/AAAA records",
    level=MUST,
)
def test_the_name_resolves_to_the_cluster_ip(
    cluster_ip_service: Service,
    shared_web: SharedWeb,
    pod_vantages: tuple[PodVantage, ...],
    probing: Probing,
    family: IPFamily,
) -> None:
    """Fault: `names_elsewhere`, the cluster's DNS gives every name an address that is not a Service's."""
    converged_at = shared_web.must_be_behind(cluster_ip_service)
    target = asked_for(cluster_ip_service, family)
    batches = probing.run([target], pod_vantages, count=QUERIES, converged_at=converged_at)
    must_hold(shared_web.history, resolves_to(batches, [cluster_ip_service.cluster_ips[family]]))


@requirement(
    "dns.names_are_told_over_tcp_too",
    promise="The cluster's DNS answers over TCP as over UDP: clients turn to it for what no datagram holds.",
    source="RFC 7766, 5; test/e2e/network/dns.go: should provide DNS for the cluster",
    level=MUST,
)
def test_names_are_told_over_tcp_too(
    cluster_ip_service: Service,
    shared_web: SharedWeb,
    pod_vantages: tuple[PodVantage, ...],
    probing: Probing,
    family: IPFamily,
) -> None:
    """Fault: `dns_closed_over_tcp`, one node refuses its pods connections to DNS."""
    converged_at = shared_web.must_be_behind(cluster_ip_service)
    target = asked_for(cluster_ip_service, family).model_copy(update={"dns_transport": "tcp"})
    batches = probing.run([target], pod_vantages, count=QUERIES, converged_at=converged_at)
    must_hold(shared_web.history, resolves_to(batches, [cluster_ip_service.cluster_ips[family]]))


@requirement(
    "dns.a_name_may_begin_with_a_digit",
    promise="A Service's name may begin with a digit, as a DNS label may, and resolves as any other.",
    source="KEP-5311, Relaxed validation for Services names; test/e2e/network/dns.go: starts with a digit",
    level=SHOULD,
)
def test_a_name_may_begin_with_a_digit(
    *,
    api: Api,
    cluster: ClusterInfo,
    shared_namespace: str,
    pod_vantages: tuple[PodVantage, ...],
    probing: Probing,
    history: History,
) -> None:
    """Fault: `names_elsewhere`."""
    must_be_of(cluster, DIGITS_SINCE, "names that begin with a digit are")
    body = load("services/cluster-ip.yaml")
    body["metadata"] = {"name": f"1-{secrets.token_hex(4)}"}
    try:
        service = Service(api.create(SERVICES, body, shared_namespace))
    except Refused as refused:
        expected = f"a Service named {body['metadata']['name']}"
        raise BrokenPromise(expected=expected, observed=str(refused), vantage="the API") from refused
    asked = {asked_for(service, family): ip for family, ip in service.cluster_ips.items()}
    batches = probing.run([*asked], pod_vantages, count=QUERIES, converged_at=time.time())
    must_hold(history, *(resolves_to([b.of(target.name) for b in batches], [ip]) for target, ip in asked.items()))
    api.delete(SERVICES, service.name, shared_namespace)


@requirement(
    "dns.no_service_no_name",
    promise="A name of no Service in a namespace of the cluster does not exist: NXDOMAIN, told by the cluster's DNS.",
    source="Kubernetes DNS-Based Service Discovery, 2.1 Definitions; RFC 8020",
    level=MUST,
)
def test_a_name_without_a_service_does_not_exist(
    cluster_ip_service: Service,
    shared_web: SharedWeb,
    pod_vantages: tuple[PodVantage, ...],
    probing: Probing,
) -> None:
    """Fault: `names_elsewhere`."""
    converged_at = shared_web.must_be_behind(cluster_ip_service)
    known = Target(name="known", address=cluster_ip_service.dns_name, protocol="dns")
    found = probing.run([known], pod_vantages[:1], count=1, converged_at=converged_at)[0].probes[0]
    full_name = found.dns.name if found.dns else cluster_ip_service.dns_name
    name = f"no-{full_name}."
    missing = Target(name=f"A {name}", address=name, protocol="dns")
    must_hold(shared_web.history, does_not_exist(probing.run([missing], pod_vantages, count=QUERIES)))
