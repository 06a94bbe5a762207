"""Requests come to the pods of the Service that an Ingress names for their host and path, and to no other."""

from __future__ import annotations

import pytest

from conformance.ingress.entry import Asked, Entry
from fixtures.errors import BrokenPromise
from fixtures.history import History
from fixtures.prober.probing import Probing
from fixtures.requirements import SHOULD, requirement

pytestmark = pytest.mark.scenario("ingress")


@requirement(
    "ingress.gets_an_address",
    promise="The controller of an IngressClass says in the status of an Ingress of it where the Ingress is reached.",
    source="kubernetes.io: Ingress, Single Service Ingress; seed: Kubernetes services, Ingress",
    level=SHOULD,
    features=("ingress",),
)
def test_gets_an_address(entry: Entry) -> None:
    """Fault: `ingress_controller_stopped`."""
    without = [ingress.name for ingress in (entry.routed, entry.going, entry.changed) if not ingress.address]
    if without:
        raise BrokenPromise(
            expected="an address in the status of each Ingress", observed=f"none of {without}", vantage="the API"
        )


@requirement(
    "ingress.leads_to_the_pods",
    promise="A request by an Ingress comes to the ready pods of the Service that it names, and to each of them, be the "
    "Service's port named by its number or by its name.",
    source="kubernetes.io: Ingress, The Ingress resource; seed: Kubernetes services, Ingress",
    level=SHOULD,
    features=("ingress",),
)
@pytest.mark.parametrize("port_by", ["number", "name"])
def test_leads_to_the_pods(entry: Entry, probing: Probing, history: History, port_by: str) -> None:
    """Fault: `target_ports_changed`, by which the ports of new Services lead to other ports of pods."""
    pod_port = {"number": 80, "name": 8080}[port_by]
    asked = Asked(entry.routed.target(entry.host(port_by), "/any/path"), entry.all_pods, pod_port)
    entry.must_lead(probing, history, [asked], token=entry.web.token)


@requirement(
    "ingress.hosts_are_told_apart",
    promise="An Ingress leads by the request's host, a wildcard standing for one label of it; other hosts come to none "
    "of its pods.",
    source="kubernetes.io: Ingress, Hostname wildcards; Name based virtual hosting",
    level=SHOULD,
    features=("ingress",),
)
def test_hosts_are_told_apart(entry: Entry, probing: Probing, history: History) -> None:
    """Fault: `ingresses_altered`, by which new Ingresses lose their hosts."""
    wild, nobody = entry.host("wild"), set[str]()
    expected = {
        entry.host("left"): entry.pod(0),
        entry.host("right"): entry.pod(1),
        f"one.{wild}": entry.pod(0),
        wild: nobody,
        f"one.two.{wild}": nobody,
        entry.host("other"): nobody,
        f"one.{entry.host('left')}": nobody,
    }
    asked = [Asked(entry.routed.target(host), pods) for host, pods in expected.items()]
    entry.must_lead(probing, history, asked, token=entry.web.token)


@requirement(
    "ingress.paths_are_matched",
    promise="An exact path leads requests for it alone, to the letter; a prefix those for it and below it, element by "
    "element, and a slash at its end makes no difference.",
    source="kubernetes.io: Ingress, Path types; Examples",
    level=SHOULD,
    features=("ingress",),
)
def test_paths_are_matched(entry: Entry, probing: Probing, history: History) -> None:
    """Fault: `ingresses_altered`, by which exact paths become prefixes and the other way round."""
    left, right, nobody = entry.pod(0), entry.pod(1), set[str]()
    expected = {
        "/exact": left,
        "/exact/": nobody,
        "/exact/below": nobody,
        "/Exact": nobody,
        "/prefix": right,
        "/prefix/": right,
        "/prefix/below": right,
        "/prefixed": nobody,
        "/slash": right,
        "/slash/": right,
        "/slash/below": right,
        "/other": nobody,
    }
    host = entry.host("paths")
    asked = [Asked(entry.routed.target(host, path), pods) for path, pods in expected.items()]
    entry.must_lead(probing, history, asked, token=entry.web.token)


@requirement(
    "ingress.the_longest_path_wins",
    promise="Of several paths that match, the longest one leads, and of two that are equally long the exact one.",
    source="kubernetes.io: Ingress, Multiple matches",
    level=SHOULD,
    features=("ingress",),
)
def test_the_longest_path_wins(entry: Entry, probing: Probing, history: History) -> None:
    """Fault: `ingresses_altered`."""
    left, right = entry.pod(0), entry.pod(1)
    expected = {
        "/prefix/below": right,
        "/prefix/longer": left,
        "/prefix/longer/below": left,
        "/both": left,
        "/both/below": right,
    }
    host = entry.host("paths")
    asked = [Asked(entry.routed.target(host, path), pods) for path, pods in expected.items()]
    entry.must_lead(probing, history, asked, token=entry.web.token)
