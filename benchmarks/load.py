"""python -m benchmarks.load: what the load generator sends in all, and what this project's harness costs it.

Locust in the same pods, with the same users, for the same targets: by hand (`plain_locust`), and told by the harness
(`fixtures/load/`), in turn. Each is started anew, so that neither has the other's idle workers beside it.
"""

from __future__ import annotations

import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import plain_locust
from benchmarks.figures import Figures, Wanted, at_least, at_most
from benchmarks.running import local_cluster, main_of
from fixtures.api import PODS, Api
from fixtures.budgets import FILE, chosen, values
from fixtures.clusters.local.cluster import LocalCluster
from fixtures.commands import CommandParser
from fixtures.errors import SuiteError, UsageError
from fixtures.history import History
from fixtures.load.generator import Generator
from fixtures.load.pods import DESK_PORT, LocustInPods, start_locust
from fixtures.load.stage import DIRECT, USERS_PER_WORKER, LoadStage
from fixtures.loads import LoadTarget
from fixtures.scenarios.ground import Ground
from fixtures.workloads.namespaces import Namespaces

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 2
"""Pairs: each run of the harness is compared with the runs by hand before and after it."""
HAND_S, HARNESS_S = 14.0, 11.0
"""Locust's page shows ten seconds of the last twelve; of the harness' block ten are judged."""
STARTED_WITHIN_S = 60.0
"""How long Locust may take to find its workers and make its users, or to stop."""
REPORTED_WITHIN_S = 4.0
"""Workers report every 3 s, also when they have stopped, and nothing says that a report was the last."""
ASK_EVERY_S = 0.5

OVERHEAD = Wanted("overhead of the load harness against Locust by hand", "issue 7", "%", at_most(5))
TOTAL = Wanted("Locust's workers in pods, requests a second in all", "issue 7", "1/s", at_least(2000))
WANTED = (OVERHEAD, TOTAL)


@contextmanager
def namespace(api: Api) -> Iterator[str]:
    """A namespace for one Locust, whose pods are gone at the end."""
    namespaces = Namespaces(api, f"bench-{secrets.token_hex(4)}")
    try:
        yield namespaces.create("locust")
    finally:
        namespaces.delete_all(may_linger=True)


@contextmanager
def pods_to_call(cluster: LocalCluster, api: Api) -> Iterator[tuple[LoadTarget, ...]]:
    """Three pods of the load stage's workload, gone at the end."""
    run_id = f"bench-{secrets.token_hex(4)}"
    namespaces, budgets = Namespaces(api, run_id), values(chosen(ROOT / FILE, "full", {}))
    with tempfile.TemporaryDirectory(prefix="bench-load-") as made:
        stage = LoadStage(Ground(api, cluster.info, namespaces, run_id, Path(made), budgets, (), None), Path(made))
        try:
            yield tuple(stage.direct(stage.web.wait_until_serving()))
        finally:
            stage.close()
            namespaces.delete_all(may_linger=True)


def by_hand(cluster: LocalCluster, api: Api, targets: Sequence[LoadTarget], image: str) -> float:
    """Requests a second that Locust's own page shows, with all users that the harness has.

    Raises:
        SuiteError: Locust does not start, or too many requests failed.
    """
    workers = len(cluster.info.nodes)
    users = workers * USERS_PER_WORKER
    start = ["--autostart", f"--users={users}", f"--spawn-rate={users}", f"--expect-workers={workers}"]
    with namespace(api) as name:
        files = plain_locust.files(target.url for target in targets)
        master = start_locust(api, image, name, workers=workers, files=files, arguments=start)
        desk = f"{PODS.path(name, f'{master}:{DESK_PORT}')}/proxy"

        def said() -> dict[str, Any]:
            return api.request("GET", f"{desk}/stats/requests")

        wait_until(lambda: running(said(), users), f"Locust by hand: {users} users over {workers} workers")
        # As long as a person looks at it: the figure is that of a run.
        time.sleep(HAND_S)
        api.request("POST", f"{desk}/stop", body={})
        wait_until(lambda: said().get("state") == "stopped", "Locust by hand: stopped")
        time.sleep(REPORTED_WITHIN_S)
        return plain_locust.of_page(said())


def running(said: dict[str, Any], users: int) -> bool:
    """Whether Locust says that all its users are there."""
    return said.get("state") == "running" and said.get("user_count") == users


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Ask until it is so; raises SuiteError when that takes longer than STARTED_WITHIN_S."""
    give_up_at = time.monotonic() + STARTED_WITHIN_S
    while not holds():
        if time.monotonic() > give_up_at:
            raise SuiteError(f"{what}: not so within {STARTED_WITHIN_S:.0f} s")
        time.sleep(ASK_EVERY_S)


def by_harness(cluster: LocalCluster, api: Api, targets: Sequence[LoadTarget]) -> float:
    """Requests a second as this project's harness measures them; raises SuiteError as `by_hand` does."""
    workers = len(cluster.info.nodes)
    with namespace(api) as name:
        locusts = LocustInPods(api, cluster.info, name, workers=workers)
        generator = Generator(locusts, users=workers * USERS_PER_WORKER)
        take = generator.run(generator.block(DIRECT, targets, "reused", seconds=HARNESS_S), History())
    plain_locust.must_have_answers(take.failed.total() / take.requests if take.requests else 1.0)
    return take.per_s()


def overheads(hand: Sequence[float], harness: Sequence[float]) -> list[float]:
    """Of each run of the harness, in percent, what it sent less than those by hand before and after it on average."""
    return [100 * (1 - 2 * own / (before + after)) for before, own, after in zip(hand, harness, hand[1:], strict=False)]


def figures(cluster: LocalCluster, console: Console) -> Figures:
    """The figures; raises SuiteError when a run fails."""
    image = cluster.info.locust_image
    if image is None:
        yield from (wanted.unmeasured(plain_locust.LACKING) for wanted in WANTED)
        return
    api, hand, harness = Api(cluster.kubeconfig), list[float](), list[float]()
    with pods_to_call(cluster, api) as targets:
        hand.append(by_hand(cluster, api, targets, image))
        for _ in range(ROUNDS):
            harness.append(by_harness(cluster, api, targets))
            hand.append(by_hand(cluster, api, targets, image))
            console.print(f"by hand {hand[-1]:.0f}, by the harness {harness[-1]:.0f} requests a second")
    each = overheads(hand, harness)
    yield OVERHEAD.measured(statistics.median(each), ", ".join(f"{value:.1f}" for value in each))
    by = f"by hand {statistics.median(hand):.0f}"
    yield TOTAL.measured(statistics.median(harness), f"{len(cluster.info.nodes)} workers; {by}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code, as `benchmarks.running.main_of` does."""
    parser = CommandParser(prog="python -m benchmarks.load", description="Locust by hand and by the harness.")
    parser.add_argument("--cluster-name", metavar="NAME", help="a local cluster that is up (default: a fresh one)")

    def measured(console: Console) -> Figures:
        arguments = parser.parse_args(argv)
        if not plain_locust.is_installed():
            raise UsageError(f"programs: {plain_locust.LACKING}")
        with local_cluster(arguments.cluster_name, console) as cluster:
            yield from figures(cluster, console)

    return main_of(measured)


if __name__ == "__main__":
    sys.exit(main())
