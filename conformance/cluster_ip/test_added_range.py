"""A range of ClusterIPs that a cluster gets later: its addresses serve, and it stays for as long as one is used."""

from __future__ import annotations

import pytest

from conformance.judge import Answers, Judge, settle
from conformance.shared_web import SharedWeb
from conformance.verbs import must_be_served, must_come_about
from fixtures.api import SERVICE_CIDRS, Api, Object
from fixtures.clusters import IPFamily
from fixtures.faults.disruptions import Disruptions
from fixtures.prober.vantages import PodVantage
from fixtures.requirements import SHOULD, requirement

RANGES = {
    IPFamily.IPV4: ("203.0.113.0/28", "203.0.113.9"),
    IPFamily.IPV6: ("2001:db8:113::/112", "2001:db8:113::9"),
}
"""A range that nobody else has, since it is for documentation (RFC 5737, RFC 3849), and an address in it."""
GONE_WITHIN_S = 30.0
"""The controller of ServiceCIDRs waits for 10 s before it lets one go (KEP-1880, Deletion)."""


@requirement(
    "cluster_ip.an_added_range_serves",
    promise="ClusterIPs of a ServiceCIDR that is added lead to pods; deleted, it stays until none of them is used.",
    source="KEP-1880; kubernetes.io: Extend Service IP Ranges; test/e2e/network/service_cidrs.go: serve on different "
    "Service CIDRs",
    level=SHOULD,
    features=("added_range",),
)
@pytest.mark.disruptive
def test_an_added_range_serves(
    *,
    api: Api,
    judge: Judge,
    shared_web: SharedWeb,
    pod_vantages: tuple[PodVantage, ...],
    disruptions: Disruptions,
) -> None:
    """Fault: `proxy_stopped`, kube-proxy of one node does not run, so that its rules lack new Services."""
    must_be_served(api, SERVICE_CIDRS.plural)
    web, family = shared_web.web, judge.cluster.families[0]
    cidr, address = RANGES[family]
    with disruptions.added_range(cidr, web.namespace) as name:

        def must_be(what: str, *states: str) -> None:
            def shown(items: list[Object]) -> bool:
                return [ready_of(item) for item in items if item["metadata"]["name"] == name] == list(states)

            must_come_about(api, SERVICE_CIDRS, None, shown, f"the ServiceCIDR {cidr} {what}", within_s=GONE_WITHIN_S)

        must_be("ready", "True")
        alone = {"ipFamilyPolicy": "SingleStack", "ipFamilies": [str(family)], "clusterIPs": [address]}
        service = judge.services.create("cluster-ip", selector=web.labels, clusterIP=address, **alone)
        shared_web.must_be_behind(service)
        targets, names = [service.by_address("http", 80, family)], {pod.name for pod in shared_web.pods}
        settle(judge.probing, [(vantage, targets) for vantage in pod_vantages], names)
        answers = [Answers(vantage, targets, names) for vantage in pod_vantages]
        judge.must_be_answered(answers, token=web.token, of=len(names))
        api.delete(SERVICE_CIDRS, name)
        # The controller says so of one that it keeps because an IPAddress is in it, and of no other.
        must_be("kept", "False")
        judge.services.delete(service)
        must_be("gone")


def ready_of(item: Object) -> str | None:
    """What a ServiceCIDR's condition Ready says; None: it says nothing."""
    conditions = item.get("status", {}).get("conditions") or ()
    return next((condition["status"] for condition in conditions if condition["type"] == "Ready"), None)
