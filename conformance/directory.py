"""What the chapters about names and endpoints share: Services of each kind, in front of ready and unready pods."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from conformance.versions import is_of
from fixtures.api import PODS, SERVICES, Api, Object, Refused
from fixtures.checks.reachability import connections_to_see_all
from fixtures.clusters import ClusterInfo, IPFamily
from fixtures.history import History
from fixtures.prober.plan import QueryType, Target
from fixtures.prober.probing import Probing
from fixtures.prober.vantages import PodVantage
from fixtures.probes import ProbeBatch
from fixtures.workloads.services import Service, Services, family_of
from fixtures.workloads.slices import Slices
from fixtures.workloads.vantages import start_vantage_pod
from fixtures.workloads.web import Pod, Shape, Web

RECORDS: dict[IPFamily, QueryType] = {IPFamily.IPV4: "A", IPFamily.IPV6: "AAAA"}
QUERIES = 5
RECORD_LIVES_S = 30.0
"""A record of the cluster's DNS may be kept for so long: the `ttl` and `cache` in kubeadm's and AKS' Corefile. CoreDNS'
own default is 5 s."""
KNOWN_NAME = "kubernetes.default.svc"
"""A Service that each cluster has."""
TARGET = "first.target.example"
"""Of manifests/services/external-name.yaml."""
OTHER_TARGET = "second.target.example"
ALL_SLICES = 3
"""Of the Service with hundreds of endpoints; each has one that is ready."""
SLICE_SIZE = 100
"""How many endpoints a slice of the controller's has at most by default (kubernetes.io, EndpointSlices)."""
MANUAL_PORTS = {80: 80, 81: 8080}
"""Of the Service without a selector: its ports, and where its slices lead."""
APP_PROTOCOL = "kubernetes.io/h2c"
LONG_LISTS_SINCE = (1, 33)
"""The version in which search lists may be long, and have underscores, without a feature gate (KEP-2595, KEP-4427)."""


def asking(name: str, query_type: QueryType) -> Target:
    """A question about a name, to be sent from a pod, whose search list completes the name."""
    return Target(name=f"{query_type} {name}", address=name, protocol="dns", query_type=query_type)


@dataclass(frozen=True)
class Directory:
    """Services of each kind, made at once; a test must leave them as they are.

    `made` is what there is by name. In front of the shared pods: `headless`, `one family`, `described`; `left`, a
    headless one that a pod has left; `twin`, whose twin of the same selector was deleted. In front of two pods of which
    the second is not ready: `mixed`, `mixed headless`, and `all`, `all headless`, which want both. With slices made by
    hand: `manual`; `hundreds`, of whose endpoints one in each slice is ready. Of type ExternalName: `external`, and
    `renamed`, whose target was changed.
    """

    pods: tuple[Pod, ...]
    """Three ready pods."""
    token: str
    mixed: tuple[Pod, ...]
    """A ready and an unready pod of a StatefulSet, which serve both."""
    mixed_token: str
    made: dict[str, Service]
    deleted: Service
    remaining: tuple[Pod, ...]
    """The pods of `left`."""
    changed_at: float
    """Wall clock of the last change in the API. What the slices of the unready pod say is left to the tests."""
    configured: PodVantage | None
    """A pod with a DNS configuration of its own, see `dns_config`; None: the cluster's DNS was not found."""

    def ips(self, family: IPFamily, pods: tuple[Pod, ...] | None = None) -> list[str]:
        """The addresses of pods, by default of the ready ones."""
        return [ip for pod in (pods or self.pods) for ip in pod.ips if family_of(ip) is family]


def dns_config(server: str, domain: str, *, long: bool) -> Object:
    """The DNS configuration of the pod that has one of its own: another search list, another ndots.

    A `long` list is longer than the 6 domains and the 256 characters that were once all that resolvers took (KEP-2595),
    has a domain with an underscore and a single dot (KEP-4427), and the one that leads somewhere after all others: it
    is lost where the list is cut.
    """
    nowhere = [*(f"{'nowhere-' * 4}{number}.svc.{domain}" for number in range(6)), f"_nowhere.svc.{domain}"]
    # The dot says the name as it is, which is the question that comes last anyway.
    searches = [*nowhere, f"svc.{domain}", "."] if long else [f"svc.{domain}"]
    return {"nameservers": [server], "searches": searches, "options": [{"name": "ndots", "value": "3"}]}


