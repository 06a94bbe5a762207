"""The type of a Service is changed."""

from collections.abc import Sequence

import pytest

from conformance.changed import EXTERNAL_NAME, TYPE_CHANGES, Changed, Changes, must_be_free, outside, targets_of
from conformance.judge import Answers, Judge
from fixtures.checks.holding import must_hold
from fixtures.checks.stability import names_kept
from fixtures.checks.values import equal
from fixtures.clusters import ClusterInfo
from fixtures.prober.plan import Target
from fixtures.prober.vantages import OutsideVantage, PodVantage
from fixtures.requirements import MUST, requirement
from fixtures.workloads.services import Service

pytestmark = pytest.mark.scenario("changes")


def answers_after(
    changed: Changed,
    *,
    cluster: ClusterInfo,
    pods: frozenset[str],
    pod: PodVantage,
    client: OutsideVantage,
    control: Service,
) -> Sequence[Answers]:
    """Who answers at the addresses that a Service has after its change, and that those it gave up are silent."""
    before, after = changed.before, changed.after
    found = []
    if after.cluster_ips:
        found.append(Answers(pod, targets_of(after), pods))
    elif before.cluster_ips:
        found.append(Answers(pod, targets_of(before), (), targets_of(control)))
    if after.body["spec"]["type"] == "NodePort":
        found.append(Answers(client, outside(after, cluster), pods))
    elif before.body["spec"]["type"] == "NodePort":
        found.append(Answers(client, outside(before, cluster), (), outside(control, cluster)))
    return found


@requirement(
    "cluster_ip.changes_of_type_are_followed",
    promise="A Service whose type is changed works the new way, keeps what both have, and gives up what it had.",
    source="kubernetes.io: Service, Publishing Services; test/e2e/network/service.go: change the type",
    level=MUST,
    features=("node_ports",),
)
@pytest.mark.parametrize("change", TYPE_CHANGES)
def test_changes_of_type_are_followed(
    *,
    judge: Judge,
    changes: Changes,
    node_port_service: Service,
    pod_vantages: tuple[PodVantage, ...],
    node_port_client: OutsideVantage,
    change: str,
) -> None:
    """Fault: `settings_ignored`, an admission policy by which no change of a Service is heeded."""
    changed, after_type = changes.made[change], change.rpartition(" ")[2]
    before, after, spec = changed.before, changed.after, changed.after.body["spec"]
    found = [equal("type", after_type, spec["type"])]
    if before.cluster_ips:
        kept = {} if after_type == "ExternalName" else before.cluster_ips
        found.append(equal("ClusterIPs", kept, after.cluster_ips))
    if after_type != "NodePort":
        found.append(equal("node ports", [], [p["nodePort"] for p in spec.get("ports", ()) if "nodePort" in p]))
    must_hold(judge.history, *found)
    who = answers_after(
        changed,
        cluster=judge.cluster,
        pods=changes.names,
        pod=pod_vantages[0],
        client=node_port_client,
        control=node_port_service,
    )
    judge.must_be_answered(who, token=changes.web.token, of=len(changes.pods))
    if before.body["spec"]["type"] == "NodePort":
        must_be_free(judge.services, before.node_port("web"))
    if after_type == "ExternalName":
        name = Target(name=after.dns_name, address=after.dns_name, protocol="dns", query_type="CNAME")
        must_hold(judge.history, names_kept(judge.probing.run([name], pod_vantages, count=3), [f"{EXTERNAL_NAME}."]))
