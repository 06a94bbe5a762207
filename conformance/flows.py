"""Flows of datagrams: clients that go on sending from one port, while what they send to changes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from fixtures.checks.holding import must_hold
from fixtures.checks.outage import outage
from fixtures.history import History
from fixtures.prober.plan import Target
from fixtures.prober.probing import Probing
from fixtures.prober.underway import UnderWay, not_quiet
from fixtures.prober.vantages import Vantage
from fixtures.workloads.web import Pod, Web

QUIET_S, LONGEST_S = 3.0, 150.0
"""How long all is well before something is done, and after it; the end of it all."""
RATE_PER_S = 20.0
"""Of each target."""
BEYOND_S = 3.0
"""Longer than what is allowed, so that what lasts longer is seen to."""


def kept(targets: Sequence[Target], flows: int) -> list[Target]:
    """The targets, each over so many flows that are kept."""
    return [target.model_copy(update={"connection": "reused", "connections": flows}) for target in targets]


@contextmanager
def answered(
    probing: Probing, vantages: Sequence[Vantage], targets: Sequence[Target], within_s: float
) -> Iterator[UnderWay]:
    """Flows from each vantage to each target during the block, which begins when all have been answered for a while.

    Raises:
        BrokenPromise: not so within `within_s`.
        SuiteError: none failed, but not enough were sent.
    """
    pairs, rate_per_s = [(vantage, targets) for vantage in vantages], RATE_PER_S * len(targets)
    with probing.during(pairs, rate_per_s=rate_per_s, longest_s=LONGEST_S) as under_way:
        since = time.time()
        if not under_way.wait_until_quiet(since=since, quiet_s=QUIET_S, timeout_s=within_s):
            raise not_quiet(under_way, since, QUIET_S, within_s, expected="answers")
        yield under_way


def must_leave_a_pod_that_ends(
    probing: Probing,
    history: History,
    *,
    vantages: Sequence[Vantage],
    targets: Sequence[Target],
    web: Web,
    pod: Pod,
    within_s: float,
    allowed_s: float,
) -> None:
    """When a pod of the targets' ends at once, no flow is unanswered for longer than allowed.

    Raises:
        BrokenPromise: one is, or they were not answered in the first place within `within_s`.
    """
    with answered(probing, vantages, targets, within_s) as under_way:
        web.delete_pods(pod, grace_period_s=0)
        ended = time.time()
        web.wait_until_serving(other_than=[pod])
        under_way.wait_until_quiet(since=time.time(), quiet_s=QUIET_S, timeout_s=allowed_s + BEYOND_S)
    must_hold(history, outage(under_way.batches, allowed_s=allowed_s, since=ended))
