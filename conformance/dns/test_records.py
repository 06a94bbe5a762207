"""Which records the Services of a cluster have, in which forms they can be asked for, and for how long they hold."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

import pytest

from conformance.directory import RECORD_LIVES_S, RECORDS, Asked
from fixtures.checks.holding import must_hold
from fixtures.checks.names import asked_as, leads_nowhere, lives_at_most, no_data, resolves_to, srv_lead_to
from fixtures.clusters import ClusterInfo, IPFamily
from fixtures.errors import BrokenPromise
from fixtures.prober.vantages import PodVantage
from fixtures.requirements import MUST, SHOULD, requirement
from fixtures.verdicts import NotObservable
from fixtures.workloads.services import Service

pytestmark = pytest.mark.scenario("names")

FORMS: dict[str, Callable[[Service], str]] = {
    "name": lambda service: service.name,
    "name.namespace": lambda service: f"{service.name}.{service.namespace}",
    "name.namespace.svc": lambda service: service.dns_name,
}
"""How a name may be given by a pod of the Service's namespace, which completes it by its search list."""


@requirement(
    "dns.short_names_resolve",
    promise="A pod reaches a Service by name, name.namespace and name.namespace.svc; its search list completes them.",
    source="kubernetes.io: DNS for Services and Pods, Namespaces of Services; test/e2e/network/dns.go",
    level=MUST,
)
@pytest.mark.parametrize("form", FORMS)
def test_short_names_resolve(asked: Asked, family: IPFamily, form: str) -> None:
    """Fault: `names_elsewhere`."""
    twin = asked.directory.made["twin"]
    batches = asked.ask(FORMS[form](twin), RECORDS[family])
    right = resolves_to(batches, [twin.cluster_ips[family]])
    must_hold(asked.history, right, asked_as(batches, asked.full_name(twin)))


@requirement(
    "dns.full_names_resolve",
    promise="A Service's name in full, name.namespace.svc.DOMAIN and a dot, resolves without a search list.",
    source="Kubernetes DNS-Based Service Discovery, 2.3.1 A/AAAA Record",
    level=MUST,
)
def test_full_names_resolve(asked: Asked, family: IPFamily) -> None:
    """Fault: `names_elsewhere`."""
    twin = asked.directory.made["twin"]
    full = asked.full_name(twin)
    if not full.startswith(f"{twin.dns_name}."):
        raise BrokenPromise(expected=f"{twin.dns_name} found below a domain", observed=full, vantage="pods")
    must_hold(asked.history, resolves_to(asked.ask(full, RECORDS[family]), [twin.cluster_ips[family]]))


@requirement(
    "dns.named_ports_have_srv_records",
    promise="SRV records are created for named ports: _port._protocol.service gives the port's number and the name.",
    source="kubernetes.io: DNS for Services and Pods, SRV records; DNS-Based Service Discovery, 2.3.2",
    level=MUST,
)
@pytest.mark.parametrize(("port", "number"), [("_number._tcp", 80), ("_by-name._tcp", 81), ("_udp._udp", 82)])
def test_named_ports_have_srv_records(asked: Asked, port: str, number: int) -> None:
    """Fault: `records_damaged`, DNS has no SRV, PTR and CNAME records, and others live for an hour."""
    described = asked.directory.made["described"]
    batches = asked.ask(f"{port}.{described.dns_name}", "SRV")
    must_hold(asked.history, srv_lead_to(batches, number, [asked.full_name(described)]))


@requirement(
    "dns.addresses_have_names",
    promise="The ClusterIP of a Service has a PTR record, which says the Service's name.",
    source="Kubernetes DNS-Based Service Discovery, 2.3.3 PTR Record; test/e2e/network/dns.go",
    level=MUST,
)
def test_addresses_have_names(asked: Asked, family: IPFamily) -> None:
    """Fault: `records_damaged`."""
    twin = asked.directory.made["twin"]
    reverse = f"{ip_address(twin.cluster_ips[family]).reverse_pointer}."
    must_hold(asked.history, resolves_to(asked.ask(reverse, "PTR"), [asked.full_name(twin)]))


@requirement(
    "dns.records_expire_soon",
    promise="What DNS says of a Service may be kept for half a minute at most, so that clients follow it.",
    source="Kubernetes, cmd/kubeadm: Corefile, ttl 30 and cache 30; CoreDNS, kubernetes: ttl",
    level=SHOULD,
)
@pytest.mark.parametrize("name", ["twin", "headless"])
def test_records_expire_soon(asked: Asked, family: IPFamily, name: str) -> None:
    """Fault: `records_damaged`."""
    batches = asked.ask(asked.directory.made[name].dns_name, RECORDS[family])
    must_hold(asked.history, lives_at_most(batches, RECORD_LIVES_S))


@requirement(
    "dns.no_record_is_no_denial",
    promise="Where a Service has no record of a type, DNS says so and does not deny the name: NOERROR, not NXDOMAIN.",
    source="RFC 2308, 2.2 No Data; Kubernetes DNS-Based Service Discovery, 2.3.1",
    level=MUST,
)
@pytest.mark.parametrize("kind", ["address of the other family", "other name"])
def test_no_record_is_no_denial(asked: Asked, cluster: ClusterInfo, kind: str) -> None:
    """Fault: `names_elsewhere`."""
    single = asked.directory.made["one family"]
    other = next(family for family in IPFamily if family is not cluster.families[0])
    name = asked.full_name(single) or f"{single.dns_name}.cluster.local."
    batches = asked.ask(name, "CNAME" if kind == "other name" else RECORDS[other])
    must_hold(asked.history, no_data(batches))


@requirement(
    "dns.pods_on_the_host_network_use_it_too",
    promise="A pod on the host's network with dnsPolicy ClusterFirstWithHostNet finds Services by short names.",
    source="kubernetes.io: DNS for Services and Pods, Pod's DNS Policy; test/e2e/network/dns.go: DNS HostNetwork",
    level=MUST,
)
def test_pods_on_the_host_network(asked: Asked, node_vantages: tuple[PodVantage, ...], family: IPFamily) -> None:
    """Fault: `names_elsewhere`."""
    twin = asked.directory.made["twin"]
    batches = asked.ask(f"{twin.name}.{twin.namespace}", RECORDS[family], node_vantages)
    must_hold(asked.history, resolves_to(batches, [twin.cluster_ips[family]]))


@requirement(
    "dns.a_pod_may_have_its_own_configuration",
    promise="With dnsPolicy None a pod has the name servers, options and search list of its dnsConfig, be it long, "
    "and no others.",
    source="kubernetes.io: DNS for Services and Pods, Pod's DNS Config, DNS search domain list limits; KEP-2595; "
    "test/e2e/network/dns.go",
    level=MUST,
)
@pytest.mark.parametrize("form", ["name.namespace", "name"])
def test_a_pod_with_its_own_configuration(asked: Asked, family: IPFamily, form: str) -> None:
    """Fault: `names_elsewhere`.

    The search list of the pod ends in svc.DOMAIN, and what is before it leads nowhere: it completes name.namespace, and
    not the name alone, as the list of the cluster would.
    """
    twin, configured = asked.directory.made["twin"], asked.directory.configured
    if configured is None:
        raise NotObservable("the address of the cluster's DNS is not known: there is no Service kube-system/kube-dns")
    batches = asked.ask(FORMS[form](twin), RECORDS[family], (configured,))
    if form == "name":
        # Asked for in the end as it is, a name of the world's.
        must_hold(asked.history, leads_nowhere(batches))
    else:
        must_hold(asked.history, resolves_to(batches, [twin.cluster_ips[family]]))
