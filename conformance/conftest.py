"""What every conformance test stands on: the cluster, the vantages, the shared workload, the record."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING

import pytest

from conformance.changed import FAMILY_CHANGES, PORT_CHANGES, TYPE_CHANGES, Changes, change_all, make_changes
from conformance.directory import Asked, Directory, Maker
from conformance.judge import Judge
from conformance.shared_web import SharedWeb
from fixtures.api import Api
from fixtures.budgets import Budgets
from fixtures.cases import case_of, is_conformance
from fixtures.clusters import ClusterInfo, IPFamily
from fixtures.clusters.registry import DISRUPTORS, disruptor
from fixtures.errors import SuiteError
from fixtures.faults.disruptions import Disruptions
from fixtures.faults.nodes import restore_all
from fixtures.history import History, file_name
from fixtures.options import read_options
from fixtures.prober.probing import Probing
from fixtures.prober.vantages import OutsideVantage, PodVantage, node_port_client
from fixtures.scenarios.ahead import Programme
from fixtures.scenarios.ground import Ground
from fixtures.scenarios.scenario import Scenario
from fixtures.scenarios.spread import Spreads
from fixtures.scenarios.stage import Stage
from fixtures.scheduling import in_order, last_of_acts, scenario_of, upcoming
from fixtures.session import BUDGETS_KEY, CLUSTER_INFO_KEY, REPORT_DIR_KEY, RUN_ID_KEY, TURNS_KEY, is_offered, is_worker
from fixtures.verdicts import NotObservable, Unsupported
from fixtures.workloads.namespaces import GONE_FROM_CLOUD_WITHIN_S, GONE_WITHIN_S, Namespaces
from fixtures.workloads.needed import Needed
from fixtures.workloads.prepared import api_of
from fixtures.workloads.services import Service, Services
from fixtures.workloads.slices import Slices
from fixtures.workloads.standing import Shared, Standing
from fixtures.workloads.vantages import TalkingPod, start_node_vantages, start_talking_pod, start_vantages
from fixtures.workloads.web import Pod, Web

if TYPE_CHECKING:
    from fixtures.azure.clients import Azure

STAGE_KEY = pytest.StashKey[tuple[Stage, dict[str, str]]]()
"""The stage of this process, and the last test of each act."""
STANDING_KEY = pytest.StashKey[Standing]()
"""The pods that tests of this process share."""
NEEDED_KEY = pytest.StashKey[Needed]()
"""The workloads of this process that go when they are no longer needed."""
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
        restore_all(api, run_id)
    _remove_what_is_left(info, api, run_id, may_linger=config.getoption("namespaces_may_linger"))


def _remove_what_is_left(info: ClusterInfo, api: Api, run_id: str, *, may_linger: bool) -> None:
    """The run's namespaces, and what its tests brought into Azure; raises SuiteError for all that could not be."""
    in_cloud = not info.arm.emulated if info.arm else info.kind == "kubeconfig" and info.load_balancer is not None
    gone_within_s = GONE_FROM_CLOUD_WITHIN_S if in_cloud else GONE_WITHIN_S
    own = Namespaces(api, run_id, info)
    steps: list[Callable[[], None]] = [lambda: own.delete_all(gone_within_s=gone_within_s, may_linger=may_linger)]
    if info.arm is not None:
        from fixtures.azure.clients import Azure  # noqa: PLC0415 - half a second, for those who need it
        from fixtures.azure.leftovers import sweep  # noqa: PLC0415

        azure = Azure(info.arm)
        steps.append(lambda: sweep(azure, run_id))
    problems = []
    for step in steps:
        try:
            step()
        except SuiteError as error:
            problems.append(str(error))
    if problems:
        raise SuiteError("\n".join(problems))


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> ClusterInfo:
    """The cluster under test."""
    return request.config.stash[CLUSTER_INFO_KEY]


@pytest.fixture(scope="session")
def budgets(request: pytest.FixtureRequest) -> Budgets:
    """What the checks allow, by the profile of this run."""
    return request.config.stash[BUDGETS_KEY]


@pytest.fixture(scope="session")
def api(cluster: ClusterInfo, request: pytest.FixtureRequest) -> Api:
    """Its API server; what is created through it is as the user says of all objects of the run."""
    return api_of(cluster, request.config.stash[RUN_ID_KEY])


