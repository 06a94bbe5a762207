"""What a Service promises holds among hundreds of others, which proxies and the cluster's DNS have to know as well."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from conformance.directory import RECORDS
from conformance.lifecycle.test_convergence import answering
from conformance.verbs import as_far_as_allowed
from fixtures.api import ENDPOINT_SLICES, SERVICES, Api, Object
from fixtures.checks.convergence import convergence
from fixtures.checks.holding import must_hold
from fixtures.checks.names import each_resolves_to
from fixtures.clusters import ClusterInfo, IPFamily
from fixtures.history import History
from fixtures.prober.plan import Target
from fixtures.prober.probing import Probing
from fixtures.prober.vantages import PodVantage
from fixtures.requirements import SHOULD, requirement
from fixtures.scenarios.scenario import two
from fixtures.scenarios.stage import Stage
from fixtures.scenarios.ways import REQUESTS
from fixtures.verdicts import NotObservable
from fixtures.workloads.namespaces import Namespaces
from fixtures.workloads.services import Service
from fixtures.workloads.slices import hand_made

pytestmark = pytest.mark.disruptive
MANY = 500
LABEL = {"crowd": "yes"}
AT_ONCE = 8
"""Services that are made at the same time."""
QUERIES, RATE_PER_S = 2, 200.0
"""Questions for each name, and of all of them a second, from each node."""
BY_NUMBER = tuple(way for way in REQUESTS if way.use == "new" and way.service_type != "LoadBalancer")
"""Load balancers take their time whoever else is there."""


class Crowd(NamedTuple):
    """Services of one family, and the wall clock at which the last of them was there."""

    services: list[Service]
    made_at: float


@pytest.fixture(scope="module")
def crowd(api: Api, cluster: ClusterInfo, namespaces: Namespaces) -> Iterator[Crowd]:
    """Services of two endpoints each that nobody calls: their addresses are for documentation (RFC 5737, RFC 3849)."""
    family, addresses = cluster.families[0], cluster.service_ranges[0].num_addresses
    if addresses < 4 * MANY:
        raise NotObservable(f"{cluster.service_ranges[0]}: {addresses} ClusterIPs, {4 * MANY} are needed for a crowd")
    namespace, prefix = namespaces.create("crowd"), "192.0.2." if family is IPFamily.IPV4 else "2001:db8::"

    def make(number: int) -> Service:
        spec = {"ports": [{"name": "web", "port": 80}]}
        body = {"apiVersion": "v1", "kind": "Service", "metadata": {"generateName": "one-of-many-", "labels": LABEL}}
        service = Service(api.create(SERVICES, body | {"spec": spec}, namespace))
        endpoints: list[Object] = [{"addresses": [f"{prefix}{1 + (number + n) % 250}"]} for n in range(2)]
        port = {"name": "web", "port": 80, "protocol": "TCP"}
        api.create(ENDPOINT_SLICES, hand_made(service, family, [port], endpoints, LABEL), namespace)
        return service

    try:
        with as_far_as_allowed(f"make {MANY} Services"), ThreadPoolExecutor(AT_ONCE) as pool:
            made = list(pool.map(make, range(MANY)))
        yield Crowd(made, time.time())
    finally:
        for resource in (SERVICES, ENDPOINT_SLICES):
            api.delete_all(resource, namespace, selector="crowd=yes")


@requirement(
    "cluster_ip.a_new_one_answers_soon_among_many",
    promise=f"Among {MANY} other Services a new one answers as soon as it does alone, everywhere.",
    source="kubernetes.io: Virtual IPs and Service Proxies, Optimizing iptables mode performance; KEP-3866, Motivation",
    level=SHOULD,
    features=("node_ports_outside",),
)
@pytest.mark.usefixtures("crowd")
def test_a_new_service_answers_soon_among_many(stage: Stage, history: History, probing: Probing) -> None:
    """Fault: `proxy_stopped`, kube-proxy of one node does not run."""
    with stage.webs.one(two(stage.budgets)) as web:
        web.wait_until_serving()
        found = answering(stage, web, BY_NUMBER, history, probing)
    budget_s = stage.budgets.service_creation_s
    must_hold(history, convergence(found, budget_s=budget_s, what=f"a new Service answers among {MANY}"))


@requirement(
    "cluster_ip.many_names_resolve_under_load",
    promise=f"Each of {MANY} names is its own Service's, asked for from every node at {RATE_PER_S:g} a second.",
    source="kubernetes.io: DNS for Services and Pods; test/e2e/network/dns_scale_records.go",
    level=SHOULD,
)
def test_many_names_resolve_under_load(
    crowd: Crowd, pod_vantages: tuple[PodVantage, ...], probing: Probing, history: History
) -> None:
    """Fault: `names_elsewhere`, the cluster's DNS gives every name an address that is not a Service's."""
    (family,) = crowd.services[0].cluster_ips
    targets = [
        Target(name=service.name, address=service.dns_name, protocol="dns", query_type=RECORDS[family])
        for service in crowd.services
    ]
    batches = probing.run(targets, pod_vantages, count=QUERIES, converged_at=crowd.made_at, rate_per_s=RATE_PER_S)
    wanted = {service.name: list(service.cluster_ips.values()) for service in crowd.services}
    must_hold(history, each_resolves_to(batches, wanted))
