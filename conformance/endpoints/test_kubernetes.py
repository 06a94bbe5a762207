"""The Service `kubernetes`, by which pods reach the API server."""

from __future__ import annotations

from fixtures.api import ENDPOINT_SLICES, ENDPOINTS, SERVICES, Api, Refused
from fixtures.checks.connection import connected
from fixtures.checks.holding import must_hold
from fixtures.checks.values import equal
from fixtures.history import History
from fixtures.prober.plan import Target
from fixtures.prober.probing import Probing
from fixtures.prober.vantages import PodVantage
from fixtures.requirements import MUST, requirement
from fixtures.verdicts import NotObservable
from fixtures.workloads.services import Service, ready_addresses

NAME, NAMESPACE, PORT = "kubernetes", "default", "https"
CONNECTIONS = 5
FORBIDDEN = 403


def read(api: Api) -> tuple[Service, set[str], set[str]]:
    """The Service, the addresses of its EndpointSlices and of its Endpoints; raises NotObservable without a right."""
    try:
        service = Service(api.get(SERVICES, NAME, NAMESPACE))
        slices = api.list_all(ENDPOINT_SLICES, NAMESPACE, selector=f"kubernetes.io/service-name={NAME}")["items"]
        subsets = api.get(ENDPOINTS, NAME, NAMESPACE).get("subsets") or ()
    except Refused as refused:
        if refused.status != FORBIDDEN:
            raise
        raise NotObservable(f"there is no right to read the Service {NAME} of the namespace {NAMESPACE}") from refused
    in_slices = set[str]().union(*ready_addresses(slices, ()).values())
    return service, in_slices, {address["ip"] for subset in subsets for address in subset.get("addresses") or ()}


@requirement(
    "endpoints.pods_reach_the_api_server",
    promise="The Service kubernetes, whose endpoints are the API server's, leads pods on every node to the API server.",
    source="kubernetes.io: Accessing the Kubernetes API from a Pod; test/e2e/network/apiserver.go, endpointslice.go",
    level=MUST,
)
def test_pods_reach_the_api_server(
    api: Api, probing: Probing, pod_vantages: tuple[PodVantage, ...], history: History
) -> None:
    """Fault: `api_server_closed_to_pods`, one node refuses its pods new connections to the API server."""
    service, in_slices, in_endpoints = read(api)
    must_hold(
        history,
        equal(f"the Service {NAME} has endpoints:", True, bool(in_slices)),
        equal("addresses of its Endpoints", sorted(in_slices), sorted(in_endpoints)),
    )
    port = next(port["port"] for port in service.body["spec"]["ports"] if port["name"] == PORT)
    targets = [
        Target(name=f"tcp {ip}:{port}", address=ip, port=port, protocol="tcp", family=family)
        for family, ip in service.cluster_ips.items()
    ]
    must_hold(history, connected(probing.run(targets, pod_vantages, count=CONNECTIONS)))
