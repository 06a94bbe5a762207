"""Services that are changed once, all at the same time, and judged by many tests afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from conformance.judge import settle
from fixtures.api import Object
from fixtures.clusters import ClusterInfo, IPFamily
from fixtures.errors import BrokenPromise
from fixtures.history import History
from fixtures.prober.plan import Target
from fixtures.prober.probing import Pairs, Probing
from fixtures.prober.vantages import OutsideVantage, PodVantage
from fixtures.workloads.services import Service, Services
from fixtures.workloads.web import Pod, Web

HTTP_AND_UDP = (
    {"name": "web", "port": 80, "targetPort": 80, "protocol": "TCP"},
    {"name": "web-udp", "port": 80, "targetPort": 80, "protocol": "UDP"},
)
EXTERNAL_NAME = "service.conformance.example"
"""A name that is nobody's (RFC 6761)."""
OWN_NODE_PORTS = range(30030, 30080)
"""Node ports to ask for: in the band that is kept for who asks (KEP-3668), clear of the diagram's."""

ServiceType = Literal["ClusterIP", "NodePort", "ExternalName"]
TYPES: tuple[ServiceType, ...] = ("ClusterIP", "NodePort", "ExternalName")
BOTH = [IPFamily.IPV4, IPFamily.IPV6]


class Change(NamedTuple):
    """What a Service of a manifest is at first, and what is changed in it then; `on_node_port`: a number of its own."""

    manifest: str
    before: Object
    after: Object
    on_node_port: bool = False


def _of_type(to: ServiceType) -> Object:
    """The part of a spec that makes a Service one of this type."""
    return {"type": to, "externalName": EXTERNAL_NAME if to == "ExternalName" else None}


def _type_change(before: ServiceType, after: ServiceType) -> Change:
    """From one type to another; of node ports those in the static band, so that nobody else takes what is freed."""
    families = {"ipFamilyPolicy": None if before == "ExternalName" else "PreferDualStack"}
    manifest = "node-port" if before == "NodePort" else "cluster-ip"
    to = _of_type(after)
    if before == "ExternalName":
        to |= {"ipFamilyPolicy": "PreferDualStack"}
    return Change(manifest, _of_type(before) | families, to, on_node_port=before == "NodePort")


TYPE_CHANGES = {f"{a} to {b}": _type_change(a, b) for a in TYPES for b in TYPES if a != b}
FAMILY_CHANGES = {
    "IPv4 to dual": Change(
        "cluster-ip",
        {"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4"]},
        {"ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv4", "IPv6"]},
    ),
    "IPv6 to dual": Change(
        "cluster-ip",
        {"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv6"]},
        {"ipFamilyPolicy": "RequireDualStack"},
    ),
    "dual to IPv4": Change(
        "cluster-ip",
        {"ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv4", "IPv6"]},
        {"ipFamilyPolicy": "SingleStack"},
    ),
    "dual to IPv6": Change(
        "cluster-ip",
        {"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6", "IPv4"]},
        {"ipFamilyPolicy": "SingleStack"},
    ),
}
PORT_CHANGES = {
    "port added": Change(
        "node-port",
        {},
        {"ports": [*HTTP_AND_UDP, {"name": "other", "port": 8080, "targetPort": 8080, "protocol": "TCP"}]},
        on_node_port=True,
    ),
    "another node port": Change("node-port", {}, {}, on_node_port=True),
}


@dataclass
class Changed:
    """A Service before and after its change."""

    before: Service
    _after: Service | BrokenPromise | None = field(default=None)

    @property
    def after(self) -> Service:
        """As it was stored; raises BrokenPromise when the change was refused."""
        if isinstance(self._after, BrokenPromise):
            raise self._after
        assert self._after
        return self._after

    def change(self, services: Services, spec: Object) -> None:
        """Change it; a refusal is told by `after`."""
        try:
            self._after = services.must_change(self.before, **spec)
        except BrokenPromise as broken:
            self._after = broken


@dataclass(frozen=True)
class Changes:
    """Three ready pods, and Services in front of them that were changed."""

    web: Web
    pods: tuple[Pod, ...]
    made: dict[str, Changed]

    @property
    def names(self) -> frozenset[str]:
        """Of the pods."""
        return frozenset(pod.name for pod in self.pods)


def _create(services: Services, change: Change, web: Web, node_ports: range) -> Service:
    spec = {"selector": web.labels} | change.before
    if change.on_node_port:
        return services.create_on_node_port(change.manifest, node_ports, **spec)
    return services.create(change.manifest, **spec)


def _numbers(count: int) -> list[range]:
    """The node ports, dealt to so many Services, so that each has some to try."""
    each = len(OWN_NODE_PORTS) // count
    return [OWN_NODE_PORTS[n * each : (n + 1) * each] for n in range(count)]


def make_changes(
    services: Services, web: Web, pods: tuple[Pod, ...], changes: dict[str, Change]
) -> tuple[Changes, dict[str, Object]]:
    """The Services before their changes, and what is to be changed in each."""
    numbers = dict(zip(changes, _numbers(len(changes)), strict=True))
    made = {name: Changed(_create(services, change, web, numbers[name])) for name, change in changes.items()}
    todo = {name: change.after for name, change in changes.items()}
    if "another node port" in made:
        before = made["another node port"].before
        other = numbers["another node port"][-1]
        ports = [port | {"nodePort": other} for port in before.body["spec"]["ports"]]
        todo["another node port"] = {"ports": ports}
    for changed in made.values():
        if changed.before.cluster_ips:
            services.must_have_endpoints(changed.before, pods)
    return Changes(web, pods, made), todo


def targets_of(service: Service) -> list[Target]:
    """The ClusterIPs of a Service that has some."""
    return [service.by_address("http", 80, family) for family in service.cluster_ips]


def outside(service: Service, cluster: ClusterInfo) -> list[Target]:
    """Its node ports on all nodes."""
    return [target for family in cluster.families for target in service.on_nodes(cluster, "http", family)]


def must_be_free(services: Services, number: int) -> None:
    """A node port that was given up can be had by another Service; raises BrokenPromise when it cannot."""
    ports = [port | {"nodePort": number} for port in HTTP_AND_UDP]
    # Without pods: what still answers at the node port is not this one.
    found = services.must_create("node-port", selector=None, ports=ports)
    services.delete(found)


def pairs_of(
    found: list[Service], cluster: ClusterInfo, inside: tuple[PodVantage, ...], client: OutsideVantage | None
) -> Pairs:
    """All ClusterIPs from inside, all node ports from outside."""
    within = [target for service in found for target in targets_of(service)]
    with_ports = [service for service in found if service.body["spec"]["type"] == "NodePort"]
    without = [target for service in with_ports for target in outside(service, cluster)] if client else []
    return [*((vantage, within) for vantage in inside), *([(client, without)] if client else [])]


def change_all(
    *,
    services: Services,
    cluster: ClusterInfo,
    changes: Changes,
    todo: dict[str, Object],
    inside: tuple[PodVantage, ...],
    client: OutsideVantage | None,
) -> None:
    """Change all Services, each of which answered before, and wait until they do again, if they ever do."""
    probing = Probing(History())
    before = [one.before for one in changes.made.values()]
    settle(probing, pairs_of(before, cluster, inside, client), changes.names)
    for name, spec in todo.items():
        changes.made[name].change(services, spec)
    taken = [one.after for one in changes.made.values() if isinstance(one._after, Service)]
    for service in taken:
        if service.cluster_ips:
            services.must_have_endpoints(service, changes.pods)
    settle(probing, pairs_of(taken, cluster, inside, client), changes.names)
