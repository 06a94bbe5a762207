"""What every conformance test stands on: the cluster, the vantages, the shared workload, the record."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from conformance.shared_web import SharedWeb
from fixtures.api import Api
from fixtures.budgets import Budgets
from fixtures.clusters import ClusterInfo, IPFamily
from fixtures.clusters.registry import DISRUPTORS, disruptor
from fixtures.faults.disruptions import Disruptions
from fixtures.faults.nodes import uncordon_all
from fixtures.history import History, file_name
from fixtures.prober.probing import Probing
from fixtures.prober.vantages import OutsideVantage, PodVantage
from fixtures.scenarios.ground import Ground
from fixtures.scenarios.spread import Spreads
from fixtures.scenarios.stage import Stage
from fixtures.session import BUDGETS_KEY, CLUSTER_INFO_KEY, REPORT_DIR_KEY, RUN_ID_KEY, is_worker
from fixtures.verdicts import NotObservable, Unsupported
from fixtures.workloads.namespaces import Namespaces
from fixtures.workloads.services import Service, Services
from fixtures.workloads.vantages import start_node_vantages, start_vantages
from fixtures.workloads.web import Pod, Web

NODE_PORTS = range(31000, 31020)
"""The diagram's node port, and what is tried when it is taken, as by another worker of the same run."""


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """When the workers are gone, and before the cluster is closed: leave the cluster as it was."""
    try:
        return (yield)
    finally:
        _restore(session.config)


def _restore(config: pytest.Config) -> None:
    """Undo what killed processes left and delete the run's namespaces: once, in the process that owns the cluster."""
    if is_worker(config) or CLUSTER_INFO_KEY not in config.stash:
        return
    info = config.stash[CLUSTER_INFO_KEY]
    goes_as_a_whole = info.kind == "local" and not (
        config.getoption("cluster_name") or config.getoption("keep_cluster")
    )
    if goes_as_a_whole:
        return
    if info.kind in DISRUPTORS:
        disruptor(info).mend()
    api, run_id = Api(info.kubeconfig), config.stash[RUN_ID_KEY]
    if info.disruptions:
        uncordon_all(api, run_id)
    Namespaces(api, run_id).delete_all()


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> ClusterInfo:
    """The cluster under test."""
    return request.config.stash[CLUSTER_INFO_KEY]


@pytest.fixture(scope="session")
def budgets(request: pytest.FixtureRequest) -> Budgets:
    """What the checks allow, by the profile of this run."""
    return request.config.stash[BUDGETS_KEY]


@pytest.fixture(scope="session")
def api(cluster: ClusterInfo) -> Api:
    """Its API server."""
    return Api(cluster.kubeconfig)


@pytest.fixture(scope="session")
def namespaces(api: Api, request: pytest.FixtureRequest) -> Namespaces:
    """Makes namespaces of this run."""
    return Namespaces(api, request.config.stash[RUN_ID_KEY])


@pytest.fixture(scope="session")
def shared_namespace(namespaces: Namespaces) -> str:
    """A namespace for what tests only read; each xdist worker has its own. The run's namespaces go at its end."""
    return namespaces.create("shared")


@pytest.fixture(scope="session")
def pod_vantages(api: Api, cluster: ClusterInfo, shared_namespace: str) -> tuple[PodVantage, ...]:
    """A pod on each node to probe from."""
    return start_vantages(api, cluster, shared_namespace)


@pytest.fixture(scope="session")
def node_vantages(api: Api, cluster: ClusterInfo, namespaces: Namespaces) -> tuple[PodVantage, ...]:
    """The nodes themselves to probe from: a pod in the network of each."""
    return start_node_vantages(api, cluster, namespaces.create("nodes", pod_security="privileged"))


@pytest.fixture(scope="session")
def outside(cluster: ClusterInfo) -> OutsideVantage:
    """A client outside the cluster."""
    if cluster.outside is None:
        raise NotObservable(f"there is no vantage outside the cluster {cluster.name}")
    return OutsideVantage(cluster.outside)


@pytest.fixture(scope="session")
def web(api: Api, cluster: ClusterInfo, shared_namespace: str) -> Web:
    """Three pods on port 80, shared: a test must leave them as they are."""
    return Web(api, cluster, shared_namespace)


@pytest.fixture(scope="session")
def shared_services(api: Api, cluster: ClusterInfo, web: Web) -> dict[str, Service]:
    """Services in front of `web`, by manifest; made together, so that one wait serves all of them."""
    services = Services(api, web.namespace, History())
    first, last = cluster.node_port_range
    free = range(max(first, NODE_PORTS.start), min(last + 1, NODE_PORTS.stop)) or range(first, last + 1)
    return {
        "cluster-ip": services.create("cluster-ip"),
        "ports": services.create("ports"),
        "node-port": services.create_on_node_port("node-port", free),
    }


