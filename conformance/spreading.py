"""What the spread of connections is judged by, in the chapter of each Service type."""

from __future__ import annotations

import math

from fixtures.checks.distribution import distribution
from fixtures.checks.holding import must_hold
from fixtures.checks.sessions import sessions_unbroken
from fixtures.scenarios.spread import Spread, all_open_at
from fixtures.scenarios.ways import ServiceType, Way
from fixtures.verdicts import NotObservable


def must_be_even(spread: Spread, service_type: ServiceType) -> None:
    """New connections are shared evenly: over all vantages, and from each to each target where there are enough.

    Raises:
        BrokenPromise: not so.
        NotObservable: there is no vantage for this type.
    """
    batches, shares, margins = spread.of(Way(service_type, "new")), spread.shares, spread.margins
    findings = [distribution(batches, shares=shares, margin=margins.pooled, token=spread.token, pooled=True)]
    if margins.flow is not None:
        findings += [distribution(batches, shares=shares, margin=margins.flow, token=spread.token)]
    must_hold(spread.history, *findings)


def must_be_kept_evenly(spread: Spread, service_type: ServiceType) -> None:
    """Kept connections are shared evenly over all vantages, and each stays with its pod.

    Raises:
        BrokenPromise: not so.
        NotObservable: there is no vantage for this type, or there are too few.
    """
    batches, shares, margin = spread.of(Way(service_type, "established")), spread.shares, spread.margins.kept
    if margin is None:
        raise NotObservable("there are too few vantages to judge how kept connections are spread")
    found = distribution(batches, shares=shares, margin=margin, token=spread.token, pooled=True)
    stayed = [sessions_unbroken([b], set(shares), since=all_open_at(b), until=math.inf) for b in batches]
    must_hold(spread.history, found, *stayed)
