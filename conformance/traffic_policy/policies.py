"""The Services of this chapter, and who must answer under each policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from conformance.judge import Answers
from conformance.versions import must_be_of
from fixtures.api import Object
from fixtures.clusters import ClusterInfo
from fixtures.prober.plan import Protocol
from fixtures.prober.vantages import PodVantage, Vantage
from fixtures.verdicts import NotObservable
from fixtures.workloads.services import Service
from fixtures.workloads.web import Pod, Web

HTTP_AND_UDP = (
    {"name": "web", "port": 80, "targetPort": 80, "protocol": "TCP"},
    {"name": "web-udp", "port": 80, "targetPort": 80, "protocol": "UDP"},
)
ZONE_LABEL = "topology.kubernetes.io/zone"
DISTRIBUTIONS = ("PreferSameZone", "PreferSameNode")
DISTRIBUTED_SINCE = (1, 35)
"""The version in which both values are there without a feature gate (KEP-3015)."""
AUTO_MODE = {"service.kubernetes.io/topology-mode": "Auto"}
"""The annotation by which the zones' processors decide whether there are hints."""
NO_WORKERS = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
"""Labels of nodes whose processors do not count for that."""
OVERLOAD = 0.2
"""Pods of a zone may get so much more than their part before there are other hints (KEP-2433)."""

Policy = Literal["Cluster", "Local"]


class Wanted(NamedTuple):
    """A Service to make: its manifest, and what differs in its spec."""

    manifest: str
    spec: Object


def _wanted(inside: Policy, outside: Policy | None) -> Wanted:
    """A Service with a policy for traffic from inside, and one, if it has node ports, for traffic from outside."""
    if outside is None:
        return Wanted("cluster-ip", {"internalTrafficPolicy": inside})
    spec = {"internalTrafficPolicy": inside, "externalTrafficPolicy": outside, "ports": list(HTTP_AND_UDP)}
    return Wanted("node-port", spec)


POLICIES: dict[str, Wanted] = {
    "internal Local": _wanted("Local", None),
    "Cluster and Cluster": _wanted("Cluster", "Cluster"),
    "Cluster and Local": _wanted("Cluster", "Local"),
    "Local and Cluster": _wanted("Local", "Cluster"),
    "Local and Local": _wanted("Local", "Local"),
}
"""By name: the policy inside, and the one outside."""
CONTROL = "Cluster and Cluster"
"""Answers everywhere."""


@dataclass(frozen=True)
class Policies:
    """Two ready pods on two nodes, and Services in front of them; a test must leave them as they are."""

    cluster: ClusterInfo
    web: Web
    pods: tuple[Pod, ...]
    made: dict[str, Service]
    """By the names of POLICIES."""

    @property
    def names(self) -> frozenset[str]:
        """Of the pods."""
        return frozenset(pod.name for pod in self.pods)

    def without(self, pod: Pod) -> Policies:
        """The same while one of the pods is no endpoint."""
        return replace(self, pods=tuple(each for each in self.pods if each.uid != pod.uid))

    def on(self, node: str | None) -> frozenset[str]:
        """The names of the pods on a node."""
        return frozenset(pod.name for pod in self.pods if pod.node == node)

    def from_inside(
        self, name: str, policy: Policy, vantages: Sequence[PodVantage], protocol: Protocol
    ) -> list[Answers]:
        """Who answers each vantage at the ClusterIPs of a Service with this policy for traffic from inside."""
        targets = [self.made[name].by_address(protocol, 80, family) for family in self.cluster.families]
        control = [self.made[CONTROL].by_address("http", 80, self.cluster.families[0])]
        pods = [self.names if policy == "Cluster" else self.on(vantage.node) for vantage in vantages]
        return [Answers(vantage, targets, who, control) for vantage, who in zip(vantages, pods, strict=True)]

    def from_outside(self, name: str, policy: Policy, client: Vantage, protocol: Protocol) -> list[Answers]:
        """Who answers a client at the node port of each node of a Service with this policy for traffic from outside."""
        port = "web-udp" if protocol == "udp" else "web"
        targets = [self.made[name].on_nodes(self.cluster, protocol, f, port) for f in self.cluster.families]
        control = self.made[CONTROL].on_nodes(self.cluster, "http", self.cluster.families[0])[:1]
        pods = [self.names if policy == "Cluster" else self.on(node.name) for node in self.cluster.nodes]
        by_node = zip(zip(*targets, strict=True), pods, strict=True)
        return [Answers(client, of_node, who, control) for of_node, who in by_node]

    def from_near(
        self, name: str, vantages: Sequence[PodVantage], zones: Mapping[str, str], distribution: str
    ) -> list[Answers]:
        """Who answers each vantage at the ClusterIPs of a Service with this distribution."""
        targets = [self.made[name].by_address("http", 80, family) for family in self.cluster.families]
        return [Answers(each, targets, preferred(self, each.node, zones, distribution)) for each in vantages]