@pytest.fixture(scope="session")
def web_pods(
    api: Api, web: Web, shared_services: dict[str, Service], first_seen: dict[tuple[str, ...], float]
) -> tuple[Pod, ...]:
    """The pods of `web`, all ready and behind the shared Services: one propagation budget serves all of them."""
    pods = web.wait_until_serving()
    services = Services(api, web.namespace, History(), first_seen)
    for service in shared_services.values():
        services.must_have_endpoints(service, pods)
    return pods


@pytest.fixture(scope="session")
def cluster_ip_service(shared_services: dict[str, Service]) -> Service:
    """A Service without a type, port 80 to the pods' port 80, HTTP and UDP."""
    return shared_services["cluster-ip"]


@pytest.fixture(scope="session")
def ports_service(shared_services: dict[str, Service]) -> Service:
    """A Service with several ports that are not the pods' ports."""
    return shared_services["ports"]


@pytest.fixture(scope="session")
def node_port_service(shared_services: dict[str, Service]) -> Service:
    """A Service of type NodePort."""
    return shared_services["node-port"]


@pytest.fixture(scope="session")
def inside_vantages(
    pod_vantages: tuple[PodVantage, ...], node_vantages: tuple[PodVantage, ...]
) -> tuple[PodVantage, ...]:
    """A pod on each node, and the first node itself."""
    return (*pod_vantages, *node_vantages[:1])


@pytest.fixture(scope="session")
def ground(
    *,
    api: Api,
    cluster: ClusterInfo,
    namespaces: Namespaces,
    budgets: Budgets,
    inside_vantages: tuple[PodVantage, ...],
    request: pytest.FixtureRequest,
) -> Ground:
    """A namespace for scenarios, and what their Services are probed from."""
    client = OutsideVantage(cluster.outside) if cluster.outside is not None else None
    return Ground(
        api=api,
        cluster=cluster,
        namespace=namespaces.create("scenarios"),
        run_id=request.config.stash[RUN_ID_KEY],
        folder=request.config.stash[REPORT_DIR_KEY] / "history",
        budgets=budgets,
        inside=inside_vantages,
        outside=client,
    )


@pytest.fixture(scope="session")
def stage(ground: Ground) -> Iterator[Stage]:
    """Pods that are replaced, and their Services."""
    made = Stage(ground)
    yield made
    made.close()


@pytest.fixture(scope="session")
def spreads(ground: Ground) -> Iterator[Spreads]:
    """A number of pods that changes, to see how connections spread over them."""
    made = Spreads(ground)
    yield made
    made.close()


@pytest.fixture(scope="session")
def first_seen() -> dict[tuple[str, ...], float]:
    """When each state of EndpointSlices was first seen, over all tests of this process."""
    return {}


@pytest.fixture
def history(request: pytest.FixtureRequest) -> Iterator[History]:
    """The record of this test, `history/CASE.jsonl` in the report folder."""
    record = History(request.config.stash[REPORT_DIR_KEY] / "history" / file_name(request.node.nodeid))
    yield record
    record.close()


@pytest.fixture
def disruptions(api: Api, cluster: ClusterInfo, history: History, request: pytest.FixtureRequest) -> Disruptions:
    """Disturbs the cluster beyond its pods, recorded; for tests with the marker `disruptive`."""
    return Disruptions(api, cluster, request.config.stash[RUN_ID_KEY], history)


@pytest.fixture
def probing(history: History) -> Probing:
    """Sends probes and records them."""
    return Probing(history)


@pytest.fixture
def services(api: Api, shared_namespace: str, history: History, first_seen: dict[tuple[str, ...], float]) -> Services:
    """Makes and reads Services beside the shared ones, recorded."""
    return Services(api, shared_namespace, history, first_seen)


@pytest.fixture
def shared_web(
    web: Web, web_pods: tuple[Pod, ...], services: Services, probing: Probing, history: History
) -> SharedWeb:
    """The shared pods, with this test's record."""
    return SharedWeb(web, web_pods, services, probing, history)


@pytest.fixture(params=list(IPFamily), ids=str)
def family(request: pytest.FixtureRequest, cluster: ClusterInfo) -> IPFamily:
    """Each IP family that Services can have on this cluster."""
    wanted = IPFamily(request.param)
    if wanted not in cluster.families:
        raise Unsupported(f"Services of the cluster {cluster.name} have no {wanted} addresses")
    return wanted
