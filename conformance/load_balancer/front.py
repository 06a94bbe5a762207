"""What this chapter's tests share: two pods, and the load balancers in front of them, which all are made at once."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from fixtures.api import Object
from fixtures.budgets import Budgets
from fixtures.checks.holding import must_hold
from fixtures.checks.reachability import connections_to_see_all, reachability
from fixtures.clusters import ClusterInfo, IPFamily
from fixtures.history import History
from fixtures.prober.plan import Protocol, Target
from fixtures.prober.probing import Probing
from fixtures.prober.vantages import OutsideVantage, Vantage
from fixtures.probes import ProbeBatch
from fixtures.workloads.balanced import ENSURED
from fixtures.workloads.events import Events
from fixtures.workloads.services import AZURE, FOREIGN_CLASS, Service, Services
from fixtures.workloads.web import Pod, Web

SETTLED_S = 1.0
"""For so long everything that is about to be judged has been answered before; or else it is judged as it is."""
SETTLING_RATE_PER_S = 20.0
HTTP_AND_UDP = (
    {"name": "web", "port": 80, "targetPort": 80, "protocol": "TCP"},
    {"name": "web-udp", "port": 80, "targetPort": 80, "protocol": "UDP"},
)
NOBODY = ("192.0.2.0/24", "3fff::/20")
"""Ranges that no client is in: they are reserved for documentation (RFC 5737, RFC 9637)."""
EVERYBODY = ("0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1")
"""Ranges that each client is in, none of which means anywhere by itself."""


class Wanted(NamedTuple):
    """A Service to make: its manifest, annotations, and what differs in its spec."""

    manifest: str
    annotations: dict[str, str]
    spec: Object


def wanted(manifest: str = "load-balancer", annotations: dict[str, str] | None = None, **spec: object) -> Wanted:
    """A Service in front of the two pods; annotations without what all of Azure's begin with."""
    return Wanted(manifest, {AZURE + name: value for name, value in (annotations or {}).items()}, spec)


ANYWHERE: dict[str, Wanted] = {
    # The first of all: when those behind it have their addresses, somebody has had the time to take it up.
    "foreign": wanted(loadBalancerClass=FOREIGN_CLASS),
    "diagram": wanted(),
    "ports": wanted("load-balancer-ports"),
    "local": wanted(externalTrafficPolicy="Local", ports=HTTP_AND_UDP),
    "affinity": wanted(sessionAffinity="ClientIP"),
    "refusing": wanted(loadBalancerSourceRanges=NOBODY),
    "admitting": wanted(loadBalancerSourceRanges=EVERYBODY),
    "no node ports": wanted(externalTrafficPolicy="Local", allocateLoadBalancerNodePorts=False),
    "empty": wanted(externalTrafficPolicy="Local", selector={"app": "nothing-has-this-label"}),
}
"""What each cluster with load balancers can be asked for, by the name that tests use."""
ON_AZURE: dict[str, Wanted] = {
    "internal": wanted(annotations={"load-balancer-internal": "true"}, ports=HTTP_AND_UDP),
    "refusing node ports": wanted(
        annotations={"disable-load-balancer-floating-ip": "true"}, loadBalancerSourceRanges=NOBODY
    ),
}
"""What Azure's annotations ask for."""


def make_services(cluster: ClusterInfo, web: Web, services: Services) -> dict[str, Service]:
    """All of the chapter's shared Services, as the API server stored them; waits for none."""
    asked = ANYWHERE | (ON_AZURE if cluster.arm else {})
    selecting = {"selector": web.traffic_labels}
    return {name: services.create(w.manifest, w.annotations, **selecting | w.spec) for name, w in asked.items()}


@dataclass(frozen=True)
class Front:
    """The load balancers in front of two ready pods, as one test sees them; a test must leave them as they are."""

    cluster: ClusterInfo
    budgets: Budgets
    web: Web
    pods: tuple[Pod, ...]
    made: dict[str, Service]
    """The shared Services by name, with their addresses once a test has waited for these."""
    services: Services
    events: Events
    probing: Probing
    history: History
    outside: OutsideVantage = field(repr=False)

    @property
    def names(self) -> set[str]:
        """Of the pods."""
        return {pod.name for pod in self.pods}

    @property
    def nodes_of_pods(self) -> set[str]:
        """The nodes with pods, which are two."""
        return {pod.node for pod in self.pods}

    @property
    def node_by_address(self) -> dict[str, str]:
        """The names of the nodes, by each of their addresses."""
        return {str(address): node.name for node in self.cluster.nodes for address in node.addresses}

    def service(self, name: str) -> Service:
        """A shared Service with its addresses; raises BrokenPromise when it does not get them."""
        service = self.made[name]
        if not service.external_ips:
            service = self.made[name] = self.services.must_have_external_ips(service)
        return service

    def external(self, name: str, protocol: Protocol, port: int, family: IPFamily) -> Target:
        """A port of a shared Service's load balancer."""
        return self.service(name).by_external_ip(protocol, port, family)

    def times_ensured(self, service: Service) -> int:
        """How often who makes load balancers has said that this one is as its Service wants it."""
        return self.events.times(service.body, ENSURED)

    def must_be_ensured(self, service: Service, times: int) -> Service:
        """Wait until that was said so often, those before this included; gives the Service; raises BrokenPromise."""
        what = f"{times} events {ENSURED}"
        self.events.must_come(service.body, what, lambda event: bool(event["reason"] == ENSURED), times=times)
        return self.services.read(service)

    def settle(self, targets: Sequence[Target], vantages: Sequence[Vantage], pods: Collection[str] = ()) -> None:
        """Wait until all of these answer from each vantage, by each of `pods`, or have had the time that they may take.

        What is judged comes after that, and is judged as it is.
        """
        pairs = [(vantage, targets) for vantage in vantages]
        limit_s = max(self.budgets.service_creation_s, self.budgets.load_balancer_health_s)
        rate_per_s = SETTLING_RATE_PER_S * len(targets)
        with self.probing.during(pairs, rate_per_s=rate_per_s, longest_s=2 * limit_s, judged=False) as under_way:
            since = time.time()
            under_way.wait_until_quiet(since=since, quiet_s=SETTLED_S, timeout_s=limit_s)
            left_s = max(0.0, since + limit_s - time.time())
            under_way.wait_until_seen(pods, since=since, timeout_s=left_s)

    def must_reach(
        self,
        targets: Sequence[Target],
        vantages: Sequence[Vantage] = (),
        *,
        pods: Collection[str] | None = None,
        token: str | None = None,
        pod_port: int = 80,
    ) -> list[ProbeBatch]:
        """From each vantage (by default outside) each target reaches every pod, on `pod_port`, and nothing else.

        Judged over `connections_to_see_all` new connections; none may be lost. Other `pods` than the two go with
        their `token`.

        Raises:
            BrokenPromise: not so.
        """
        vantages = vantages or [self.outside]
        expected = self.names if pods is None else pods
        self.settle(targets, vantages, expected)
        batches = self.probing.run(targets, vantages, count=connections_to_see_all(len(expected)))
        must_hold(self.history, reachability(batches, pods=expected, token=token or self.web.token, pod_port=pod_port))
        return batches
