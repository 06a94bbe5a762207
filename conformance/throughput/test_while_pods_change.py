"""What is lost under load while the pods behind a Service change."""

from typing import get_args

import pytest

from fixtures.checks.holding import must_hold
from fixtures.checks.throughput import no_losses
from fixtures.load.stage import LOAD, LoadStage
from fixtures.loads import Connection
from fixtures.requirements import SHOULD, requirement

pytestmark = pytest.mark.disruptive(order=9)
LIGHT = LOAD / 2
"""Pods that start take processor time, which on a small machine is the generator's as well."""
MANY, FEW = 10, 3
GRACE = "kubernetes.io: Pod Lifecycle, Termination of Pods; KEP-1669"


@requirement(
    "throughput.a_rollout_under_load_loses_nothing",
    promise="Services are not affected by container updates: a graceful rollout loses no request of a load.",
    source=f"seed: Kubernetes services, paragraph 6; {GRACE}",
    level=SHOULD,
)
@pytest.mark.parametrize("connection", get_args(Connection))
def test_a_rollout_under_load_loses_nothing(load_stage: LoadStage, connection: Connection) -> None:
    """Fault: `node_capped`."""
    web = load_stage.web

    def roll_out() -> None:
        before = load_stage.settled()
        web.roll_out(f"{web.version}+")
        web.wait_until_serving(other_than=before)
        web.wait_until_gone(*before)

    history, take = load_stage.while_doing("rollout", connection, "ClusterIP", roll_out, load=LIGHT)
    must_hold(history, no_losses([take], f"during a rollout, {connection} connections"))


@requirement(
    "throughput.scaling_under_load_loses_nothing",
    promise="Pods can be added and taken away under load, gracefully, without a request that is lost.",
    source=f"seed: Kubernetes services, paragraph 6; {GRACE}",
    level=SHOULD,
)
def test_scaling_under_load_loses_nothing(load_stage: LoadStage) -> None:
    """Fault: `node_capped`."""
    web = load_stage.web

    def scale() -> None:
        web.scale(MANY)
        pods = load_stage.settled()
        web.scale(FEW)
        left = load_stage.settled()
        web.wait_until_gone(*(pod for pod in pods if pod not in left))

    history, take = load_stage.while_doing("scaling", "new", "ClusterIP", scale, load=LIGHT)
    must_hold(history, no_losses([take], f"while there are {FEW}, {MANY}, {FEW} pods"))
