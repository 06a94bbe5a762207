"""What follows the nodes and the controller: the backend pool does, nothing else changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance.azure.lost_nodes import noted
from conformance.azure.settings import ARM, INTERNAL, PREFIX
from conformance.lifecycle.judging import judges
from conformance.lifecycle.test_nodes import FAILURE, last_node
from fixtures.azure.reading import Reading
from fixtures.checks.azure_configuration import pools_hold, rows_are, unchanged
from fixtures.checks.holding import must_hold
from fixtures.checks.values import equal
from fixtures.clusters import ClusterInfo
from fixtures.errors import SuiteError
from fixtures.faults.disruptions import Disruptions
from fixtures.history import History
from fixtures.requirements import MUST, requirement
from fixtures.scenarios.stage import Stage
from fixtures.workloads.balanced import ENSURED, UPDATED, Balanced

if TYPE_CHECKING:
    from fixtures.azure.clients import Azure

# Alone: pools are everybody's, and etags change with every Service.
pytestmark = pytest.mark.disruptive
BOTH: tuple[dict[str, str], ...] = ({}, {f"{PREFIX}{name}": value for name, value in INTERNAL.items()})


@requirement(
    "azure.an_excluded_node_leaves_the_pool",
    promise="A node with the label exclude-from-external-load-balancers is no backend; without it, it is one again.",
    source="kubernetes.io: Well-Known Labels, node.kubernetes.io/exclude-from-external-load-balancers; "
    "cloud-provider-azure issues 1194, 7509, 8649",
    level=MUST,
    features=(*ARM, "node_exclusion"),
)
def test_an_excluded_node_leaves_the_pool(
    balanced: Balanced, disruptions: Disruptions, cluster: ClusterInfo, reading: Reading, history: History
) -> None:
    """Fault: `exclusion_lost`, the label of a node is lost."""
    services = [balanced.must_be_ensured(balanced.create(annotations, {})) for annotations in BOTH]
    nodes, excluded = reading.balanced_nodes(), cluster.nodes[0].name
    since = balanced.said()
    with disruptions.excluded_node(excluded):
        balanced.must_say(services, UPDATED, since)
        without, since = reading.resources(), balanced.said()
    balanced.must_say(services, UPDATED, since)
    again = reading.resources()
    for service in services:
        before, after = without.holding(service.body), again.holding(service.body)
        frontends = {row["name"]: row for row in before.frontends}
        must_hold(
            history,
            pools_hold(before, nodes - {excluded}),
            pools_hold(after, nodes),
            rows_are("frontends", frontends, after.frontends),
        )


@requirement(
    "azure.a_restart_of_the_controller_changes_nothing",
    promise="When the cloud controller is restarted it finds everything as it should be: every etag stays.",
    source="cloud-provider-azure e2e: should not update any resources when service config is not changed",
    level=MUST,
    features=(*ARM, "cloud_controller_restart"),
)
def test_a_restart_of_the_controller_changes_nothing(
    balanced: Balanced, disruptions: Disruptions, azure: Azure, history: History
) -> None:
    """Fault: `etags_churn`, somebody else writes to Azure's resources whenever the controller looks at a Service."""
    services = [balanced.must_be_ensured(balanced.create(annotations, {})) for annotations in BOTH]
    before, since = azure.inventory(), balanced.said()
    disruptions.restart_cloud_controller()
    balanced.must_say(services, ENSURED, since)
    must_hold(history, unchanged("etags", before.etags, azure.inventory().etags))


@requirement(
    "azure.a_lost_node_stays_in_the_pool",
    promise="A node that is not Ready stays in the backend pool, also when its Service is dealt with anew; the health "
    "probe takes it out, and no other.",
    source="k8s.io/cloud-provider: service controller, stableNodeSetPredicates; KEP-3458; cloud-provider-azure issue "
    "7509, k/k#109180",
    level=MUST,
    features=(*ARM, "node_failure"),
)
@judges(FAILURE)
@pytest.mark.disruptive(order=1)
def test_a_lost_node_stays_in_the_pool(stage: Stage) -> None:
    """Fault: `path_closed_at_loss`, with which lost nodes are excluded from load balancers as well."""
    take = stage.take(FAILURE)
    held, up, not_ready = noted(take)
    lost, nodes = last_node(stage.cluster), {node.name for node in stage.cluster.nodes}
    if lost not in not_ready:
        raise SuiteError(f"{lost} has no power and is Ready nevertheless")
    must_hold(
        take.history,
        pools_hold(held, nodes),
        equal("the nodes whose health probes succeed", sorted(nodes - {lost}), up),
    )
