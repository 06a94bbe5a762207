"""A Service that is changed again and again, and what answers at every address that it has, or had."""

from __future__ import annotations

from dataclasses import dataclass, field

from conformance.judge import Answers, Judge
from conformance.load_balancer.front import Front
from fixtures.api import Object
from fixtures.checks.holding import must_hold
from fixtures.checks.values import equal
from fixtures.prober.plan import Protocol, Target
from fixtures.prober.probing import PROPAGATION_BUDGET_S
from fixtures.prober.vantages import OutsideVantage, PodVantage, Vantage
from fixtures.workloads.services import Service, on_first_free

PORT_NAMES: dict[Protocol, str] = {"http": "web", "udp": "web-udp"}
"""Of manifests/services/cluster-ip.yaml."""
NODES = 2
"""Whose node ports are called."""


def node_ports_of(service: Service) -> list[int | None]:
    """Of each of its ports."""
    return [port.get("nodePort") for port in service.body["spec"]["ports"]]


@dataclass
class Changing:
    """A Service with one port for TCP and UDP in front of the chapter's pods, and where each of its kinds is called."""

    front: Front
    judge: Judge
    pod: PodVantage
    node_port_client: OutsideVantage
    now: Service
    """As it was stored last."""
    _had: dict[str, list[Target]] = field(default_factory=dict)
    """By what they are, the targets that worked last."""

    def must_become(self, node_ports: range | None = None, **spec: object) -> None:
        """Change fields of the spec, and its node ports to one of these; what is not changed stays.

        Returns when who makes load balancers has followed.

        Raises:
            BrokenPromise: the change was refused or not heeded, nobody followed, or something else did not stay.
            NotObservable: none of the node ports is free.
        """
        before, services, said = self.now, self.front.services, self.front.times_ensured(self.now)
        after = services.must_change(before, **spec) if node_ports is None else self._on(node_ports, spec)
        was, kind = before.body["spec"]["type"], spec.get("type", before.body["spec"]["type"])
        must_hold(self.front.history, equal("type", kind, after.body["spec"]["type"]))
        if kind == was == "LoadBalancer" and before.body["spec"]["ports"] != after.body["spec"]["ports"]:
            after = self.front.must_be_ensured(after, said + 1)
        elif kind == "LoadBalancer":
            after = services.must_have_external_ips(after)
        elif was == "LoadBalancer":
            after = services.must_become(after, "no external address", lambda service: not service.external_ips)
        self.now = after
        found = [equal("ClusterIPs", before.cluster_ips, after.cluster_ips)]
        if kind == was:
            found.append(equal("external addresses", before.external_ips, after.external_ips))
        if kind == "ClusterIP":
            found.append(equal("node ports", [None, None], node_ports_of(after)))
        elif node_ports is None:
            found.append(equal("node ports", node_ports_of(before), node_ports_of(after)))
        must_hold(self.front.history, *found)

    def _on(self, node_ports: range, spec: Object) -> Service:
        ports = self.now.body["spec"]["ports"]

        def ask(number: int) -> Service:
            asked = [port | {"nodePort": number} for port in ports]
            return self.front.services.change(self.now, ports=asked, **spec)

        after = on_first_free(node_ports, ask)
        given = set(node_ports_of(after))
        must_hold(
            self.front.history,
            equal(f"node ports are of {node_ports.start} to {node_ports.stop - 1}", True, given <= set(node_ports)),
        )
        return after

    def _targets(self) -> dict[str, list[Target]]:
        """What it has now: ClusterIPs, node ports on the first nodes, external IPs; over HTTP and UDP."""
        service, cluster = self.now, self.front.cluster
        found: dict[str, list[Target]] = {"ClusterIP": [], "node ports": [], "external IP": []}
        number = service.body["spec"]["ports"][0]["port"]
        for protocol, name in PORT_NAMES.items():
            for family in service.cluster_ips:
                found["ClusterIP"].append(service.by_address(protocol, number, family))
                if service.body["spec"]["type"] != "ClusterIP":
                    found["node ports"] += service.on_nodes(cluster, protocol, family, name)[:NODES]
            found["external IP"] += [service.by_external_ip(protocol, number, f) for f in service.external_ips]
        return found

    def must_work(self, *, without_pods: bool = False) -> None:
        """Every address that it has leads to every pod, over TCP and UDP; at those that it had before nobody answers.

        Raises:
            BrokenPromise: not so.
        """
        front, family = self.front, self.front.cluster.families[0]
        other = front.service("diagram")
        vantages: dict[str, Vantage] = {
            "ClusterIP": self.pod,
            "node ports": self.node_port_client,
            "external IP": front.outside,
        }
        controls = {
            "ClusterIP": other.by_address("http", 80, family),
            "node ports": other.on_nodes(front.cluster, "http", family)[0],
            "external IP": other.by_external_ip("http", 80, family),
        }
        now, pods, answers = self._targets(), () if without_pods else front.names, []
        for kind, targets in now.items():
            gone = [target for target in self._had.get(kind, ()) if target not in targets]
            answers += [
                Answers(vantages[kind], some, who, [controls[kind]]) for some, who in ((targets, pods), (gone, ()))
            ]
        self._had, within_s = now, max(front.budgets.load_balancer_health_s, PROPAGATION_BUDGET_S)
        answers = [each for each in answers if each.targets]
        self.judge.must_follow(answers, token=front.web.token, of=len(front.pods), within_s=within_s)
