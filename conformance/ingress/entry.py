"""Ingresses in front of pods, made once for all tests of the chapter, and what is asked of them."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from operator import eq
from typing import NamedTuple

from conformance.judge import RATE_PER_S, SETTLED_S, SETTLING_MOST_PER_S, SETTLING_RATE_PER_S, SILENT_CONNECTIONS
from fixtures.checks.holding import must_hold
from fixtures.checks.isolation import turned_away
from fixtures.checks.reachability import connections_to_see_all, reachability
from fixtures.history import History
from fixtures.prober.plan import Target
from fixtures.prober.probing import Probing
from fixtures.prober.vantages import PodVantage
from fixtures.probes import Probe
from fixtures.workloads.ingresses import Ingress, host_of
from fixtures.workloads.services import Service
from fixtures.workloads.web import Pod, Web


class Asked(NamedTuple):
    """A request to an Ingress, and who must answer it: each of `pods`, on this port of theirs; without pods: nobody."""

    target: Target
    pods: Collection[str]
    port: int = 80


@dataclass(frozen=True)
class Entry:
    """Pods, Services and Ingresses of the chapter.

    Attributes:
        web: three shared pods, which stay as they are.
        own: two pods that tests may change.
        services: `left` and `right` of the first and the second of the shared pods; `all` of all three, whose port
            `alt` leads to another port of theirs; `moving` of the first one, which a test changes; `changing` of the
            own pods.
        routed: the Ingress that tests only read.
        going: one that a test deletes.
        changed: of `changing` and `moving`.
    """

    web: Web
    pods: tuple[Pod, ...]
    own: Web
    own_pods: tuple[Pod, ...]
    services: dict[str, Service]
    routed: Ingress
    going: Ingress
    changed: Ingress
    vantage: PodVantage
    within_s: float
    """What a change may take."""
    tag: str
    """In the names of its hosts."""

    def host(self, name: str) -> str:
        """A name of this run's own."""
        return host_of(name, self.tag)

    def pod(self, number: int) -> set[str]:
        """The name of one of the shared pods."""
        return {self.pods[number].name}

    @property
    def all_pods(self) -> set[str]:
        """The names of all of them."""
        return {pod.name for pod in self.pods}

    def come_about(self, probing: Probing, asked: Sequence[Asked]) -> None:
        """Wait until everything is answered as it must be, or has had the time for that; judged is what comes after."""
        wanted = {one.target.name: one.pods for one in asked}

        def well(probe: Probe) -> bool:
            pods = wanted[probe.target]
            return probe.answer is not None and probe.answer.pod in pods if pods else not probe.ok

        targets = [one.target for one in asked]
        rate = min(SETTLING_RATE_PER_S * len(targets), SETTLING_MOST_PER_S)
        longest_s = 2 * self.within_s + SETTLED_S
        with probing.during([(self.vantage, targets)], rate_per_s=rate, longest_s=longest_s, judged=False) as under_way:
            since = time.time()
            under_way.wait_until_quiet(since=since, quiet_s=SETTLED_S, timeout_s=self.within_s, well=well)
            for one in asked:
                left_s = max(0.0, since + self.within_s - time.time())
                under_way.wait_until_seen(one.pods, since=since, timeout_s=left_s, of=partial(eq, one.target))

    def must_lead(
        self,
        probing: Probing,
        history: History,
        asked: Sequence[Asked],
        *,
        token: str,
        at_least: int = SILENT_CONNECTIONS,
    ) -> None:
        """Each request is answered by the pods that it is to be, each of them, or by nobody.

        Sent are as many as show each of the pods, and `at_least` so many.

        Raises:
            BrokenPromise: not so.
        """
        most = max((connections_to_see_all(len(one.pods)) for one in asked if one.pods), default=0)
        count = max(at_least, most)
        targets = [one.target for one in asked]
        (batch,) = probing.run(targets, [self.vantage], count=count, rate_per_s=RATE_PER_S)
        control = [batch.of(one.target.name) for one in asked if one.pods]
        findings = [
            reachability([batch.of(one.target.name)], pods=one.pods, token=token, pod_port=one.port)
            for one in asked
            if one.pods
        ]
        nobody = [batch.of(one.target.name) for one in asked if not one.pods]
        if nobody:
            findings.append(turned_away(nobody, control=control))
        must_hold(history, *findings)

    def must_follow(self, probing: Probing, history: History, asked: Sequence[Asked], *, token: str) -> None:
        """As `must_lead`, of what has just been changed: judged once it has come through, or had the time for that.

        By so many requests that one of as many pods as are shared would be seen, had it been forgotten.
        """
        self.come_about(probing, asked)
        enough = connections_to_see_all(len(self.pods))
        self.must_lead(probing, history, asked, token=token, at_least=enough)
