"""Two pods, which leaves a node without, and Services with every policy in front of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conformance.changed import targets_of
from conformance.judge import settle
from conformance.traffic_policy.ending import Ending, Endings, ending_pod
from conformance.traffic_policy.policies import (
    CONTROL,
    DISTRIBUTIONS,
    POLICIES,
    Policies,
    must_know_distribution,
    zones_of,
)
from fixtures.api import NODES, Api
from fixtures.clusters import ClusterInfo
from fixtures.history import History
from fixtures.prober.probing import Probing
from fixtures.prober.vantages import PodVantage
from fixtures.verdicts import NotObservable
from fixtures.workloads.needed import Needed
from fixtures.workloads.services import Service, Services
from fixtures.workloads.standing import Shared, Standing
from fixtures.workloads.web import Shape, Web


@pytest.fixture(scope="session")
def policy_web(api: Api, cluster: ClusterInfo, shared_namespace: str, needed: Needed) -> Web:
    """Two pods on two nodes."""
    if len(cluster.nodes) < 3:
        raise NotObservable(f"{len(cluster.nodes)} nodes, 3 are needed: two with pods and one without")
    made = Web(api, cluster, shared_namespace, shape=Shape(replicas=2))
    needed.until_last("policy_web", made.delete)
    return made


@pytest.fixture(scope="session")
def policies(
    api: Api, cluster: ClusterInfo, policy_web: Web, pod_vantages: tuple[PodVantage, ...], standing: Standing
) -> Policies:
    """The Services, made together and answering from the nodes with pods, if they ever do."""
    services = Services(api, policy_web.namespace, History())
    selector = policy_web.labels
    # After the pods, so that the Services have all of them from the first.
    pods = policy_web.wait_until_serving()
    standing.keep("policies", Shared(policy_web.namespace, policy_web.selector, pods))
    made = {name: services.create(w.manifest, selector=selector, **w.spec) for name, w in POLICIES.items()}
    for service in made.values():
        services.must_have_endpoints(service, pods)
    near = [vantage for vantage in pod_vantages if vantage.node in {pod.node for pod in pods}]
    targets = [target for service in made.values() for target in targets_of(service)]
    everywhere = {target.name for target in targets_of(made[CONTROL])}
    names, pairs = [pod.name for pod in pods], [(vantage, targets) for vantage in near]
    settle(Probing(History()), pairs, names, of=lambda target: target.name in everywhere)
    return Policies(cluster, policy_web, pods, made)


@pytest.fixture(scope="session")
def endings(
    api: Api, cluster: ClusterInfo, shared_namespace: str, pod_vantages: tuple[PodVantage, ...]
) -> Iterator[Endings]:
    """Pods that are being deleted, one after another."""
    if len(cluster.nodes) < 2:
        raise NotObservable(f"{len(cluster.nodes)} node, 2 are needed: for a pod that ends and one that stays")
    made = Endings(lambda: ending_pod(api, cluster, shared_namespace, pod_vantages, History()))
    yield made
    made.close()


@pytest.fixture
def ending(endings: Endings) -> Ending:
    """A pod that is being deleted and serves for half a minute yet, beside one that stays."""
    return endings.one()


@pytest.fixture(scope="session")
def distributed(
    api: Api, cluster: ClusterInfo, policy_web: Web, policies: Policies, pod_vantages: tuple[PodVantage, ...]
) -> dict[str, Service]:
    """Services with each trafficDistribution, in front of the same pods."""
    must_know_distribution(cluster)
    services = Services(api, policy_web.namespace, History())
    made = {
        name: services.create("cluster-ip", selector=policy_web.labels, trafficDistribution=name)
        for name in DISTRIBUTIONS
    }
    for service in made.values():
        services.must_have_endpoints(service, policies.pods)
    targets = [target for service in made.values() for target in targets_of(service)]
    settle(Probing(History()), [(vantage, targets) for vantage in pod_vantages])
    return made


@pytest.fixture(scope="session")
def zones(api: Api) -> dict[str, str]:
    """The zone of each node that has one."""
    return zones_of(api.list_all(NODES)["items"])
