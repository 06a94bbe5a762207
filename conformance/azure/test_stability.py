"""What stays as it is: etags when nothing is asked for, the address whatever is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance.azure.settings import ARM, INTERNAL, PREFIX, tcp, udp
from fixtures.azure.reading import Reading
from fixtures.checks.azure_configuration import rows_are, unchanged
from fixtures.checks.azure_holding import Row
from fixtures.checks.holding import must_hold
from fixtures.checks.values import equal
from fixtures.history import History
from fixtures.requirements import MUST, requirement
from fixtures.workloads.balanced import Balanced

if TYPE_CHECKING:
    from fixtures.azure.belongings import Belongings
    from fixtures.azure.clients import Azure

IS_INTERNAL = {f"{PREFIX}{name}": value for name, value in INTERNAL.items()}
IRRELEVANT = {"example.com/irrelevant": "changed"}
LOCAL, CLUSTER = {"externalTrafficPolicy": "Local"}, {"externalTrafficPolicy": "Cluster"}
MANY = {
    f"{PREFIX}{name}": value
    for name, value in {
        "azure-load-balancer-tcp-idle-timeout": "10",
        "azure-load-balancer-health-probe-interval": "10",
        "azure-load-balancer-health-probe-protocol": "http",
        "azure-load-balancer-health-probe-request-path": "/",
        "azure-allowed-service-tags": "AzureCloud",
        "azure-allowed-ip-ranges": "192.0.2.0/24",
        "azure-pip-tags": "team=web",
    }.items()
}
EDITS: dict[str, tuple[dict[str, str | None], Row]] = {
    "port added": ({}, {"ports": [tcp(80), tcp(443)]}),
    "port exchanged": ({}, {"ports": [tcp(8080)]}),
    "UDP added": ({}, {"ports": [tcp(80), udp(53)]}),
    "Local": ({}, LOCAL),
    "Cluster again": ({}, CLUSTER),
    "idle timeout": ({f"{PREFIX}azure-load-balancer-tcp-idle-timeout": "10"}, {}),
    "probe": ({f"{PREFIX}azure-load-balancer-health-probe-interval": "10"}, {}),
    "source ranges": ({}, {"loadBalancerSourceRanges": ["192.0.2.0/24"]}),
    "affinity": ({}, {"sessionAffinity": "ClientIP"}),
}


@requirement(
    "azure.irrelevant_edits_change_nothing",
    promise="A change of a Service that asks nothing of Azure changes nothing in Azure: every etag stays.",
    source="cloud-provider-azure e2e: ensureloadbalancer.go, should not update any resources when service config "
    "is not changed (four tests)",
    level=MUST,
    features=ARM,
)
# Alone: an etag of the load balancer changes with every Service.
@pytest.mark.disruptive
def test_irrelevant_edits_change_nothing(
    balanced: Balanced, azure: Azure, belongings: Belongings, history: History
) -> None:
    """Fault: `etags_churn`, somebody else writes to Azure's resources whenever a Service is changed."""
    wishes: list[tuple[dict[str, str], Row]] = [
        (MANY, {"ports": [tcp(80), tcp(443)]}),
        ({f"{PREFIX}azure-pip-name": belongings.public_ip().name}, {}),
        ({f"{PREFIX}azure-pip-prefix-id": belongings.public_ip_prefix().id}, {}),
        ({**IS_INTERNAL, f"{PREFIX}azure-load-balancer-enable-high-availability-ports": "true"}, LOCAL),
    ]
    services = [balanced.create(*wish) for wish in wishes]
    made = [balanced.must_be_ensured(service) for service in services]
    before = azure.inventory()
    for service in made:
        balanced.change(service, IRRELEVANT, {})
    for service in made:
        balanced.must_be_ensured(service)
    must_hold(history, unchanged("etags", before.etags, azure.inventory().etags))


@requirement(
    "azure.the_address_survives_edits",
    promise="Ports, policies and annotations of a Service may change: its address, and the resource it is of, stay.",
    source="cloud-provider-azure e2e: ensureloadbalancer.go, no-op; kubernetes.io: Service, type: LoadBalancer",
    level=MUST,
    features=ARM,
)
@pytest.mark.parametrize("annotations", [{}, IS_INTERNAL], ids=["public", "internal"])
def test_the_address_survives_edits(
    balanced: Balanced, reading: Reading, history: History, annotations: dict[str, str]
) -> None:
    """Fault: `address_changes_with_edits`, a public load balancer is made internal by each change, or the other way."""
    service = balanced.must_be_ensured(balanced.create(annotations, {}))
    first = reading.resources().holding(service.body)
    wanted = {row["name"]: {"address": row["address"], "public_ip": row["public_ip"]} for row in first.frontends}
    for changed_annotations, changed_spec in EDITS.values():
        balanced.change(service, changed_annotations, changed_spec)
        service = balanced.must_be_ensured(service)
        must_hold(
            history,
            equal("external IPs", first.addresses, list(service.external_ips.values())),
            rows_are("frontends", wanted, reading.resources().holding(service.body).frontends),
        )
