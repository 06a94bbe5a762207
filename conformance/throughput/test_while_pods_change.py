"""What is lost under load while the pods behind a Service change."""

from typing import get_args

import pytest

from fixtures.checks.holding import must_hold
from fixtures.checks.throughput import REQUESTS_NEEDED, no_losses, used
from fixtures.history import History
from fixtures.load.generator import Underway
from fixtures.load.stage import LoadStage
from fixtures.loads import Connection, Take
from fixtures.requirements import SHOULD, requirement
from fixtures.workloads.web import Pod

pytestmark = pytest.mark.disruptive(order=9)
MANY, FEW = 10, 3
GRACE = "kubernetes.io: Pod Lifecycle, Termination of Pods; KEP-1669"


def roll_out(stage: LoadStage) -> tuple[History, Take]:
    """Call a Service while its pods are replaced gracefully; the targets are named for their connections."""
    web, called = stage.web, stage.by(stage.front)

    def replace_pods(_: Underway) -> None:
        before = stage.settled()
        web.roll_out(f"{web.version}+")
        web.wait_until_serving(other_than=before)
        web.wait_until_gone(*before)

    targets = [t.model_copy(update={"name": c, "connection": c}) for t in called for c in get_args(Connection)]
    return stage.while_doing("rollout", targets, replace_pods)


@requirement(
    "throughput.a_rollout_under_load_loses_nothing",
    promise="Services are not affected by container updates: a graceful rollout loses no request of a load.",
    source=f"seed: Kubernetes services, paragraph 6; {GRACE}",
    level=SHOULD,
)
@pytest.mark.parametrize("connection", get_args(Connection))
def test_a_rollout_under_load_loses_nothing(load_stage: LoadStage, connection: Connection) -> None:
    """Fault: `node_capped`."""
    history, take = load_stage.measured("rollout", roll_out)
    what = f"during a rollout, {connection} connections"
    # Half of the users are on each kind.
    must_hold(history, no_losses([take.only(connection)], what, needed=REQUESTS_NEEDED // 2))


@requirement(
    "throughput.scaling_under_load_loses_nothing",
    promise="Pods can be added and taken away under load, gracefully: each gets connections, and no request is lost.",
    source=f"seed: Kubernetes services, paragraph 6; {GRACE}",
    level=SHOULD,
)
def test_scaling_under_load_loses_nothing(load_stage: LoadStage) -> None:
    """Fault: `node_capped`."""
    web, served = load_stage.web, list[Pod]()

    def scale(underway: Underway) -> None:
        web.scale(MANY)
        served.extend(load_stage.settled())
        within_s = load_stage.ground.budgets.endpoint_addition_s
        underway.wait_until_used([pod.name for pod in served], within_s=within_s)
        web.scale(FEW)
        left = load_stage.settled()
        web.wait_until_gone(*(pod for pod in served if pod not in left))

    history, take = load_stage.while_doing("scaling", load_stage.by(load_stage.front), scale)
    must_hold(
        history,
        no_losses([take], f"while there are {FEW}, {MANY}, {FEW} pods"),
        used(take, [pod.name for pod in served]),
    )
