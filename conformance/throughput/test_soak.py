"""Whether a Service bears a load for as long as it comes; a profile of its own, for it takes minutes to hours."""

import pytest

from fixtures.checks.drift import does_not_drift
from fixtures.checks.holding import must_hold
from fixtures.load.kinds import soaked
from fixtures.load.stage import LoadStage
from fixtures.requirements import SHOULD, requirement

pytestmark = pytest.mark.disruptive(order=9)


@requirement(
    "throughput.a_long_load_changes_nothing",
    promise="A load that is borne at first is borne for as long as it comes: no slower, and without losses.",
    source="kubernetes.io: Virtual IPs and Service Proxies; each connection is an entry of its tracking",
    level=SHOULD,
)
def test_a_long_load_changes_nothing(load_stage: LoadStage) -> None:
    """Fault: `entries_leaked`."""
    budgets = load_stage.ground.budgets
    history, take, pods = soaked(load_stage, budgets.load_soak_s)
    added = (budgets.load_added_p50_ms, budgets.load_added_p99_ms)
    must_hold(history, does_not_drift(take, pods=pods, at_least=budgets.load_ratio, added=added))