@pytest.fixture(scope="session")
def namespaces(api: Api, cluster: ClusterInfo, request: pytest.FixtureRequest) -> Namespaces:
    """The namespaces of this run."""
    return Namespaces(api, request.config.stash[RUN_ID_KEY], cluster)


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
    """The nodes themselves to probe from: a pod in the network of each; none where there may be no such pods."""
    if not cluster.pods.host_network:
        return ()
    return start_node_vantages(api, cluster, namespaces.create("nodes", pod_security="privileged"))


@pytest.fixture(scope="session")
def talking_pod(api: Api, cluster: ClusterInfo, shared_namespace: str) -> TalkingPod:
    """A pod that serves and can call itself."""
    return start_talking_pod(api, cluster, shared_namespace)


@pytest.fixture(scope="session")
def outside(cluster: ClusterInfo) -> OutsideVantage:
    """A client outside the cluster."""
    if cluster.outside is None:
        raise NotObservable(f"there is no vantage outside the cluster {cluster.name}")
    return OutsideVantage(cluster.outside)


@pytest.fixture(scope="session", name="node_port_client")
def _node_port_client(cluster: ClusterInfo) -> OutsideVantage:
    """A client that is no node and reaches the nodes' addresses."""
    if (client := node_port_client(cluster)) is None:
        raise NotObservable(f"there is no vantage that reaches the nodes of the cluster {cluster.name}")
    return client


@pytest.fixture(scope="session")
def vnet(cluster: ClusterInfo) -> OutsideVantage:
    """A client in the nodes' virtual network, outside the cluster: what internal load balancers are for."""
    if cluster.vnet is None:
        raise NotObservable(f"the cluster {cluster.name} has no vantage in its virtual network")
    return OutsideVantage(cluster.vnet, "vnet")


@pytest.fixture(scope="session")
def standing(api: Api, request: pytest.FixtureRequest) -> Standing:
    """The pods that tests share, looked after: whoever else takes one makes errors, and no failures."""
    request.config.stash[STANDING_KEY] = made = Standing(api)
    return made


@pytest.fixture(scope="session")
def needed(request: pytest.FixtureRequest) -> Needed:
    """Workloads of some tests, which go after the last of these."""
    request.config.stash[NEEDED_KEY] = made = Needed(request.session.items if in_order(request.config) else ())
    return made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """What a test finds broken is broken only while the pods stand that it shares with others."""
    if STANDING_KEY not in item.config.stash:
        return (yield)
    with item.config.stash[STANDING_KEY].under(getattr(item, "fixturenames", ())):
        return (yield)


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
        "cluster-ip": services.create("cluster-ip", selector=web.labels),
        "ports": services.create("ports", selector=web.labels),
        "node-port": services.create_on_node_port("node-port", free, selector=web.labels),
    }


@pytest.fixture(scope="session")
def web_pods(
    api: Api,
    web: Web,
    shared_services: dict[str, Service],
    first_seen: dict[tuple[str, ...], float],
    standing: Standing,
) -> tuple[Pod, ...]:
    """The pods of `web`, all ready and behind the shared Services: one propagation budget serves all of them."""
    pods = web.wait_until_serving()
    services = Services(api, web.namespace, History(), first_seen)
    for service in shared_services.values():
        services.must_have_endpoints(service, pods)
    standing.keep("web_pods", Shared(web.namespace, web.selector, pods))
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
    """A pod on each node, and the first node itself where there may be a pod in its network."""
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
    """What scenarios stand on, and what their Services are probed from."""
    client = OutsideVantage(cluster.outside) if cluster.outside is not None else None
    return Ground(
        api=api,
        cluster=cluster,
        namespaces=namespaces,
        run_id=request.config.stash[RUN_ID_KEY],
        folder=request.config.stash[REPORT_DIR_KEY] / "history",
        budgets=budgets,
        inside=inside_vantages,
        outside=client,
    )