def cluster_dns(api: Api) -> str:
    """The address of the cluster's DNS server; empty when it is not the Service that it is by convention."""
    try:
        return str(api.get(SERVICES, "kube-dns", "kube-system")["spec"]["clusterIP"])
    except Refused:
        return ""


class Maker:
    """Makes the directory's Services: all are asked for before any is waited for."""

    def __init__(self, api: Api, cluster: ClusterInfo, web: Web, slices: Slices, history: History) -> None:
        """In the namespace of `web`, which `slices` are of too."""
        self.api, self.cluster, self.web, self.history = api, cluster, web, history
        self.services = Services(api, web.namespace, history)
        self.slices = slices
        self.mixed: Web | None = None
        self.configured: PodVantage | None = None

    def remove_pods(self) -> None:
        """Begin to delete the pods that it has made."""
        if self.mixed:
            self.mixed.delete()
        if self.configured:
            self.api.delete(PODS, self.configured.pod, self.configured.namespace)

    def make(self, pods: tuple[Pod, ...], vantages: tuple[PodVantage, ...]) -> Directory:
        """In front of these pods; the names that change are asked for before they do."""
        shape = Shape(kind="StatefulSet", replicas=2)
        mixed = self.mixed = Web(self.api, self.cluster, self.web.namespace, self.history, shape)
        made = self._of_selector(mixed) | self._by_hand(pods)
        self.web.label_pods(pods, listed="yes")
        configured = self.configured = self._configured(vantages[0])
        both = mixed.wait_until_serving()
        mixed.set_health(both[1], ready=False)
        mixed.wait_until_readiness(both[1], ready=False)
        deleted = made.pop("twin to delete")
        for name in ("left", "twin"):
            self.services.must_have_endpoints(made[name], pods)
        self.services.must_have_endpoints(deleted, pods)
        remaining = self._change(made, deleted, pods, vantages)
        for name in ("headless", "described", "one family"):
            self.services.must_have_endpoints(made[name], pods)
        self.services.must_have_endpoints(made["left"], remaining)
        return Directory(
            pods=pods,
            token=self.web.token,
            mixed=both,
            mixed_token=mixed.token,
            made=made,
            deleted=deleted,
            remaining=remaining,
            changed_at=time.time(),
            configured=configured,
        )

    def _configured(self, vantage: PodVantage) -> PodVantage | None:
        target = asking(KNOWN_NAME, RECORDS[self.cluster.families[0]])
        found = Probing(self.history).run([target], [vantage], count=1)[0].probes[0].dns
        # Where DNS does not work at all, promises fail that say so; any domain will do here.
        domain = (found.name if found else "").removeprefix(f"{KNOWN_NAME}.").rstrip(".") or "cluster.local"
        if not (server := cluster_dns(self.api)):
            return None
        config = dns_config(server, domain, long=is_of(self.cluster, LONG_LISTS_SINCE))
        return start_vantage_pod(self.api, self.cluster, self.web.namespace, config)

    def _of_selector(self, mixed: Web) -> dict[str, Service]:
        create, chosen = self.services.create, {"selector": self.web.labels}
        some, everyone = {"selector": mixed.labels}, {"selector": mixed.labels, "publishNotReadyAddresses": True}
        family = self.cluster.families[0]
        one_family = {"ipFamilyPolicy": "SingleStack", "ipFamilies": [str(family)]}
        described = [
            {"name": "number", "port": 80, "targetPort": 8080, "protocol": "TCP", "appProtocol": APP_PROTOCOL},
            {"name": "by-name", "port": 81, "targetPort": "web", "protocol": "TCP"},
            {"name": "udp", "port": 82, "targetPort": 80, "protocol": "UDP"},
        ]
        return {
            "headless": create("headless", **chosen),
            "left": create("headless", selector=self.web.labels | {"listed": "yes"}),
            "twin": create("cluster-ip", **chosen),
            "twin to delete": create("cluster-ip", **chosen),
            "one family": create("cluster-ip", **chosen, **one_family),
            "described": create("cluster-ip", **chosen, ports=described),
            "external": create("external-name"),
            "renamed": create("external-name"),
            "mixed": create("cluster-ip", **some),
            "all": create("cluster-ip", **everyone),
            "mixed headless": create("headless", **some),
            "all headless": self.services.create_named(mixed.token, "headless", **everyone),
        }

    def _by_hand(self, pods: tuple[Pod, ...]) -> dict[str, Service]:
        """Services without a selector, and their slices: two with different ports, and three with 100 endpoints."""
        manual, hundreds = (self.services.create("without-selector") for _ in range(2))
        for family in self.cluster.families:
            ips = [ip for pod in pods for ip in pod.ips if family_of(ip) is family]
            for name, number in zip(("one", "other"), MANUAL_PORTS.values(), strict=True):
                port = {"name": name, "port": number, "protocol": "TCP"}
                self.slices.make(manual, family, [port], [{"addresses": [ip]} for ip in ips])
            port = {"name": "one", "port": 80, "protocol": "TCP"}
            for number, ip in enumerate(ips[:ALL_SLICES]):
                self.slices.make(hundreds, family, [port], [*unready(family, number), {"addresses": [ip]}])
        return {"manual": manual, "hundreds": hundreds}

    def _change(
        self, made: dict[str, Service], deleted: Service, pods: tuple[Pod, ...], vantages: tuple[PodVantage, ...]
    ) -> tuple[Pod, ...]:
        """A pod leaves `left`, `renamed` gets another target, the twin is deleted; gives the pods that are left."""
        before = [asking(made["left"].dns_name, RECORDS[family]) for family in self.cluster.families]
        before.append(asking(made["renamed"].dns_name, "CNAME"))
        # What was asked for is in caches, those of the servers and perhaps of the nodes.
        Probing(self.history).run(before, vantages, count=QUERIES)
        self.web.label_pods(pods[:1], listed=None)
        self.services.change(made["renamed"], externalName=OTHER_TARGET)
        self.services.delete(deleted)
        return pods[1:]


