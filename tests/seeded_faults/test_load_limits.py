"""The load generator is told from the cluster: held back it is called the limit, before slow backends it is not."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.api import Api
from fixtures.budgets import FILE, chosen, values
from fixtures.checks.throughput import carries, no_losses
from fixtures.clusters.local.cluster import LocalCluster
from fixtures.faults.load import ports_few, worker_pinned
from fixtures.load.stage import BLOCK_S, LOAD, LoadStage
from fixtures.scenarios.ground import Ground
from fixtures.verdicts import Verdict
from fixtures.workloads.namespaces import Namespaces

pytestmark = pytest.mark.disruptive
ROOT = Path(__file__).parents[2]
SLOW_MS = 100


@pytest.fixture(scope="module")
def stage(cluster: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoadStage]:
    """Locust on the cluster."""
    api, run_id, folder = Api(cluster.kubeconfig), f"load-{secrets.token_hex(3)}", tmp_path_factory.mktemp("load")
    namespaces, budgets = Namespaces(api, run_id), values(chosen(ROOT / FILE, "full", {}))
    made = LoadStage(Ground(api, cluster.info, namespaces, run_id, folder, budgets, (), None), folder)
    yield made
    made.close()
    namespaces.delete_all()


def test_a_worker_that_is_held_back_is_called_the_limit(stage: LoadStage, cluster: LocalCluster) -> None:
    """What could be sent is known from before; then a worker has a twentieth of a processor."""
    limit = stage.limit("reused")
    with worker_pinned(cluster, stage.ground.api):
        carried = stage.carried("reused")
    found = carries(carried.takes, "ClusterIP", at_least=0.9, generator_per_s=limit.per_s())
    assert found.verdict is Verdict.NOT_OBSERVABLE, found
    assert found.sentence.startswith("the generator was the limit: "), found


def test_a_worker_without_ports_is_called_the_limit(stage: LoadStage, cluster: LocalCluster) -> None:
    """What could be sent is known from before; then a worker cannot make the connections that are due."""
    rate = LOAD * stage.limit("new").per_s()
    block = stage.generator.block("ClusterIP", stage.by("ClusterIP"), "new", seconds=BLOCK_S, rate_per_s=rate)
    with ports_few(cluster):
        take = stage.generator.run(block, stage.web.history)
    assert take.strain.startswith("generator out of ports "), take.failed
    found = no_losses([take], "with few ports")
    assert found.verdict is Verdict.NOT_OBSERVABLE, found
    assert found.sentence.startswith("the generator was the limit: "), found


def test_slow_backends_are_not_called_a_limit_of_the_generator(stage: LoadStage) -> None:
    """All pods wait before they answer: the generator's users wait with them, its workers have nothing to do."""
    pods = stage.settled()
    for pod in pods:
        stage.web.slow_down(pod, SLOW_MS)
    block = stage.generator.block("slow", stage.direct(pods), "reused", seconds=4)
    take = stage.generator.run(block, stage.web.history)
    assert take.per_s() <= 1.1 * block.users * 1000 / SLOW_MS
    assert take.strain == ""
