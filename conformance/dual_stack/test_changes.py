"""A Service gets a second family, or gives it up."""

import pytest

from conformance.changed import FAMILY_CHANGES, Changes
from conformance.judge import Answers, Judge
from fixtures.checks.holding import must_hold
from fixtures.checks.values import equal
from fixtures.prober.vantages import PodVantage
from fixtures.requirements import MUST, requirement
from fixtures.workloads.services import Service

pytestmark = pytest.mark.scenario("changes")


@requirement(
    "dual_stack.a_second_family_comes_and_goes",
    promise="A Service can be given a second family, and give it up: its first address stays, the other is not kept.",
    source="kubernetes.io: IPv4/IPv6 dual-stack, Switching Services between single-stack and dual-stack; KEP-563",
    level=MUST,
    features=("IPv4", "IPv6"),
)
@pytest.mark.parametrize("change", FAMILY_CHANGES)
def test_a_second_family_comes_and_goes(
    *,
    judge: Judge,
    changes: Changes,
    cluster_ip_service: Service,
    pod_vantages: tuple[PodVantage, ...],
    change: str,
) -> None:
    """Fault: `settings_ignored`, an admission policy by which no change of a Service is heeded."""
    before, after = changes.made[change].before, changes.made[change].after
    first, more = after.body["spec"]["clusterIPs"][0], 2 if change.endswith("dual") else 1
    must_hold(
        judge.history,
        equal("first ClusterIP", before.body["spec"]["clusterIPs"][0], first),
        equal("number of ClusterIPs", more, len(after.cluster_ips)),
        equal("number of ClusterIPs before", 3 - more, len(before.cluster_ips)),
    )
    judge.services.must_have_endpoints(after, changes.pods)
    there = [after.by_address("http", 80, family) for family in after.cluster_ips]
    gone = [before.by_address("http", 80, family) for family in before.cluster_ips if family not in after.cluster_ips]
    control = [cluster_ip_service.by_address("http", 80, family) for family in cluster_ip_service.cluster_ips]
    answers = [Answers(vantage, there, changes.names) for vantage in pod_vantages]
    answers += [Answers(vantage, gone, (), control) for vantage in pod_vantages if gone]
    judge.must_be_answered(answers, token=changes.web.token, of=len(changes.pods))


@requirement(
    "dual_stack.the_first_family_stays",
    promise="The first family of a Service, and its ClusterIP, cannot be changed; who tries is refused.",
    source="kubernetes.io: IPv4/IPv6 dual-stack, Services; KEP-563: the primary ClusterIP is immutable",
    level=MUST,
    features=("IPv4", "IPv6"),
)
@pytest.mark.parametrize("field", ["ipFamilies", "clusterIP"])
def test_the_first_family_stays(judge: Judge, field: str) -> None:
    """Fault: `settings_ignored`."""
    service = judge.services.create("cluster-ip", ports=[{"port": 80}])
    families = list(service.cluster_ips)
    changes: dict[str, dict[str, object]] = {
        "ipFamilies": {"ipFamilies": families[::-1]},
        "clusterIP": {"clusterIP": None, "clusterIPs": list(service.cluster_ips.values())[::-1]},
    }
    judge.services.must_refuse_change(service, naming=["spec."], **changes[field])
    judge.services.delete(service)
