"""What is not the cloud controller's is left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.azure.settings import ARM, PUBLIC_BALANCER, tcp
from fixtures.azure.reading import Reading
from fixtures.checks.azure_configuration import nothing_left, unchanged
from fixtures.checks.holding import must_hold
from fixtures.checks.values import equal
from fixtures.history import History
from fixtures.requirements import MUST, requirement
from fixtures.verdicts import NotObservable
from fixtures.workloads.balanced import CLEANUP, Balanced

if TYPE_CHECKING:
    from fixtures.azure.belongings import Belongings
    from fixtures.azure.clients import Azure


@requirement(
    "azure.a_foreign_class_is_left_alone",
    promise="A Service with the load balancer class of somebody else gets nothing from Azure.",
    source="kubernetes.io: Service, Specifying class of load balancer implementation",
    level=MUST,
    features=ARM,
)
def test_a_foreign_class_is_left_alone(balanced: Balanced, reading: Reading, history: History) -> None:
    """Fault: `settings_forgotten`."""
    foreign = balanced.create({}, {"loadBalancerClass": "example.com/somebody-elses"})
    # One after another: when a later one is dealt with, this one has been looked at.
    balanced.must_be_ensured(balanced.create({}, {}))
    now = balanced.read(foreign)
    must_hold(
        history,
        equal("external IPs", [], list(now.external_ips.values())),
        equal("finalizers of the cloud controller", 0, (now.body["metadata"].get("finalizers") or []).count(CLEANUP)),
        nothing_left(reading.resources().holding(now.body)),
    )


@requirement(
    "azure.security_rules_of_others_stay",
    promise="Security rules that somebody else made stay as they are when Services come and go.",
    source="AKS issue 4254; cloud-provider-azure: IsManagedSecurityRule",
    level=MUST,
    features=ARM,
)
def test_security_rules_of_others_stay(
    balanced: Balanced, azure: Azure, belongings: Belongings, history: History
) -> None:
    """Fault: `arm_alters_writes`."""
    group = azure.security_groups()[0].name
    rule = belongings.security_rule(azure.security_groups()[0])

    def seen() -> dict[str, object]:
        (found,) = (one for one in azure.security_groups() if one.name == group)
        return {r.name: r.model_dump(exclude={"etag"}) for r in found.rules if r.name == rule}

    before = seen()
    service = balanced.must_be_ensured(balanced.create({}, {}))
    must_hold(history, unchanged("security rules", before, seen()))
    balanced.delete(service)
    balanced.must_be_gone(service)
    must_hold(history, unchanged("security rules", before, seen()))


def outbound(azure: Azure) -> dict[str, object]:
    """The outbound rules of the public load balancer, with their frontends and backend pools, by name."""
    balancer = azure.load_balancer(PUBLIC_BALANCER)
    if balancer is None:
        return {}
    rules = balancer.outbound_rules
    kept = {rule.backend_address_pool for rule in rules}
    kept |= {frontend for rule in rules for frontend in rule.frontend_ip_configurations}
    of = [*rules, *(one for one in (*balancer.pools, *balancer.frontends) if one.id in kept)]
    # Etag and state of a child are those of its load balancer, which changes with every Service.
    return {one.name: one.model_dump(exclude={"etag", "provisioning_state"}) for one in of}


@requirement(
    "azure.the_outbound_rule_stays",
    promise="The outbound rule by which the nodes' own connections leave stays as it is, with its frontends and its "
    "backend pool, while Services come, change and go on the same load balancer.",
    source="AKS docs: Customize cluster egress with outbound types, loadBalancer; cloud-provider-azure e2e: "
    "standard_lb.go, outbound rule",
    level=MUST,
    features=ARM,
)
def test_the_outbound_rule_stays(balanced: Balanced, azure: Azure, history: History) -> None:
    """Fault: `arm_alters_writes`."""
    if (how := azure.outbound_type()) != "loadBalancer":
        raise NotObservable(f"connections of nodes do not leave by the load balancer: outboundType {how or 'none'}")
    before = outbound(azure)
    must_hold(history, equal("whether there is an outbound rule", True, bool(before)))
    service = balanced.must_be_ensured(balanced.create({}, {}))
    must_hold(history, unchanged("the outbound rule", before, outbound(azure)))
    balanced.change(service, {}, {"ports": [tcp(80), tcp(443)]})
    balanced.must_be_ensured(service)
    must_hold(history, unchanged("the outbound rule", before, outbound(azure)))
    balanced.delete(service)
    balanced.must_be_gone(service)
    must_hold(history, unchanged("the outbound rule", before, outbound(azure)))
