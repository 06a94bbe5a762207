"""What the chapter stands on: Azure's resources, and Services that are made together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from conformance.azure.asked import Asked
from conformance.azure.settings import settings_of
from fixtures.api import Api
from fixtures.azure.reading import Reading
from fixtures.clusters import ClusterInfo
from fixtures.history import History
from fixtures.session import RUN_ID_KEY
from fixtures.verdicts import NotObservable
from fixtures.workloads.balanced import Balanced
from fixtures.workloads.namespaces import Namespaces

if TYPE_CHECKING:
    from fixtures.azure.belongings import Belongings
    from fixtures.azure.clients import Azure

PATIENCE_S, EMULATED_PATIENCE_S = 240.0, 15.0
"""How long the cloud controller may take for one Service: Azure takes some 20 s for each of several operations (AKS
issue 2195), the emulation less than a second, and the controller tries again after 5 s."""
LONGEST_S = 3600
"""Of a case: the first of many Services waits for all of them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the chapter's cases the time that real load balancers take."""
    for item in items:
        if item.path.is_relative_to(__file__.rpartition("/")[0]):
            item.add_marker(pytest.mark.timeout(LONGEST_S))


@pytest.fixture(scope="session")
def azure(cluster: ClusterInfo) -> Azure:
    """Azure's resources of the cluster."""
    if cluster.arm is None:
        raise NotObservable(f"the cluster {cluster.name} has no Azure resources that can be read")
    from fixtures.azure.clients import Azure  # noqa: PLC0415 - half a second, and packages that not everybody has

    return Azure(cluster.arm)


@pytest.fixture(scope="session")
def reading(azure: Azure, api: Api) -> Reading:
    """Reads what Azure holds for Services."""
    return Reading(azure, api)


@pytest.fixture(scope="session")
def patience_s(azure: Azure) -> float:
    """How long the cloud controller may take for one Service."""
    return EMULATED_PATIENCE_S if azure.arm.emulated else PATIENCE_S


@pytest.fixture(scope="session")
def azure_namespace(namespaces: Namespaces) -> str:
    """A namespace for the chapter's Services."""
    return namespaces.create("azure")


@pytest.fixture(scope="session")
def asked(
    *,
    api: Api,
    cluster: ClusterInfo,
    azure_namespace: str,
    reading: Reading,
    patience_s: float,
    request: pytest.FixtureRequest,
) -> Asked:
    """A Service for each setting of this run."""
    balanced = Balanced(api, azure_namespace, History(), patience_s=patience_s)
    return Asked(balanced, reading, settings_of(request.session.items), cluster.families)


@pytest.fixture(scope="session")
def belongings(azure: Azure, request: pytest.FixtureRequest) -> Belongings:
    """What tests bring into the node resource group; it goes at the end of the run."""
    from fixtures.azure.belongings import Belongings  # noqa: PLC0415 - as above

    return Belongings(azure, request.config.stash[RUN_ID_KEY])


@pytest.fixture
def balanced(api: Api, azure_namespace: str, patience_s: float, history: History) -> Iterator[Balanced]:
    """Makes Services of type LoadBalancer for one test, recorded; what is left of them is deleted."""
    made = Balanced(api, azure_namespace, history, patience_s=patience_s)
    yield made
    made.clear()