def unready(family: IPFamily, number: int) -> list[Object]:
    """99 endpoints that nobody must use, for slice `number`: their addresses are reserved for documentation."""
    rest = range(number * SLICE_SIZE, number * SLICE_SIZE + SLICE_SIZE - 1)
    ranges = {IPFamily.IPV4: ("192.0.2.", "198.51.100.", "203.0.113."), IPFamily.IPV6: ("2001:db8::",) * ALL_SLICES}
    addresses = [f"{ranges[family][number]}{n % SLICE_SIZE + 1 if family is IPFamily.IPV4 else n + 1}" for n in rest]
    return [{"addresses": [address], "conditions": {"ready": False}} for address in addresses]


@dataclass(frozen=True)
class Asked:
    """The directory as one test sees it: from each pod vantage, with this test's record."""

    directory: Directory
    vantages: tuple[PodVantage, ...]
    probing: Probing
    history: History
    slices: Slices
    full_names: dict[str, str]
    """Those that were asked for before, by the name of the Service."""

    def ask(
        self,
        name: str,
        query_type: QueryType,
        vantages: Sequence[PodVantage] = (),
        *,
        old_for_s: float = 0.0,
    ) -> list[ProbeBatch]:
        """Ask for a name from each vantage, QUERIES times.

        Args:
            name: completed by the search list of who asks, unless it ends with a dot.
            query_type: of the records.
            vantages: by default all pod vantages.
            old_for_s: for so long, before the propagation budget, old answers are allowed as well.
        """
        targets = [asking(name, query_type)]
        converged_at = self.directory.changed_at + old_for_s
        return self.probing.run(targets, vantages or self.vantages, count=QUERIES, converged_at=converged_at)

    def full_name(self, service: Service) -> str:
        """The name of a Service in full, with a dot at its end, as DNS tells it; empty when it does not."""
        if service.name not in self.full_names:
            batches = self.ask(service.dns_name, RECORDS[service.families[0]], self.vantages[:1])
            found = batches[0].probes[0].dns
            self.full_names[service.name] = f"{found.name.rstrip('.')}." if found else ""
        return self.full_names[service.name]

    def connect(self, targets: list[Target], pods: int) -> list[ProbeBatch]:
        """Connect to targets from each vantage, often enough to see so many pods."""
        count = connections_to_see_all(pods)
        return self.probing.run(targets, self.vantages, count=count, converged_at=self.directory.changed_at)
