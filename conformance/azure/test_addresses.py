"""Whose address a load balancer has: one that its user brought, one of a range, one that is shared."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from conformance.azure.settings import ARM, INTERNAL, INTERNAL_BALANCER, PREFIX, PUBLIC_BALANCER, tcp
from fixtures.azure.reading import Reading
from fixtures.checks.azure_configuration import rows_are, rules_are
from fixtures.checks.azure_expected import expected_rules
from fixtures.checks.holding import must_hold
from fixtures.checks.values import equal, lie_in
from fixtures.history import History
from fixtures.requirements import MUST, requirement
from fixtures.workloads.balanced import Balanced

if TYPE_CHECKING:
    from fixtures.azure.belongings import Belongings
    from fixtures.azure.clients import Azure

STATIC_IP = "AKS docs: Use a static IP"
BY_NAME, BY_ADDRESS, IN_PREFIX, SUBNET = (
    f"{PREFIX}{name}"
    for name in (
        "azure-pip-name",
        "azure-load-balancer-ipv4",
        "azure-pip-prefix-id",
        "azure-load-balancer-internal-subnet",
    )
)
IS_INTERNAL = {f"{PREFIX}{name}": value for name, value in INTERNAL.items()}


@requirement(
    "azure.a_public_ip_that_was_brought_is_used_and_kept",
    promise="A public IP address that its user made is used when it is named, and is as it was after the Service.",
    source=f"{STATIC_IP}; cloud-provider-azure e2e: ensureloadbalancer.go, user assigned public IP",
    level=MUST,
    features=ARM,
)
@pytest.mark.parametrize("by", ["name", "annotation", "loadBalancerIP"])
def test_a_public_ip_that_was_brought_is_used_and_kept(
    balanced: Balanced, azure: Azure, belongings: Belongings, history: History, by: str
) -> None:
    """Fault: `settings_forgotten`."""
    brought = belongings.public_ip(tags={"owner": "somebody"})
    address = str(brought.ip_address)
    annotations = {"name": {BY_NAME: brought.name}, "annotation": {BY_ADDRESS: address}}.get(by, {})
    spec = {"loadBalancerIP": address} if by == "loadBalancerIP" else {}
    service = balanced.must_be_ensured(balanced.create(annotations, spec))
    must_hold(history, equal("external IP", [address], list(service.external_ips.values())))
    balanced.delete(service)
    balanced.must_be_gone(service)
    kept = azure.recording(history).public_ip(brought.name)
    must_hold(
        history,
        equal("the public IP address", address, kept and kept.ip_address),
        equal("its tags", brought.tags, kept and kept.tags),
        equal("what uses it", None, kept and kept.ip_configuration),
    )


@requirement(
    "azure.a_public_ip_can_be_exchanged",
    promise="When another public IP address is named the Service moves there, and its own old one is given up.",
    source=f"{STATIC_IP}; cloud-provider-azure e2e: service_annotations.go, azure-pip-name",
    level=MUST,
    features=ARM,
)
def test_a_public_ip_can_be_exchanged(
    balanced: Balanced, reading: Reading, belongings: Belongings, history: History
) -> None:
    """Fault: `edits_forgotten`."""
    service = balanced.must_be_ensured(balanced.create({}, {}))
    for brought in (belongings.public_ip(), belongings.public_ip()):
        balanced.change(service, {BY_NAME: brought.name}, {})
        service = balanced.must_have(service, str(brought.ip_address))
        held = reading.resources().holding(service.body)
        wanted = {brought.name: {"address": brought.ip_address}}
        must_hold(history, rows_are("public IP addresses", wanted, held.public_ips))
    balanced.delete(service)
    balanced.must_be_gone(service)


@requirement(
    "azure.a_public_ip_can_be_of_a_prefix",
    promise="The public IP address is taken from the prefix that is named.",
    source="cloud-provider-azure docs: Load Balancer, azure-pip-prefix-id",
    level=MUST,
    features=ARM,
)
def test_a_public_ip_can_be_of_a_prefix(
    balanced: Balanced, reading: Reading, belongings: Belongings, history: History
) -> None:
    """Fault: `settings_forgotten`."""
    prefix = belongings.public_ip_prefix()
    service = balanced.must_be_ensured(balanced.create({IN_PREFIX: prefix.id}, {}))
    (public,) = reading.resources().holding(service.body).public_ips
    must_hold(
        history,
        equal("the prefix of the public IP address", prefix.name.lower(), public["prefix"]),
        lie_in("the external IP", list(service.external_ips.values()), [ip_network(str(prefix.ip_prefix))]),
    )
    balanced.delete(service)
    balanced.must_be_gone(service)


@requirement(
    "azure.an_internal_address_can_be_chosen",
    promise="An internal load balancer has the address that is asked for, and moves when another one is.",
    source="AKS docs: Use an internal load balancer, Specify an IP address; e2e: update internal IP",
    level=MUST,
    features=ARM,
)
def test_an_internal_address_can_be_chosen(balanced: Balanced, reading: Reading, history: History) -> None:
    """Fault: `settings_forgotten`."""
    first, second = reading.free_addresses(2)
    service = balanced.must_be_ensured(balanced.create({**IS_INTERNAL, BY_ADDRESS: first}, {}))
    must_hold(history, equal("external IP", [first], list(service.external_ips.values())))
    balanced.change(service, {BY_ADDRESS: second}, {})
    service = balanced.must_have(service, second)
    must_hold(history, equal("addresses", [second], reading.resources().holding(service.body).addresses))
    balanced.delete(service)


@requirement(
    "azure.an_internal_subnet_can_be_chosen",
    promise="An internal load balancer has an address of the subnet that is named.",
    source="AKS docs: Use an internal load balancer, Specify a different subnet; AKS issue 221",
    level=MUST,
    features=ARM,
)
def test_an_internal_subnet_can_be_chosen(balanced: Balanced, reading: Reading, history: History) -> None:
    """Fault: `settings_forgotten`."""
    subnet = reading.other_subnet()
    service = balanced.must_be_ensured(balanced.create({**IS_INTERNAL, SUBNET: subnet.name}, {}))
    held = reading.resources().holding(service.body)
    must_hold(
        history,
        equal("the subnet of the frontend", [subnet.name.lower()], [row["subnet"].lower() for row in held.frontends]),
        lie_in("the external IP", list(service.external_ips.values()), [ip_network(r) for r in subnet.ranges]),
        rules_are(held, expected_rules(service.body, {})),
    )
    balanced.delete(service)


@requirement(
    "azure.services_share_an_address",
    promise="Services with different ports can share one address; what one of them does leaves the other alone.",
    source=f"{STATIC_IP}; cloud-provider-azure docs: Load Balancer, Sharing; e2e: share one public IP",
    level=MUST,
    features=ARM,
)
@pytest.mark.parametrize("kind", ["public", "brought", "internal"])
def test_services_share_an_address(
    balanced: Balanced, reading: Reading, belongings: Belongings, history: History, kind: str
) -> None:
    """Fault: `settings_forgotten`."""
    own = IS_INTERNAL if kind == "internal" else {}
    brought = {BY_NAME: belongings.public_ip().name} if kind == "brought" else {}
    first = balanced.must_be_ensured(balanced.create({**own, **brought}, {"ports": [tcp(80)]}))
    (address,) = first.external_ips.values()
    second = balanced.create({**own, BY_ADDRESS: address}, {"ports": [tcp(443)]})
    second = balanced.must_be_ensured(second)
    both = [reading.resources().holding(service.body) for service in (first, second)]
    must_hold(
        history,
        equal("external IP of the second", [address], list(second.external_ips.values())),
        *(rules_are(held, expected_rules(s.body, {})) for s, held in zip((first, second), both, strict=True)),
    )
    balanced.delete(first)
    balanced.must_be_gone(first)
    after = reading.resources().holding(second.body)
    must_hold(
        history,
        equal("address that is left", [address], after.addresses),
        rules_are(after, expected_rules(second.body, {})),
    )
    balanced.delete(second)
    balanced.must_be_gone(second)


@requirement(
    "azure.internal_and_public_can_be_exchanged",
    promise="A public load balancer becomes internal, and the other way round, and leaves nothing where it was.",
    source="cloud-provider-azure e2e: ensureloadbalancer.go, internal to external; AKS docs: internal load balancer",
    level=MUST,
    features=ARM,
)
def test_internal_and_public_can_be_exchanged(balanced: Balanced, reading: Reading, history: History) -> None:
    """Fault: `edits_forgotten`."""
    service = balanced.must_be_ensured(balanced.create(IS_INTERNAL, {}))
    for asked, name in ((dict.fromkeys(IS_INTERNAL), PUBLIC_BALANCER), (IS_INTERNAL, INTERNAL_BALANCER)):
        balanced.change(service, asked, {})
        service = balanced.must_move(service)
        held = reading.resources().holding(service.body)
        must_hold(
            history,
            rows_are("load balancers", {name: {}}, held.load_balancers),
            rules_are(held, expected_rules(service.body, {})),
            equal("public IP addresses", int(name == PUBLIC_BALANCER), len(held.public_ips)),
            equal("external IPs", held.addresses, list(service.external_ips.values())),
        )
    balanced.delete(service)
