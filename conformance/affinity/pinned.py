"""What this chapter's tests share: Services with session affinity, all made at once, and what is changed of some."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from fixtures.api import Object
from fixtures.checks.affinity import pods_of
from fixtures.checks.reachability import connections_to_see_all
from fixtures.clusters import ClusterInfo, IPFamily
from fixtures.history import History
from fixtures.prober.plan import Target
from fixtures.prober.probing import Probing
from fixtures.prober.vantages import PodVantage
from fixtures.probes import ProbeBatch
from fixtures.workloads.services import Service, Services
from fixtures.workloads.web import Pod, Web

TIMEOUT_S = 5
"""Of the Service whose affinity ends soon: longer than two rounds of connections take."""
MANY_PORTS = 20
"""Each is a choice of its own; with 3 pods 19 show that a client chooses anew but for a chance of 1e-9."""
SOME_PORTS = 7
"""With four clients these are 21 choices in which they can differ."""
SWITCHED = tuple((name, way) for name in ("on", "off") for way in ("ClusterIP", "NodePort"))
"""The Services whose affinity is switched, and the ways to them."""
CLIENT_IP = {"sessionAffinity": "ClientIP"}


def ports(number: int) -> list[Object]:
    """So many ports of a Service that all lead to port 80 of the pods."""
    return [{"name": f"web-{n}", "port": 9000 + n, "targetPort": 80, "protocol": "TCP"} for n in range(number)]


@dataclass(frozen=True)
class Pinned:
    """Services with affinity in front of three shared pods; a test must leave them as they are.

    `made` is what there is by name: `ClusterIP`, `NodePort`, and `LoadBalancer` where the cluster has any; `short`, the
    affinity of which ends after TIMEOUT_S; `apart`, on several node ports; `leaving`, `on`, `off`, which change later.
    """

    cluster: ClusterInfo
    family: IPFamily
    """Of the Services that have one family."""
    web: Web
    pods: tuple[Pod, ...]
    made: dict[str, Service]
    converged_at: float
    """Wall clock of the last change in the API."""

    def targets(self, name: str) -> list[Target]:
        """The ClusterIP of a Service and its port 80."""
        return [self.made[name].by_address("http", 80, self.family)]

    def way(self, name: str, service_type: str) -> Target:
        """A Service by its ClusterIP, or by its node port on the first node."""
        if service_type == "NodePort":
            return self.made[name].on_nodes(self.cluster, "http", self.family)[0]
        return self.targets(name)[0]

    def each_port(self, name: str, service_type: str) -> list[Target]:
        """Each port of a Service, by its ClusterIP, or by its node port on the first node."""
        service = self.made[name]
        ports = service.body["spec"]["ports"]
        if service_type == "NodePort":
            return [service.on_nodes(self.cluster, "http", self.family, port["name"])[0] for port in ports]
        return [service.by_address("http", port["port"], self.family) for port in ports]


def make_pinned(cluster: ClusterInfo, web: Web, pods: tuple[Pod, ...], services: Services) -> Pinned:
    """All of the chapter's Services, in front of the pods; waits for the EndpointSlices, not for load balancers."""
    web.label_pods(pods, pinned="yes")
    family = cluster.families[0]
    chosen: Object = {"selector": web.labels}
    single = chosen | {"ipFamilyPolicy": "SingleStack", "ipFamilies": [str(family)]}
    timeout = {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": TIMEOUT_S}}}
    made = {
        "ClusterIP": services.create("cluster-ip", **chosen, **CLIENT_IP),
        "short": services.create(
            "cluster-ip", type="NodePort", **single, **CLIENT_IP, **timeout, ports=ports(MANY_PORTS)
        ),
        "apart": services.create("cluster-ip", type="NodePort", **single, **CLIENT_IP, ports=ports(SOME_PORTS)),
        "NodePort": services.create("cluster-ip", type="NodePort", **chosen, **CLIENT_IP),
        "leaving": services.create(
            "cluster-ip", **(single | {"selector": web.labels | {"pinned": "yes"}}), **CLIENT_IP
        ),
        "on": services.create("cluster-ip", type="NodePort", **single, sessionAffinity="None"),
        "off": services.create("cluster-ip", type="NodePort", **single, **CLIENT_IP),
    }
    if not cluster.without_load_balancers:
        made["LoadBalancer"] = services.create("load-balancer", **chosen, **CLIENT_IP)
    for service in made.values():
        services.must_have_endpoints(service, pods)
    if "LoadBalancer" in made:
        # Where it has its addresses by now, nobody need wait for them again.
        made["LoadBalancer"] = services.read(made["LoadBalancer"])
    return Pinned(cluster, family, web, pods, made, time.time())


@dataclass(frozen=True)
class Changed:
    """Connections before some Services were changed, and what was changed.

    The pod that the first vantage came to has left `leaving`; `on` has affinity now, and `off` has none any more.
    """

    before: dict[tuple[str, str], list[ProbeBatch]]
    """By the Service's name and the way to it."""
    gone: str
    """The pod's name."""
    changed_at: float


def change_some(pinned: Pinned, services: Services, vantages: Sequence[PodVantage], history: History) -> Changed:
    """See where clients come to, and change the Services."""
    targets = {way: pinned.way(*way) for way in (("leaving", "ClusterIP"), *SWITCHED)}
    count = connections_to_see_all(len(pinned.pods))
    batches = Probing(history).run(list(targets.values()), vantages, count=count, converged_at=pinned.converged_at)
    before = {way: [batch.of(target.name) for batch in batches] for way, target in targets.items()}
    came_to = pods_of(before["leaving", "ClusterIP"][:1])
    gone = next((pod for pod in pinned.pods if any(pod.name in names for names in came_to.values())), pinned.pods[0])
    pinned.web.label_pods([gone], pinned=None)
    services.change(pinned.made["on"], **CLIENT_IP)
    services.change(pinned.made["off"], sessionAffinity="None", sessionAffinityConfig=None)
    services.must_have_endpoints(pinned.made["leaving"], [pod for pod in pinned.pods if pod is not gone])
    return Changed(before, gone.name, time.time())
