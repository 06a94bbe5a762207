"""What several chapters judge Services with: who answers whom, when all has come through."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from fixtures.checks.holding import must_hold
from fixtures.checks.isolation import is_silent, isolated
from fixtures.checks.reachability import connections_to_see_all, reachability
from fixtures.clusters import ClusterInfo
from fixtures.history import History
from fixtures.prober.plan import Target
from fixtures.prober.probing import PROPAGATION_BUDGET_S, Pairs, Probing
from fixtures.prober.underway import Of, Well, every_target, is_ok
from fixtures.prober.vantages import Vantage
from fixtures.probes import Probe, ProbeBatch
from fixtures.workloads.services import Services

SETTLED_S = 1.0
"""For so long everything that is about to be judged has been answered before; or else it is judged as it is."""
SETTLING_RATE_PER_S, SETTLING_MOST_PER_S = 8.0, 100.0
"""Of each target, and of a vantage at most."""
FOLLOWED, FOLLOWING_RATE_PER_S, FOLLOWING_MOST_PER_S = 32, 16.0, 300.0
"""After a change: so many right answers in a row, of each target, that a node which still leads every second connection
elsewhere gives them with a chance of 2e-10; the rate of each target, and of a vantage at most."""
RATE_PER_S = 200.0
"""Of the probes that are judged, from each vantage: a kernel's table of rules is asked, not the pods' strength."""
SILENT_CONNECTIONS = 8
"""To each target where nobody must answer: where somebody does, mostly each of them is answered."""
TIMEOUT_MS = 1500
"""Of a whole probe: what answers here does so in milliseconds, and silence is waited for in every case."""


class Answers(NamedTuple):
    """Who answers a vantage at some targets: all of `pods` and nobody else, or nobody where there are none."""

    vantage: Vantage
    targets: Sequence[Target]
    pods: Collection[str]
    control: Sequence[Target] = ()
    """Where nobody must answer: targets that do answer this vantage, proof of its eyesight."""


def settle(
    probing: Probing, pairs: Pairs, pods: Collection[str] = (), *, of: Of = every_target, well: Well = is_ok
) -> None:
    """Wait until all is well at all targets from their vantages, or they have had the propagation budget for that.

    What is well is mostly that a probe was answered. Of some targets, by default all, each of `pods` must have
    answered. What is judged comes after that, and is judged as it is.
    """
    pairs = [(vantage, targets) for vantage, targets in pairs if targets]
    rates = [min(SETTLING_RATE_PER_S * len(targets), SETTLING_MOST_PER_S) for _, targets in pairs]
    with probing.during(pairs, rate_per_s=rates, longest_s=2 * PROPAGATION_BUDGET_S, judged=False) as under_way:
        since = time.time()
        under_way.wait_until_quiet(since=since, quiet_s=SETTLED_S, timeout_s=PROPAGATION_BUDGET_S, well=well)
        left_s = max(0.0, since + PROPAGATION_BUDGET_S - time.time())
        under_way.wait_until_seen(pods, since=since, timeout_s=left_s, of=of)


def follow(probing: Probing, answers: Sequence[Answers], within_s: float = PROPAGATION_BUDGET_S) -> None:
    """Wait until everybody is answered as is said here, or has had the time for that, mostly the propagation budget.

    For what answered otherwise before. What is judged comes after that, and is judged as it is.
    """
    # Several vantages may have a target, and each its own pods.
    own = [[t.model_copy(update={"name": f"{t.name} {n}"}) for t in each.targets] for n, each in enumerate(answers)]
    names = [{target.name for target in targets} for targets in own]
    expected = {name: each.pods for some, each in zip(names, answers, strict=True) for name in some}

    def well(probe: Probe) -> bool:
        pods = expected[probe.target]
        return (probe.answer is not None and probe.answer.pod in pods) if pods else is_silent(probe)

    pairs = [(each.vantage, targets) for each, targets in zip(answers, own, strict=True)]
    most = max(Counter(each.vantage.name for each in answers for _ in each.targets).values())
    rate_per_s, ms = min(FOLLOWING_RATE_PER_S, FOLLOWING_MOST_PER_S / most), TIMEOUT_MS
    rates = [rate_per_s * len(targets) for targets in own]
    longest_s = 2 * within_s
    with probing.during(pairs, rate_per_s=rates, longest_s=longest_s, timeout_ms=ms, judged=False) as under_way:
        since, quiet_s = time.time(), FOLLOWED / rate_per_s
        under_way.wait_until_quiet(since=since, quiet_s=quiet_s, timeout_s=within_s, well=well)
        for some, each in zip(names, answers, strict=True):
            left_s = max(0.0, since + within_s - time.time())
            under_way.wait_until_seen(each.pods, since=since, timeout_s=left_s, of=partial(_is_of, some))


def _is_of(names: Collection[str], target: Target) -> bool:
    return target.name in names


@dataclass(frozen=True)
class Judge:
    """One test's tools, and its record."""

    cluster: ClusterInfo
    services: Services
    probing: Probing
    history: History

    def must_be_answered(
        self,
        answers: Sequence[Answers],
        *,
        token: str,
        of: int,
        port: int | None = 80,
        converged_at: float | None = None,
    ) -> list[ProbeBatch]:
        """Each vantage is answered by exactly the pods that are named for it.

        Args:
            answers: who answers whom.
            token: of the pods' workload.
            of: how many pods the workload has: over so many new connections each would be seen.
            port: of the pods; None: any.
            converged_at: see `Probing.run_from`; None: all has settled.

        Returns:
            The batches of those vantages that are answered.

        Raises:
            BrokenPromise: not so.
        """
        answered, silent = [e for e in answers if e.pods], [e for e in answers if not e.pods]
        pairs = [(each.vantage, each.targets) for each in answered]
        batches = self._run(pairs, connections_to_see_all(of), converged_at)
        findings = [
            reachability([batch], pods=each.pods, token=token, pod_port=port)
            for each, batch in zip(answered, batches, strict=True)
        ]
        controlled = self._run([(each.vantage, [*each.targets, *each.control]) for each in silent], SILENT_CONNECTIONS)
        for each, batch in zip(silent, controlled, strict=True):
            judged, control = ([batch.of(t.name) for t in some] for some in (each.targets, each.control))
            findings.append(isolated(judged, control=control))
        must_hold(self.history, *findings)
        return batches

    def must_follow(
        self, answers: Sequence[Answers], *, token: str, of: int, within_s: float = PROPAGATION_BUDGET_S
    ) -> list[ProbeBatch]:
        """As `must_be_answered`, of what has just been changed: judged once it has come through (`follow`)."""
        follow(self.probing, answers, within_s)
        return self.must_be_answered(answers, token=token, of=of)

    def _run(self, pairs: Pairs, count: int, converged_at: float | None = None) -> list[ProbeBatch]:
        if not pairs:
            return []
        return self.probing.run_from(
            pairs, count=count, converged_at=converged_at, rate_per_s=RATE_PER_S, timeout_ms=TIMEOUT_MS
        )
