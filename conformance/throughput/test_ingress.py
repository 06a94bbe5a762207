"""Load by an Ingress."""

import pytest

from fixtures.checks.holding import must_hold
from fixtures.checks.throughput import no_losses
from fixtures.load.ingress import call_by_ingress
from fixtures.load.stage import LoadStage
from fixtures.requirements import SHOULD, requirement

pytestmark = pytest.mark.disruptive(order=9)


@requirement(
    "throughput.ingress_loses_nothing",
    promise="Under a load that it can bear an Ingress loses no request, be connections kept or new.",
    source="kubernetes.io: Ingress, What is Ingress?; seed: Kubernetes services, Ingress",
    level=SHOULD,
    features=("ingress",),
)
def test_ingress_loses_nothing(load_stage: LoadStage) -> None:
    """Fault: `ingress_capped`, the controller's node resets what comes to it beyond some packets a second."""
    found = load_stage.measured("ingress", call_by_ingress)
    must_hold(found.history, no_losses([found.most, found.steady], "by an Ingress", also=found.numbers))