def must_know_distribution(cluster: ClusterInfo) -> None:
    """Raises Unsupported for a Kubernetes that is older than DISTRIBUTED_SINCE."""
    must_be_of(cluster, DISTRIBUTED_SINCE, f"{' and '.join(DISTRIBUTIONS)} are")


def zones_of(nodes: Sequence[Object]) -> dict[str, str]:
    """The zone of each Node that has the label of one."""
    named = {node["metadata"]["name"]: (node["metadata"].get("labels") or {}).get(ZONE_LABEL) for node in nodes}
    return {name: zone for name, zone in named.items() if zone}


def preferred(policies: Policies, node: str | None, zones: Mapping[str, str], distribution: str) -> frozenset[str]:
    """The names of the pods that a client on a node must be answered by.

    The nearest there are: with PreferSameNode those of its node, then, with both, those of its zone, then all
    (KEP-3015; kubernetes.io: Service, Traffic distribution).
    """
    same_node = policies.on(node) if distribution == "PreferSameNode" else frozenset()
    zone = zones.get(node or "")
    same_zone = frozenset(pod.name for pod in policies.pods if zone and zones.get(pod.node) == zone)
    return same_node or same_zone or policies.names


def must_make_a_difference(policies: Policies, expected: Sequence[frozenset[str]]) -> None:
    """Raises NotObservable where everybody would be answered by all pods anyway."""
    if all(pods == policies.names for pods in expected):
        raise NotObservable(f"the pods' nodes are of one zone, or of none: {[pod.node for pod in policies.pods]}")


def must_be_spread_as_processors(pods: Sequence[Pod], nodes: Sequence[Object]) -> None:
    """Refuse pods that need not be for their own zones in the mode Auto, as too few are in one for its processors.

    Raises:
        NotObservable: so it is, or the nodes are of one zone, or one is of none: then there are no hints (KEP-2433).
    """
    workers = [node for node in nodes if not set(NO_WORKERS) & set(node["metadata"].get("labels") or ())]
    zones = zones_of(workers)
    if len(zones) < len(workers) or len(set(zones.values())) < 2:
        raise NotObservable(f"nodes of {len(set(zones.values()))} zones, {len(workers) - len(zones)} of none")
    shares, there = Counter[str](), Counter(zones.get(pod.node, "") for pod in pods)
    for node in workers:
        shares[zones[node["metadata"]["name"]]] += _millis(node["status"]["allocatable"]["cpu"])
    for zone, millis in shares.items():
        wanted = len(pods) * millis / shares.total()
        if there[zone] * (1 + OVERLOAD) < wanted:
            raise NotObservable(f"{there[zone]} of {len(pods)} pods in the zone {zone}, which is due {wanted:.1f}")


def _millis(quantity: str) -> int:
    """Thousandths of a processor, as the API has them: `1900m`, or whole ones."""
    return int(quantity[:-1]) if quantity.endswith("m") else int(float(quantity) * 1000)
