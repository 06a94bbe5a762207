"""What the chapter stands on: one load generator, whose measurements its tests share."""

from collections.abc import Iterator

import pytest

from fixtures.api import Api
from fixtures.budgets import Budgets
from fixtures.clusters import ClusterInfo
from fixtures.load.stage import LoadStage
from fixtures.prober.vantages import PodVantage
from fixtures.scenarios.ground import Ground
from fixtures.session import REPORT_DIR_KEY, RUN_ID_KEY
from fixtures.workloads.namespaces import Namespaces


@pytest.fixture(scope="session")
def load_stage(
    api: Api,
    cluster: ClusterInfo,
    namespaces: Namespaces,
    budgets: Budgets,
    *,
    node_vantages: tuple[PodVantage, ...],
    request: pytest.FixtureRequest,
) -> Iterator[LoadStage]:
    """Locust; started when a test asks for the first measurement."""
    report_dir = request.config.stash[REPORT_DIR_KEY]
    ground = Ground(
        api=api,
        cluster=cluster,
        namespaces=namespaces,
        run_id=request.config.stash[RUN_ID_KEY],
        folder=report_dir / "history",
        budgets=budgets,
        inside=node_vantages,
        outside=None,
    )
    made = LoadStage(ground, report_dir, load_from=request.config.getoption("load_from"))
    yield made
    made.close()
