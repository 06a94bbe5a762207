"""A Service of type ExternalName: a name that is another name's alias, and nothing else."""

from __future__ import annotations

import pytest

from conformance.directory import OTHER_TARGET, RECORD_LIVES_S, TARGET, Asked
from fixtures.checks.holding import must_hold
from fixtures.checks.names import resolves_to
from fixtures.checks.values import equal
from fixtures.requirements import MUST, requirement

pytestmark = pytest.mark.scenario("names")


@requirement(
    "external_name.is_an_alias",
    promise="A Service of type ExternalName is a CNAME record of its externalName, without cluster IP and endpoints.",
    source="kubernetes.io: Service, type: ExternalName; Service v1, clusterIP",
    level=MUST,
)
def test_it_is_an_alias(asked: Asked) -> None:
    """Fault: `records_damaged`."""
    external = asked.directory.made["external"]
    batches = asked.ask(external.dns_name, "CNAME")
    spec = external.body["spec"]
    given = {field: spec[field] for field in ("clusterIP", "clusterIPs", "ipFamilies") if spec.get(field)}
    asked.slices.must_become(external.name, "no EndpointSlice", lambda slices: not slices)
    must_hold(asked.history, resolves_to(batches, [f"{TARGET}."]), equal("cluster IPs", {}, given))


@requirement(
    "external_name.follows_its_target",
    promise="When its externalName is changed, DNS gives the new one within the lifetime of the record.",
    source="kubernetes.io: Service, type: ExternalName; test/e2e/network/dns.go: ExternalName services",
    level=MUST,
)
def test_it_follows_its_target(asked: Asked) -> None:
    """Fault: `records_damaged`."""
    batches = asked.ask(asked.directory.made["renamed"].dns_name, "CNAME", old_for_s=RECORD_LIVES_S)
    must_hold(asked.history, resolves_to(batches, [f"{OTHER_TARGET}."]))
