"""A pod that is being deleted and still serves, beside one that stays, and Services in front of both."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass

from conformance.judge import Answers, Judge
from conformance.traffic_policy.policies import CONTROL, POLICIES, Policies, Wanted
from fixtures.api import PODS, Api, Refused
from fixtures.clusters import ClusterInfo
from fixtures.clusters.reading import is_ready
from fixtures.errors import SuiteError
from fixtures.history import History
from fixtures.prober.probing import Probing
from fixtures.prober.underway import not_quiet
from fixtures.prober.vantages import PodVantage
from fixtures.workloads.services import FOREIGN_CLASS, Service, Services
from fixtures.workloads.web import Pod, Shape, Web

DRAIN_S = 60.0
"""For so long a pod that was told to end goes on serving: much longer than the tests of this file take."""
QUIET_S, LONGEST_S, RATE_PER_S = 5.0, 40.0, 8.0
"""How long all answer before the pod is deleted; the most that is waited for it; of the probes of each target."""
PUBLISHED, HEALTH = "published", "health"
WANTED: dict[str, Wanted] = {
    **{name: POLICIES[name] for name in (CONTROL, "internal Local", "Cluster and Local")},
    PUBLISHED: Wanted("cluster-ip", {"publishNotReadyAddresses": True}),
    # Nobody makes a load balancer of it; its health check node ports are kube-proxy's.
    HEALTH: Wanted("load-balancer", {"externalTrafficPolicy": "Local", "loadBalancerClass": FOREIGN_CLASS}),
}


@dataclass(frozen=True)
class Ending:
    """Two pods on two nodes, of which the first is being deleted, and the Services of WANTED in front of them.

    The pods are of a StatefulSet: another one comes only when the first has ended.
    """

    api: Api
    policies: Policies
    """Who answers under which policy: an ending pod does where its node has no other."""
    told_at: float
    """Wall clock before it was deleted."""
    since: float
    """Wall clock at which the EndpointSlices said so."""

    @property
    def pod(self) -> Pod:
        """The one that ends."""
        return self.policies.pods[0]

    @property
    def left_s(self) -> float:
        """For how long it still serves."""
        return self.told_at + DRAIN_S - time.time()

    @property
    def staying(self) -> frozenset[str]:
        """The name of the other one."""
        return self.policies.names - {self.pod.name}

    def everywhere(self, name: str, vantages: Sequence[PodVantage], pods: frozenset[str]) -> list[Answers]:
        """All vantages are answered by these pods at the ClusterIPs of a Service."""
        targets = [self.policies.made[name].by_address("http", 80, family) for family in self.policies.cluster.families]
        return [Answers(vantage, targets, pods) for vantage in vantages]

    def must_be_answered(self, judge: Judge, answers: Sequence[Answers]) -> None:
        """As `Judge.must_be_answered`, for as long as the pod serves; raises as that and as `must_last` do."""
        with self.must_last():
            judge.must_be_answered(
                answers, token=self.policies.web.token, of=len(self.policies.pods), converged_at=self.since
            )

    @contextmanager
    def must_last(self) -> Iterator[None]:
        """What the block finds says something only when the pod was there, and served, to its end.

        Raises:
            SuiteError: it was not.
        """
        try:
            yield
        finally:
            # Listed, not read by its name: that would be a right more (manifests/rbac/base.yaml).
            web = self.policies.web
            pods = self.api.list_all(PODS, web.namespace, selector=web.selector)["items"]
            if self.pod.uid not in {p["metadata"]["uid"] for p in pods if is_ready(p)} or self.left_s < 1:
                raise SuiteError(f"the pod {self.pod.name} ended before all was seen")


@contextmanager
def ending_pod(
    api: Api, cluster: ClusterInfo, namespace: str, vantages: Sequence[PodVantage], history: History
) -> Iterator[Ending]:
    """Make the pods and the Services, and delete a pod when all answer; after the block the workload goes."""
    web = Web(api, cluster, namespace, history, Shape(kind="StatefulSet", replicas=2, drain_s=DRAIN_S))
    services = Services(api, namespace, history)
    pods = web.wait_until_serving()
    made: dict[str, Service] = {}
    for name, wanted in WANTED.items():
        # Where Services of that type are not allowed, only what is about them cannot be seen.
        with suppress(Refused) if name == HEALTH else nullcontext():
            made[name] = services.create(wanted.manifest, selector=web.labels, **wanted.spec)
    for service in made.values():
        services.must_have_endpoints(service, pods)
    targets = [made[name].by_address("http", 80, cluster.families[0]) for name in (CONTROL, PUBLISHED)]
    pairs, rate_per_s = [(vantage, targets) for vantage in vantages], RATE_PER_S * len(targets)
    with Probing(history).during(pairs, rate_per_s=rate_per_s, longest_s=LONGEST_S, judged=False) as under_way:
        began, within_s = time.time(), LONGEST_S / 2
        if not under_way.wait_until_quiet(since=began, quiet_s=QUIET_S, timeout_s=within_s):
            raise not_quiet(under_way, began, QUIET_S, within_s, expected="answers")
    told_at = time.time()
    web.delete_pods(pods[0])
    since = max(services.must_have_endpoints(made[name], pods[1:]) for name in made if name != PUBLISHED)
    try:
        yield Ending(api, Policies(cluster, web, pods, made), told_at, since)
    finally:
        # The end of a run must not wait for the pods'; what cannot be done now goes with the namespace.
        with suppress(SuiteError, Refused):
            web.delete()
            for item in api.list_all(PODS, namespace, selector=web.selector)["items"]:
                api.delete(PODS, item["metadata"]["name"], namespace, grace_period_s=0)


class Endings:
    """An ending pod for one test after another: a new one when too little time is left for a test."""

    def __init__(self, make: Callable[[], AbstractContextManager[Ending]]) -> None:
        """None is made yet."""
        self._make, self._made = make, ExitStack()
        self._last: Ending | None = None

    def one(self) -> Ending:
        """A pod that serves for half of DRAIN_S at least; raises what `ending_pod` does."""
        if self._last is None or self._last.left_s < DRAIN_S / 2:
            self.close()
            self._last = self._made.enter_context(self._make())
        return self._last

    def close(self) -> None:
        """The workload goes."""
        self._last = None
        self._made.close()
