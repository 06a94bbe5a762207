"""Whether two Services share alike."""

import pytest

from fixtures.checks.holding import must_hold
from fixtures.checks.throughput import fair
from fixtures.load.stage import LOAD, LoadStage
from fixtures.requirements import SHOULD, requirement
from fixtures.scenarios.ways import PORT
from fixtures.workloads.services import Services

pytestmark = pytest.mark.disruptive(order=9)
OTHER_PORT = 8080
"""Of the same pods."""
FAIR_S = 4.0
"""Of the block: three seconds are judged."""


@requirement(
    "throughput.two_services_share_alike",
    promise="Two Services that are called alike carry alike: none is at the other's expense.",
    source="kubernetes.io: Virtual IPs and Service Proxies: every Service has the same rules",
    level=SHOULD,
)
def test_two_services_share_alike(load_stage: LoadStage) -> None:
    """Fault: `node_capped`, of which the second Service is free: it leads to another port."""
    load_stage.must_reach("ClusterIP")
    history, web = load_stage.history("fairness"), load_stage.web
    pods, services = load_stage.settled(), Services(load_stage.ground.api, web.namespace, history)
    ports = [{"name": "web", "port": PORT, "targetPort": OTHER_PORT}]
    other = services.create("cluster-ip", selector=web.traffic_labels, ports=ports)
    services.must_have_endpoints(other, pods)
    family = load_stage.ground.cluster.families[0]
    second = load_stage.target("second ClusterIP", other.cluster_ips[family], PORT)
    targets, rate = [*load_stage.by("ClusterIP"), second], LOAD * load_stage.limit("new").per_s()
    block = load_stage.generator.block("two Services", targets, "new", seconds=FAIR_S, rate_per_s=rate)
    take = load_stage.generator.run(block, history)
    must_hold(history, fair(take, margin=load_stage.ground.budgets.load_fairness_margin))
