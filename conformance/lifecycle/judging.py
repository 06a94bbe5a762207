"""What every scenario of this chapter is judged by."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fixtures.checks.answered import answered_only_by
from fixtures.checks.holding import must_hold
from fixtures.checks.outage import outage
from fixtures.checks.stability import addresses_kept, names_kept
from fixtures.history import Finding
from fixtures.scenarios.scenario import Scenario
from fixtures.scenarios.scene import Take
from fixtures.scenarios.ways import CONNECTIONS_HELD, REQUESTS, Way

Decorator = Callable[[Callable[..., None]], Callable[..., None]]
AROUND = "around Services"
"""The act in which what Services stand on changes, one thing after another, each when all is well again."""
for_each_request_way: Decorator = pytest.mark.parametrize("way", REQUESTS, ids=lambda way: way.name)
for_each_held_way: Decorator = pytest.mark.parametrize("way", CONNECTIONS_HELD, ids=lambda way: way.name)


def judges(scenario: Scenario) -> pytest.MarkDecorator:
    """The marker of a test that judges a scenario."""
    return pytest.mark.scenario(scenario.act_name, scenario=scenario)


def kept(take: Take, way: Way) -> list[Finding]:
    """Findings on what a Service keeps whatever happens to its pods: identity, addresses, ports, name."""
    cluster_ip = take.services["ClusterIP"]
    return [
        addresses_kept(take.history, take.services[way.service_type].name),
        names_kept(take.names, [next(iter(cluster_ip.cluster_ips.values()))]),
    ]


def must_have_lost_at_most(take: Take, way: Way, allowed_s: float, *, answering: str = "after") -> None:
    """No flow was down for longer than allowed, in the end the right pods alone answer, the Service is what it was.

    Args:
        take: the scenario.
        way: how the Service was used.
        allowed_s: seconds; 0: not one request may be lost.
        answering: under what name the scenario noted the pods that new connections must lead to in the end.

    Raises:
        BrokenPromise: not so.
        SuiteError: that cannot be judged.
        NotObservable: there is no vantage for this way.
    """
    batches = take.of(way)
    findings = [outage(batches, allowed_s=allowed_s, since=take.began_at, until=take.until), *kept(take, way)]
    if way.use == "new":
        pods, since = take.names_of(answering), take.quiet_since["end"]
        findings.append(answered_only_by(batches, pods=pods, token=take.token, since=since, until=take.ended_at))
    must_hold(take.history, *findings)


def must_have_been_left(take: Take, way: Way, *, answering: str, at: str) -> None:
    """By the moment noted as `at` every request was answered again, and new connections led to the right pods alone.

    Args:
        take: the scenario.
        way: how the Service was used; connections that stand may stay.
        answering: under what name the scenario noted the pods that new connections must lead to.
        at: the moment's name; judged is the stretch before it in which all was well, or had its chance to be.

    Raises:
        BrokenPromise: not so.
        NotObservable: there is no vantage for this way.
    """
    batches, since, until = take.of(way), take.quiet_since[at], take.marks[at]
    findings = [outage(batches, allowed_s=0, since=since, until=until, phase=f"before {at!r}")]
    if way.use == "new":
        pods = take.names_of(answering)
        findings.append(answered_only_by(batches, pods=pods, token=take.token, since=since, until=until))
    must_hold(take.history, *findings)
