"""The Service `kubernetes`, by which pods reach the API server."""

from __future__ import annotations

from conformance.verbs import as_far_as_allowed, must_come_about
from fixtures.api import ENDPOINT_SLICES, ENDPOINTS, Api, Object
from fixtures.checks.connection import connected
from fixtures.checks.holding import must_hold
from fixtures.clusters import ClusterInfo
from fixtures.history import History
from fixtures.prober.plan import Target
from fixtures.prober.probing import Probing
from fixtures.prober.vantages import PodVantage
from fixtures.requirements import MUST, requirement
from fixtures.workloads.services import ready_addresses

NAME, NAMESPACE, PORT = "kubernetes", "default", 443
CONNECTIONS = 5
CONNECT_TIMEOUT_MS = 3000
"""The API server may be far away: a packet that was lost on the way is sent again after a second."""


@requirement(
    "endpoints.pods_reach_the_api_server",
    promise="Pods on every node can connect to the Service kubernetes, by its name.",
    source="kubernetes.io: Accessing the Kubernetes API from a Pod; test/e2e/network/apiserver.go",
    level=MUST,
)
def test_pods_reach_the_api_server(
    cluster: ClusterInfo, probing: Probing, pod_vantages: tuple[PodVantage, ...], history: History
) -> None:
    """Fault: `api_server_closed_to_pods`, one node refuses its pods new connections to the API server."""
    name = f"{NAME}.{NAMESPACE}.svc"
    # Its ClusterIP is of the cluster's first family alone.
    target = Target(name=f"tcp {name}", address=name, port=PORT, protocol="tcp", family=cluster.families[0])
    batches = probing.run([target], pod_vantages, count=CONNECTIONS, connect_timeout_ms=CONNECT_TIMEOUT_MS)
    must_hold(history, connected(batches))


@requirement(
    "endpoints.those_of_the_api_server_agree",
    promise="The EndpointSlices and the Endpoints of the Service kubernetes have the same addresses, one at least.",
    source="test/e2e/network/endpointslice.go: should have Endpoints and EndpointSlices pointing to API Server",
    level=MUST,
)
def test_endpoints_of_the_api_server_agree(api: Api) -> None:
    """Fault: `api_objects_altered`, an admission policy by which Endpoints lose their addresses."""

    def agree(slices: list[Object]) -> bool:
        in_slices = set[str]().union(*ready_addresses(slices, ()).values())
        subsets = api.get(ENDPOINTS, NAME, NAMESPACE).get("subsets") or ()
        # Several API servers may come and go; of each the slices are written last, and so watched.
        return bool(in_slices) and in_slices == {a["ip"] for one in subsets for a in one.get("addresses") or ()}

    what, own = f"equal addresses in EndpointSlices and Endpoints {NAME}", f"kubernetes.io/service-name={NAME}"
    with as_far_as_allowed(f"read the Service {NAME} of the namespace {NAMESPACE}"):
        must_come_about(api, ENDPOINT_SLICES, NAMESPACE, agree, what, selector=own)
