"""The cluster that is broken and healed, how often what is known is measured, and the matrix of what was caught."""

from __future__ import annotations

import os
import platform
import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import pytest

from fixtures.cases import by_promise
from fixtures.catalogue import collect
from fixtures.clusters import Disruption
from fixtures.clusters.local import open_cluster
from fixtures.clusters.local.cluster import LocalCluster
from fixtures.scheduling import is_disruptive
from fixtures.session import is_worker
from fixtures.turns import Turns
from tests.seeded_faults import matrix


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--rounds N`, `--sample N`."""
    parser.addoption("--rounds", type=int, default=2, help="how often each known truth is measured (default 2)")
    parser.addoption("--sample", type=int, default=0, help="promises tried at random beside those that a fault breaks")


def pytest_configure(config: pytest.Config) -> None:
    """In the process that sees all reports: gather what was caught."""
    if not is_worker(config):
        config.pluginmanager.register(Gatherer(config))


class Gatherer:
    """Gathers the rows of all tests, of workers' too, writes them into the report folder and prints them."""

    def __init__(self, config: pytest.Config) -> None:
        """Nothing was caught yet."""
        self._rows: list[matrix.Row] = []
        self._began = datetime.now(UTC)
        folder = config.getoption("report_dir") or f"runs/faults-{self._began:%Y%m%dt%H%M%Sz}"
        self._folder = config.invocation_params.dir / folder

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the rows of a test."""
        if report.when == "call":
            for name, data in report.user_properties:
                self._rows += matrix.from_property(data) if name == matrix.PROPERTY else []

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the matrix, and print it."""
        if not self._rows:
            return
        took_s = (datetime.now(UTC) - self._began).total_seconds()
        facts = {
            "began": f"{self._began:%Y-%m-%d %H:%M UTC}",
            "minutes": f"{took_s / 60:.1f}",
            "machine": f"{platform.machine()}, {os.cpu_count()} processors, Linux {platform.release()}",
        }
        matrix.write(self._folder, self._rows, facts)
        terminalreporter.section("seeded faults")
        for line in matrix.lines(self._rows):
            terminalreporter.write_line(line)
        terminalreporter.write_line(f"report: {self._folder / 'faults.html'}")


@pytest.fixture(scope="session")
def others(request: pytest.FixtureRequest) -> Callable[[str, Sequence[str]], list[str]]:
    """For a fault and the promises that it breaks: as many others at random as --sample says.

    None of them disturbs the cluster beyond its pods: two disturbances at once say nothing of either.
    """
    size, seed = request.config.getoption("sample", 0), request.config.getoption("seed")
    quiet = [
        promise.id
        for promise, _ in by_promise(collect() if size else ())
        if not set(promise.features) & set(Disruption)
    ]

    def chosen(fault: str, broken: Sequence[str]) -> list[str]:
        left = [promise for promise in quiet if promise not in broken]
        return random.Random(f"{seed} {fault}").sample(left, min(size, len(left)))

    return chosen


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[LocalCluster]:
    """The local cluster that is broken and healed again."""
    local = open_cluster(request.config.getoption("cluster_name"), keep=False, progress=print)
    yield local
    local.close()


@pytest.fixture(autouse=True)
def turn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what is disruptive apart from the tests of all workers.

    Load is measured so: beside another cluster's tests the load generator would be the limit.
    """
    folder = tmp_path_factory.getbasetemp()
    with Turns(folder.parent if is_worker(request.config) else folder).turn(alone=is_disruptive(request.node)):
        yield
