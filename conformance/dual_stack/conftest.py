"""Services of each family policy with each order of families, in front of the shared pods."""

from __future__ import annotations

import pytest

from conformance.changed import HTTP_AND_UDP, targets_of
from conformance.dual_stack.families import ASKED, ORDERS, Families
from conformance.judge import settle
from fixtures.api import Api
from fixtures.history import History
from fixtures.prober.probing import Probing
from fixtures.prober.vantages import PodVantage
from fixtures.workloads.services import Services
from fixtures.workloads.web import Pod, Web


@pytest.fixture(scope="session")
def families(
    *,
    api: Api,
    web: Web,
    web_pods: tuple[Pod, ...],
    pod_vantages: tuple[PodVantage, ...],
) -> Families:
    """The Services, made together and answering, if they ever do."""
    services = Services(api, web.namespace, History())
    made = {
        name: services.create("cluster-ip", selector=web.labels, ipFamilyPolicy=policy, ipFamilies=asked)
        for name, (policy, asked) in ASKED.items()
    }
    with_node_ports = {
        name: services.create(
            "node-port",
            selector=web.labels,
            ports=list(HTTP_AND_UDP),
            ipFamilyPolicy="RequireDualStack",
            ipFamilies=order,
        )
        for name, order in ORDERS.items()
    }
    everything = [*made.values(), *with_node_ports.values()]
    for service in everything:
        services.must_have_endpoints(service, web_pods)
    targets = [target for service in everything for target in targets_of(service)]
    settle(Probing(History()), [(vantage, targets) for vantage in pod_vantages], [pod.name for pod in web_pods])
    return Families(web, web_pods, made, with_node_ports)
