"""The ports of sidecars, which are init containers that go on running."""

from __future__ import annotations

import pytest

from conformance.judge import Answers, Judge, settle
from conformance.versions import must_be_of
from fixtures.api import PODS, Api
from fixtures.checks.endpoints import endpoints, of_family, ports
from fixtures.checks.holding import must_hold
from fixtures.checks.values import equal
from fixtures.clusters import ClusterInfo
from fixtures.prober.vantages import PodVantage
from fixtures.requirements import MUST, requirement
from fixtures.workloads.needed import Needed
from fixtures.workloads.slices import Slices
from fixtures.workloads.vantages import TalkingPod, start_talking_pod

pytestmark = pytest.mark.scenario("sidecars")

SIDECARS_SINCE, NAMED_SINCE = (1, 29), (1, 33)
"""The versions that have sidecars without a feature gate (KEP-753), and find the names of their ports (kubernetes pull
request 128850)."""
NUMBER, NAME = 80, "web"


@pytest.fixture(scope="module")
def sidecar(api: Api, cluster: ClusterInfo, shared_namespace: str, needed: Needed) -> TalkingPod:
    """A pod whose restartable init container is what serves; a test must leave it as it is."""
    must_be_of(cluster, SIDECARS_SINCE, "restartable init containers are")
    made = start_talking_pod(api, cluster, shared_namespace, port_name=NAME, as_sidecar=True)
    needed.until_last("sidecar", lambda: api.delete(PODS, made.name, shared_namespace))
    return made


@requirement(
    "endpoints.ports_of_sidecars_are_found",
    promise="A targetPort, be it a number or a name, may be a port of a restartable init container.",
    source="KEP-753, Sidecar containers; test/e2e/network/service.go: ports exposed by restartable init containers",
    level=MUST,
)
@pytest.mark.parametrize("target_port", [NUMBER, NAME], ids=["number", "name"])
def test_ports_of_sidecars_are_found(
    *, judge: Judge, sidecar: TalkingPod, slices: Slices, pod_vantages: tuple[PodVantage, ...], target_port: int | str
) -> None:
    """Fault: `target_ports_changed`, an admission policy that sends every port to another targetPort."""
    if target_port == NAME:
        must_be_of(judge.cluster, NAMED_SINCE, "named ports of restartable init containers are")
    led_to = [{"name": "sidecar", "port": 81, "targetPort": target_port, "protocol": "TCP"}]
    service = judge.services.create("cluster-ip", selector=sidecar.labels, ports=led_to)
    found = slices.must_become(
        service.name,
        "an endpoint of each family",
        lambda seen: all(endpoints(of_family(seen, family)) for family in service.families),
    )
    must_hold(judge.history, equal("ports in the slices", [("sidecar", "TCP", NUMBER, "")], ports(found)))
    targets = [service.by_address("http", 81, family) for family in service.cluster_ips]
    settle(judge.probing, [(vantage, targets) for vantage in pod_vantages])
    answers = [Answers(vantage, targets, {sidecar.name}) for vantage in pod_vantages]
    judge.must_be_answered(answers, token=sidecar.token, of=1, port=NUMBER)
    judge.services.delete(service)
