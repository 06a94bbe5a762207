"""Two pods and the load balancers in front of them; a run that selects none of this chapter makes none of them."""

from __future__ import annotations

import pytest

from conformance.load_balancer.front import Front, make_services
from fixtures.api import Api
from fixtures.budgets import Budgets
from fixtures.clusters import ClusterInfo
from fixtures.history import History
from fixtures.prober.probing import Probing
from fixtures.prober.vantages import OutsideVantage
from fixtures.workloads.events import Events
from fixtures.workloads.needed import Needed
from fixtures.workloads.services import Service, Services
from fixtures.workloads.standing import Shared, Standing
from fixtures.workloads.web import Pod, Shape, Web


@pytest.fixture(scope="session")
def two(api: Api, cluster: ClusterInfo, shared_namespace: str, needed: Needed) -> Web:
    """The diagram's two pods, on two of the nodes."""
    made = Web(api, cluster, shared_namespace, shape=Shape(replicas=2))
    needed.until_last("two", made.delete)
    return made


@pytest.fixture(scope="session")
def balanced_services(api: Api, cluster: ClusterInfo, two: Web) -> dict[str, Service]:
    """The shared Services by name, made together, so that their load balancers are made while others are tried."""
    return make_services(cluster, two, Services(api, two.namespace, History()))


@pytest.fixture(scope="session")
def two_pods(
    api: Api,
    two: Web,
    balanced_services: dict[str, Service],
    first_seen: dict[tuple[str, ...], float],
    standing: Standing,
) -> tuple[Pod, ...]:
    """The pods, ready and behind the Services."""
    pods = two.wait_until_serving()
    services = Services(api, two.namespace, History(), first_seen)
    for name, service in balanced_services.items():
        services.must_have_endpoints(service, () if name == "empty" else pods)
    standing.keep("two_pods", Shared(two.namespace, two.selector, pods))
    return pods


@pytest.fixture
def front(
    *,
    api: Api,
    cluster: ClusterInfo,
    budgets: Budgets,
    two: Web,
    two_pods: tuple[Pod, ...],
    balanced_services: dict[str, Service],
    services: Services,
    probing: Probing,
    history: History,
    outside: OutsideVantage,
) -> Front:
    """The shared load balancers, with this test's record."""
    events = Events(api, two.namespace, history)
    return Front(cluster, budgets, two, two_pods, balanced_services, services, events, probing, history, outside)
