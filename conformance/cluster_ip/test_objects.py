"""Addresses and ranges of ClusterIPs as objects of the API, and the API server's own way to Services."""

from __future__ import annotations

import secrets
from ipaddress import ip_address, ip_network

from conformance.verbs import must_be_served, must_come_about
from fixtures.api import IP_ADDRESSES, SERVICE_CIDRS, SERVICES, Api, Object, Refused, ServerFailed
from fixtures.checks.holding import must_hold
from fixtures.checks.values import equal
from fixtures.clusters import ClusterInfo
from fixtures.errors import BrokenPromise
from fixtures.history import History
from fixtures.requirements import MUST, SHOULD, requirement
from fixtures.verdicts import NotObservable
from fixtures.workloads.services import Service, Services
from fixtures.workloads.web import Pod, Web

VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")
"""Of HTTP: those that rights are given for (kubernetes.io: Authorization, Determine the request verb)."""


def parent_of(api: Api, ip: str) -> Object:
    """Whose a ClusterIP is by its IPAddress object; raises BrokenPromise when there is no such object."""
    try:
        parent: Object = api.get(IP_ADDRESSES, ip_address(ip).compressed)["spec"]["parentRef"]
    except Refused as refused:
        if refused.status != 404:
            raise
        raise BrokenPromise(expected=f"an IPAddress {ip}", observed=str(refused), vantage="the API") from refused
    return parent


@requirement(
    "cluster_ip.addresses_are_objects",
    promise="Each ClusterIP is an IPAddress object that names its Service; it goes when the Service goes.",
    source="KEP-1880: IPAddress; kubernetes.io: IPAddress and ServiceCIDR",
    level=SHOULD,
)
def test_addresses_are_objects(api: Api, services: Services, history: History) -> None:
    """Fault: `api_objects_altered`, an admission policy by which IPAddress objects name another Service."""
    must_be_served(api, IP_ADDRESSES.plural)
    service = services.create("cluster-ip", selector={"app": "nothing-has-this-label"})
    namespace, ips = service.body["metadata"]["namespace"], service.body["spec"]["clusterIPs"]
    owner = {"group": "", "resource": "services", "namespace": namespace, "name": service.name}
    for ip in ips:
        must_hold(history, equal(f"parentRef of IPAddress {ip}", owner, {"group": ""} | parent_of(api, ip)))
    api.delete(SERVICES, service.name, namespace)

    def gone(items: list[Object]) -> bool:
        return not any({"group": ""} | (item["spec"].get("parentRef") or {}) == owner for item in items)

    must_come_about(api, IP_ADDRESSES, None, gone, f"no IPAddress of the deleted Service {service.name}")


@requirement(
    "cluster_ip.ranges_are_objects",
    promise="The ranges of ClusterIPs are ServiceCIDR objects, which are ready.",
    source="KEP-1880: ServiceCIDR; kubernetes.io: Extend Service IP Ranges",
    level=SHOULD,
)
def test_ranges_are_objects(api: Api, cluster: ClusterInfo, history: History) -> None:
    """Fault: `range_added`, a ServiceCIDR that nobody of the cluster knows of."""
    must_be_served(api, SERVICE_CIDRS.plural)
    items = api.list_all(SERVICE_CIDRS)["items"]
    ranges = {ip_network(cidr) for item in items for cidr in item["spec"]["cidrs"]}
    ready = [c["status"] for i in items for c in i["status"].get("conditions") or () if c["type"] == "Ready"]
    must_hold(
        history,
        equal("ranges", sorted(map(str, cluster.service_ranges)), sorted(map(str, ranges))),
        equal("Ready of each", ["True"] * len(items), ready),
    )


@requirement(
    "cluster_ip.the_api_server_leads_to_services",
    promise="The API server leads callers to a Service's port, by name or number, and to each of its pods.",
    source="test/e2e/network/proxy.go: should proxy through a service and a pod",
    level=MUST,
)
def test_the_api_server_leads_to_services(
    api: Api, cluster_ip_service: Service, web: Web, web_pods: tuple[Pod, ...], history: History
) -> None:
    """Fault: `target_ports_changed`, by which the ports of new Services lead to other ports of pods."""
    root = f"/api/v1/namespaces/{web.namespace}"
    names = {pod.name for pod in web_pods}
    for port in cluster_ip_service.body["spec"]["ports"]:
        if port["protocol"] == "TCP":
            for known_as in (port["name"], port["port"]):
                answer = answered(api, f"{root}/services/{cluster_ip_service.name}:{known_as}/proxy/")
                must_hold(history, equal("answered by a pod of the Service", True, answer.get("pod") in names))
                said = [answer.get("token"), answer.get("port")]
                must_hold(history, equal("token and port of the pod", [web.token, 80], said))
    for pod in web_pods:
        answer = answered(api, f"{root}/pods/{pod.name}:80/proxy/")
        must_hold(history, equal("who answers", pod.name, answer.get("pod")))


@requirement(
    "cluster_ip.the_api_server_passes_every_verb_on",
    promise="By way of the API server requests of every verb, with their paths, come to a Service's pods and to a pod.",
    source="test/e2e/network/proxy.go: valid responses for both pod and service Proxy, and ProxyWithPath",
    level=MUST,
)
def test_the_api_server_passes_every_verb_on(
    api: Api, cluster_ip_service: Service, web: Web, web_pods: tuple[Pod, ...], history: History
) -> None:
    """Fault: `target_ports_changed`, by which the ports of new Services lead to other ports of pods."""
    root, pod = f"/api/v1/namespaces/{web.namespace}", web_pods[0].name
    ways = {f"services/{cluster_ip_service.name}:80": {pod.name for pod in web_pods}, f"pods/{pod}:80": {pod}}
    for way, pods in ways.items():
        for verb in VERBS:
            for path in ("", f"{verb.lower()}/{secrets.token_hex(4)}"):
                answer = passed_on(api, f"{root}/{way}/proxy/{path}", verb)
                who = [answer.get("pod") in pods, answer.get("port"), answer.get("nonce")]
                said = [True, 80, path if verb == "GET" else f"{verb} {path}"]
                must_hold(history, equal(f"{verb} /{path}: a pod of the Service, its port, what it heard", said, who))


def passed_on(api: Api, path: str, verb: str) -> Object:
    """As `answered`; raises NotObservable where there is no right to that verb."""
    try:
        return answered(api, path, verb)
    except Refused as refused:
        raise NotObservable(f"there is no right to send {verb} by way of the API server") from refused


def answered(api: Api, path: str, verb: str = "GET") -> Object:
    """What is answered by way of the API server.

    Raises:
        BrokenPromise: nothing is.
        Refused: the caller may not (403), which is no fault of the cluster's.
    """
    try:
        return api.request(verb, path, body=None if verb == "GET" else {})
    except (Refused, ServerFailed) as failed:
        if failed.status == 403:
            raise
        raise BrokenPromise(
            expected=f"an answer to {verb} {path}", observed=str(failed), vantage="the API server"
        ) from failed
