"""A Service ceases to be a load balancer, or is made and deleted again and again: nothing is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance.azure.settings import ARM, INTERNAL, PREFIX, tcp, udp
from fixtures.azure.holdings import Resources
from fixtures.azure.reading import Reading
from fixtures.checks.azure_configuration import nothing_left
from fixtures.checks.holding import must_hold
from fixtures.history import Finding, History
from fixtures.requirements import MUST, requirement
from fixtures.verdicts import Verdict
from fixtures.workloads.balanced import Balanced

if TYPE_CHECKING:
    from fixtures.azure.clients import Azure

pytestmark = pytest.mark.long
CYCLES = 20
AT_ONCE: dict[str, str | None] = {f"{PREFIX}{name}": None for name in INTERNAL}
PUBLIC_ONE: dict[str, str] = {}
INTERNAL_ONE = {f"{PREFIX}{name}": value for name, value in INTERNAL.items()}
PORTS = {"ports": [tcp(80), udp(53)]}


@requirement(
    "azure.a_cluster_ip_has_no_load_balancer",
    promise="A Service whose type is changed to ClusterIP keeps nothing in Azure, whatever else is changed with it.",
    source="AKS issues 1283, 1959; cloud-provider-azure issues 2357, 3226, 8113; k/k#59255",
    level=MUST,
    features=ARM,
)
@pytest.mark.parametrize(
    ("annotations", "changed"),
    [(PUBLIC_ONE, {}), (INTERNAL_ONE, {}), (INTERNAL_ONE, AT_ONCE)],
    ids=["public", "internal", "internal, annotation removed at once"],
)
def test_a_cluster_ip_has_no_load_balancer(
    balanced: Balanced, reading: Reading, history: History, annotations: dict[str, str], changed: dict[str, str | None]
) -> None:
    """Fault: `edits_forgotten`."""
    service = balanced.must_be_ensured(balanced.create(annotations, PORTS))
    before = reading.resources().holding(service.body)
    balanced.change(service, changed, {"type": "ClusterIP"})
    balanced.must_be_gone(service)
    after = balanced.read(service)
    must_hold(history, nothing_left(reading.resources().holding(service.body, addresses=before.addresses)))
    balanced.delete(after)


@requirement(
    "azure.quick_cycles_leave_nothing",
    promise="A Service that is made and deleted again and again under one name leaves nothing in Azure.",
    source="k/k#43730, #54961, #69352",
    level=MUST,
    features=ARM,
)
def test_quick_cycles_leave_nothing(
    balanced: Balanced, azure: Azure, reading: Reading, patience_s: float, history: History
) -> None:
    """Fault: `arm_keeps_addresses`, ARM says that it deleted a public IP address, and keeps it.

    A Service that is deleted before its load balancer is there goes at once; what is being made for it goes later.
    """
    made = []
    for cycle in range(CYCLES):
        service = balanced.create(PUBLIC_ONE if cycle % 2 else INTERNAL_ONE, {}, name="again-and-again")
        # Each second pair is deleted before it is there.
        made.append(balanced.must_be_ensured(service) if cycle % 4 < 2 else service)
        balanced.delete(service)
        balanced.must_be_gone(service)

    def findings(resources: Resources) -> list[Finding]:
        return [nothing_left(resources.holding(service.body)) for service in made]

    def all_gone(resources: Resources) -> bool:
        return all(finding.verdict is Verdict.PASS for finding in findings(resources))

    must_hold(history, *findings(azure.observe(reading.resources, all_gone, timeout_s=patience_s).state))