@pytest.fixture(scope="session")
def stage(ground: Ground, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """Pods that are replaced, and their Services: the scenarios of this process are played ahead, a few at a time."""
    turns = request.config.stash[TURNS_KEY]
    cases = list(filter(is_conformance, request.session.items))

    def programme(scenario: Scenario) -> Programme:
        offered = [case for case in cases if is_offered(case_of(case).requirement, ground.cluster)]
        return Programme(*upcoming(offered, scenario))

    made = Stage(ground, programme, lambda: turns.turn(alone=False), read_options(request.config).at_once)
    request.config.stash[STAGE_KEY] = made, last_of_acts(request.session.items)
    yield made
    del request.config.stash[STAGE_KEY]
    made.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """After the last test of an act: its probes take memory, of which a process has little; and so do workloads."""
    try:
        return (yield)
    finally:
        stage, last = item.config.stash.get(STAGE_KEY, (None, {}))
        scenario = scenario_of(item)
        if stage and scenario and last.get(scenario.act_name) == item.nodeid:
            stage.forget(scenario)
        if NEEDED_KEY in item.config.stash:
            item.config.stash[NEEDED_KEY].passed(item)


@pytest.fixture(scope="session")
def spreads(ground: Ground, needed: Needed) -> Iterator[Spreads]:
    """A number of pods that changes, to see how connections spread over them."""
    made = Spreads(ground)
    needed.until_last("spreads", made.remove)
    yield made
    made.close()


@pytest.fixture(scope="session")
def first_seen() -> dict[tuple[str, ...], float]:
    """When each state of EndpointSlices was first seen, over all tests of this process."""
    return {}


@pytest.fixture(scope="session")
def changes(
    *,
    api: Api,
    cluster: ClusterInfo,
    web: Web,
    web_pods: tuple[Pod, ...],
    shared_namespace: str,
    pod_vantages: tuple[PodVantage, ...],
) -> Changes:
    """Services in front of `web` that were changed, all at once; for tests of the scenario "changes"."""
    services = Services(api, shared_namespace, History())
    wanted = TYPE_CHANGES | PORT_CHANGES | (FAMILY_CHANGES if len(cluster.families) > 1 else {})
    made, todo = make_changes(services, web, web_pods, wanted)
    client = node_port_client(cluster)
    change_all(services=services, cluster=cluster, changes=made, todo=todo, inside=pod_vantages, client=client)
    return made


@pytest.fixture
def history(request: pytest.FixtureRequest) -> Iterator[History]:
    """The record of this test, `history/CASE.jsonl` in the report folder."""
    record = History(request.config.stash[REPORT_DIR_KEY] / "history" / file_name(request.node.nodeid))
    yield record
    record.close()


@pytest.fixture(scope="session")
def azure_client(cluster: ClusterInfo) -> Azure:
    """Reads the cluster's Azure resources; one client for all tests of the process."""
    from fixtures.azure.clients import Azure  # noqa: PLC0415 - half a second, for those who need it

    if cluster.arm is None:
        raise NotObservable(f"the cluster {cluster.name} has no Azure resources that can be read")
    return Azure(cluster.arm)


@pytest.fixture
def azure(azure_client: Azure, history: History) -> Azure:
    """Reads the cluster's Azure resources, recorded; for promises with the feature `arm`."""
    return azure_client.recording(history)


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


@pytest.fixture
def judge(cluster: ClusterInfo, services: Services, probing: Probing, history: History) -> Judge:
    """Says who answers whom, with this test's record."""
    return Judge(cluster, services, probing, history)


@pytest.fixture(scope="session")
def directory(
    *,
    api: Api,
    cluster: ClusterInfo,
    web: Web,
    web_pods: tuple[Pod, ...],
    pod_vantages: tuple[PodVantage, ...],
    budgets: Budgets,
    needed: Needed,
) -> Directory:
    """Services of each kind in front of the shared pods and two more, for the chapters about names and endpoints."""
    history = History()
    slices = Slices(api, web.namespace, history, within_s=budgets.endpoint_slices_s)
    maker = Maker(api, cluster, web, slices, history)
    made = maker.make(web_pods, pod_vantages)
    needed.until_last("directory", maker.remove_pods)
    return made


@pytest.fixture
def slices(api: Api, shared_namespace: str, history: History, budgets: Budgets) -> Slices:
    """Reads and makes EndpointSlices beside the shared ones, recorded."""
    return Slices(api, shared_namespace, history, within_s=budgets.endpoint_slices_s)


@pytest.fixture(scope="session")
def full_names() -> dict[str, str]:
    """Names of Services in full, over all tests of this process."""
    return {}


@pytest.fixture
def asked(
    *,
    directory: Directory,
    pod_vantages: tuple[PodVantage, ...],
    probing: Probing,
    history: History,
    slices: Slices,
    full_names: dict[str, str],
) -> Asked:
    """The directory, with this test's record."""
    return Asked(directory, pod_vantages, probing, history, slices, full_names)


@pytest.fixture(params=list(IPFamily), ids=str)
def family(request: pytest.FixtureRequest, cluster: ClusterInfo) -> IPFamily:
    """Each IP family that Services can have on this cluster."""
    wanted = IPFamily(request.param)
    if wanted not in cluster.families:
        raise Unsupported(f"Services of the cluster {cluster.name} have no {wanted} addresses")
    return wanted
