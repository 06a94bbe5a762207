"""The cluster that is broken and healed, and how often what is known is measured."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fixtures.clusters.local import open_cluster
from fixtures.clusters.local.cluster import LocalCluster


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--rounds N`."""
    parser.addoption("--rounds", type=int, default=2, help="how often each known truth is measured (default 2)")


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[LocalCluster]:
    """The local cluster that is broken and healed again."""
    local = open_cluster(request.config.getoption("cluster_name"), keep=False, progress=print)
    yield local
    local.close()
