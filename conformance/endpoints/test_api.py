"""The verbs of the API for what says which pods a Service has; Endpoints, which older clients read."""

from __future__ import annotations

from conformance.verbs import must_come_about, must_have_verbs
from fixtures.api import ENDPOINT_SLICES, ENDPOINTS, Api, Object
from fixtures.history import History
from fixtures.requirements import MUST, requirement
from fixtures.workloads.services import Service, Services, family_of
from fixtures.workloads.slices import BY_HAND, MANAGED_BY_LABEL
from fixtures.workloads.web import Pod

NOBODY = "192.0.2.1"
"""An address for documents (RFC 5737)."""
SLICE: Object = {
    "apiVersion": ENDPOINT_SLICES.group_version,
    "kind": "EndpointSlice",
    # Of a Service that is not there: proxies complain of slices that are of none.
    "metadata": {"labels": {MANAGED_BY_LABEL: BY_HAND, "kubernetes.io/service-name": "conformance-nobody"}},
    "addressType": "IPv4",
    "endpoints": [{"addresses": [NOBODY], "conditions": {"ready": True}}],
    "ports": [{"name": "a", "port": 80, "protocol": "TCP"}],
}
ENDPOINTS_BY_HAND: Object = {
    "apiVersion": "v1",
    "kind": "Endpoints",
    "subsets": [{"addresses": [{"ip": NOBODY}], "ports": [{"name": "a", "port": 80, "protocol": "TCP"}]}],
}


@requirement(
    "endpoints.slices_have_all_verbs",
    promise="EndpointSlices can be created, read, listed, watched, patched, replaced and deleted, many at once too.",
    source="test/e2e/network/endpointslice.go: should support creating EndpointSlice API operations",
    level=MUST,
)
def test_slices_have_all_verbs(api: Api, shared_namespace: str, history: History) -> None:
    """Fault: `api_objects_altered`, an admission policy by which new objects lose their labels."""
    must_have_verbs(api, ENDPOINT_SLICES, shared_namespace, SLICE, history)


@requirement(
    "endpoints.endpoints_have_all_verbs",
    promise="Endpoints, deprecated as they are, can still be created, read, listed, watched, changed and deleted.",
    source="test/e2e/network/endpoints.go: should test the lifecycle of an Endpoint; KEP-4974",
    level=MUST,
)
def test_endpoints_have_all_verbs(api: Api, shared_namespace: str, history: History) -> None:
    """Fault: `api_objects_altered`."""
    must_have_verbs(api, ENDPOINTS, shared_namespace, ENDPOINTS_BY_HAND, history)


@requirement(
    "endpoints.endpoints_follow_pods",
    promise="The controller writes a Service's ready pods into its Endpoints too, which older clients read.",
    source="test/e2e/network/endpoints.go: should create Endpoints for Pods matching a Service; ... matches no pods",
    level=MUST,
)
def test_endpoints_follow_pods(
    *, api: Api, services: Services, cluster_ip_service: Service, web_pods: tuple[Pod, ...], shared_namespace: str
) -> None:
    """Fault: `api_objects_altered`, by which Endpoints lose their addresses."""
    first = str(cluster_ip_service.body["spec"]["ipFamilies"][0])
    ips = sorted(ip for pod in web_pods for ip in pod.ips if str(family_of(ip)) == first)
    must_become(api, shared_namespace, cluster_ip_service.name, ips)
    without = services.create("cluster-ip", selector={"app": "nothing-has-this-label"})
    must_become(api, str(without.body["metadata"]["namespace"]), without.name, [])


def must_become(api: Api, namespace: str, name: str, ips: list[str]) -> None:
    """The Endpoints of a Service come to hold exactly these addresses, in order."""

    def held(items: list[Object]) -> bool:
        found = next((item for item in items if item["metadata"]["name"] == name), None)
        return found is not None and addresses(found) == ips

    must_come_about(api, ENDPOINTS, namespace, held, f"Endpoints {name} with exactly {ips}")


def addresses(found: Object) -> list[str]:
    """The addresses in Endpoints, in order."""
    return sorted(address["ip"] for subset in found.get("subsets") or () for address in subset.get("addresses") or ())
