"""What a ClusterIP costs in time."""

import pytest

from fixtures.checks.holding import must_hold
from fixtures.checks.latency import latency
from fixtures.history import History
from fixtures.prober.plan import Target
from fixtures.prober.probing import Probing
from fixtures.requirements import SHOULD, requirement
from fixtures.scenarios.stage import Stage
from fixtures.scenarios.ways import PORT, Way
from fixtures.workloads.services import family_of
from fixtures.workloads.web import Shape

pytestmark = pytest.mark.long
ONE = Shape(replicas=1, drain_s=0)
PAIRS, RATE_PER_S = 200, 80.0


@requirement(
    "cluster_ip.costs_little_time",
    promise="The way by a ClusterIP takes hardly longer than the way to the pod itself.",
    source="kubernetes.io: Virtual IPs and Service Proxies: packets are redirected in the kernel",
    level=SHOULD,
)
def test_a_service_costs_little_time(stage: Stage, history: History, probing: Probing) -> None:
    """Fault: `detour`, one node sends connections by way of a program that hands everything on 50 ms late."""
    family = stage.cluster.families[0]
    with stage.served(ONE, history) as (web, services):
        (pod,) = web.wait_until_serving()
        (service,) = Way("ClusterIP", "new").targets(services["ClusterIP"], stage.cluster)
        address = next(ip for ip in pod.ips if family_of(ip) is family)
        direct = Target(name=f"pod {address}:{PORT}", address=address, port=PORT, protocol="http", family=family)
        pairs = [(vantage, [service, direct]) for vantage in stage.inside]
        stage.must_be_quiet(probing, pairs)
        batches = probing.run_from(pairs, count=PAIRS, rate_per_s=RATE_PER_S)
    budget_ms = stage.budgets.service_latency_added_p50_ms
    must_hold(history, latency(batches, service=service.name, direct=direct.name, added_p50_ms=budget_ms))
