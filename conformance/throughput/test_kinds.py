"""Load on Services of other kinds: with policy Local, with one pod, and on connections that rest in between."""

import pytest

from fixtures.checks.holding import must_hold
from fixtures.checks.load_policies import answered_by_its_own, stays_on_its_node
from fixtures.checks.throughput import no_losses
from fixtures.load.external import call_from_outside
from fixtures.load.kinds import ALONE, INTERNAL, REQUESTS, THINK_S, call_kinds, come_back
from fixtures.load.stage import LoadStage
from fixtures.requirements import SHOULD, requirement
from fixtures.verdicts import NotObservable

pytestmark = pytest.mark.disruptive(order=9)


@requirement(
    "throughput.policies_hold_under_load",
    promise="Under load, too, a Service whose internal policy is Local leads to pods of the client's node, and no "
    "request is lost.",
    source="kubernetes.io: Service Internal Traffic Policy",
    level=SHOULD,
)
def test_policies_hold_under_load(load_stage: LoadStage) -> None:
    """Fault: `node_capped`."""
    load_stage.must_reach("ClusterIP")
    found = load_stage.measured("kinds", call_kinds)
    if found.without:
        raise NotObservable(f"no pod of the workload is on {', '.join(found.without)}, where a worker is")
    nodes = {pod.name: pod.node for pod in found.pods}
    must_hold(
        found.history,
        no_losses([found.take.only(INTERNAL)], "with the internal policy Local", needed=REQUESTS),
        stays_on_its_node(found.take.only(INTERNAL), nodes=nodes, workers=found.workers),
    )


@requirement(
    "throughput.external_local_holds_under_load",
    promise="Under load from outside, too, a Service whose external policy is Local leads by a node's port to pods on "
    "the node alone, and neither there nor at the load balancer's address is a request lost.",
    source="kubernetes.io: Service, Traffic policies; Virtual IPs, External traffic policy",
    level=SHOULD,
    features=("outside",),
)
def test_external_local_holds_under_load(load_stage: LoadStage) -> None:
    """Fault: `node_capped`; `wishes_forgotten_under_load`, new Services forget their policy."""
    found = load_stage.measured("external", call_from_outside)
    must_hold(
        found.history,
        answered_by_its_own(found.takes, pods=found.pods),
        no_losses(found.takes, "with the external policy Local", needed=REQUESTS),
    )


@requirement(
    "throughput.one_pod_bears_a_load",
    promise="A Service with one pod loses nothing of a load that the pod can bear.",
    source="kubernetes.io: Service: an abstraction over one or more pods",
    level=SHOULD,
)
def test_one_pod_bears_a_load(load_stage: LoadStage) -> None:
    """Fault: `node_capped`."""
    load_stage.must_reach("ClusterIP")
    found = load_stage.measured("kinds", call_kinds)
    must_hold(found.history, no_losses([found.take.only(ALONE)], "by a Service with one pod", needed=REQUESTS))


@requirement(
    "throughput.connections_bear_pauses",
    promise="A connection through a Service that nothing was sent on for a while is as good as before.",
    source="kubernetes.io: Virtual IPs and Service Proxies; RFC 5382, REQ-5: two hours and four minutes at least",
    level=SHOULD,
)
def test_connections_bear_pauses(load_stage: LoadStage) -> None:
    """Fault: `connections_forgotten`, one node forgets connections that rest for a second."""
    history, take = load_stage.measured("pauses", come_back)
    what = f"on connections that rest for {THINK_S:g} s in between"
    must_hold(history, no_losses([take], what, needed=REQUESTS))
