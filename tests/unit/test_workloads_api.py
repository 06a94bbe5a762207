"""The API adapter and the workloads against a made-up API server on loopback."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures.api import PODS, SERVICES, Api, NotInTime, Refused
from fixtures.clusters.fake import INFO
from fixtures.errors import BrokenPromise, SuiteError
from fixtures.history import History
from fixtures.verdicts import NotObservable
from fixtures.workloads.manifests import load, with_env, with_image
from fixtures.workloads.namespaces import EXPIRES_ANNOTATION, RUN_ID_LABEL, Namespaces, going_with
from fixtures.workloads.observer import observing
from fixtures.workloads.services import Service, Services, on_first_free, ready_addresses
from fixtures.workloads.vantages import listening_on
from fixtures.workloads.web import Pod, Shape, Web

SEEN_WITHIN_S = 10
Replies = list[tuple[str, int, Any]]
"""In order: method and path without query, HTTP status, a JSON object or the events of a watch."""


class Script(ThreadingHTTPServer):
    """An API server that gives prepared replies, each once and the last of a path for ever."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies: Replies = []
        self.seen: list[tuple[str, str, Any]] = []

    def next_reply(self, key: str) -> tuple[int, Any]:
        """The next reply for a method and path."""
        found = [reply for reply in self.replies if reply[0] == key]
        if len(found) > 1:
            self.replies.remove(found[0])
        return found[0][1:]


class Handler(BaseHTTPRequestHandler):
    """One request to the script."""

    server: Script

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def serve(self) -> None:
        """Answer by the script; a watch is known by its query."""
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.command, self.path, json.loads(body) if body else None))
        watch = "WATCH" if "watch=true" in query else self.command
        status, reply = self.server.next_reply(f"{watch} {path}")
        text = (
            "".join(json.dumps(event) + "\n" for event in reply)
            if isinstance(reply, list) and watch == "WATCH"
            else json.dumps(reply)
        )
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        if isinstance(reply, dict) and "retryAfterSeconds" in (reply.get("details") or {}):
            self.send_header("Retry-After", str(reply["details"]["retryAfterSeconds"]))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST = do_PATCH = do_DELETE = serve


@pytest.fixture
def script() -> Iterator[Script]:
    """A running API server."""
    with Script() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def api(script: Script, tmp_path: Path) -> Api:
    """The adapter, talking to it."""
    config = {
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{script.server_port}"}}],
        "users": [{"name": "u", "user": {"token": "secret"}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return Api(path)


def status(code: int, reason: str, message: str) -> dict[str, Any]:
    """A Status object."""
    return {"kind": "Status", "code": code, "reason": reason, "message": message}


def item(uid: str, version: str = "1", **spec: object) -> dict[str, Any]:
    """A small object."""
    metadata = {"uid": uid, "name": uid, "namespace": "n", "resourceVersion": version}
    return {"metadata": metadata, "spec": spec, "status": {}}


def listed(*items: dict[str, Any]) -> dict[str, Any]:
    """A list object."""
    return {"metadata": {"resourceVersion": "10"}, "items": list(items)}


def test_a_refusal_is_told_from_a_failing_server(api: Api, script: Script) -> None:
    script.replies = [
        ("POST /api/v1/namespaces/n/services", 422, status(422, "Invalid", "nodePort: 80: not in 30000-32767")),
        ("GET /api/v1/namespaces/n/services/a", 503, {"kind": "Status"}),
        ("GET /api/v1/namespaces/n/services/b", 200, ["not an object"]),
    ]
    with pytest.raises(Refused, match="422 Invalid: nodePort: 80"):
        api.create(SERVICES, {}, "n")
    for name in "ab":
        with pytest.raises(SuiteError):
            api.get(SERVICES, name, "n")


def test_what_a_busy_server_turned_away_is_sent_again_as_it_asks(api: Api, script: Script) -> None:
    path = "/api/v1/namespaces/n/services"
    busy = status(429, "TooManyRequests", "too many requests, please try again later") | {
        "details": {"retryAfterSeconds": 0}
    }
    for method in ("POST", "GET"):
        script.replies += [(f"{method} {path}", 429, busy)] * 3 + [(f"{method} {path}", 200, listed())]
    assert api.create(SERVICES, {}, "n") == api.list_all(SERVICES, "n") == listed()
    assert [method for method, _, _ in script.seen] == ["POST"] * 4 + ["GET"] * 4


def test_a_server_that_turns_everything_away_is_an_error_and_no_refusal(api: Api, script: Script) -> None:
    busy = status(429, "TooManyRequests", "later") | {"details": {"retryAfterSeconds": 0}}
    script.replies = [("POST /api/v1/namespaces/n/services", 429, busy)]
    with pytest.raises(SuiteError, match="POST /api/v1/namespaces/n/services: it was busy \\(429\\) 11 times"):
        api.create(SERVICES, {}, "n")
    assert len(script.seen) == 11
    # Without Retry-After it is the answer: an eviction that a disruption budget forbids.
    script.replies = [("POST /api/v1/namespaces/n/services", 429, status(429, "TooManyRequests", "the budget"))]
    with pytest.raises(Refused, match="the budget"):
        api.create(SERVICES, {}, "n")


def test_nobody_there_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(SuiteError):
        Api(tmp_path / "none").get(SERVICES, "a", "n")


def test_deleting_what_is_gone_is_no_error(api: Api, script: Script) -> None:
    script.replies = [("DELETE /api/v1/namespaces/n/pods/a", 404, status(404, "NotFound", "gone"))]
    api.delete(PODS, "a", "n", grace_period_s=0)
    assert script.seen[0][1].endswith("?gracePeriodSeconds=0")


def test_a_patch_is_sent_as_an_object(api: Api, script: Script) -> None:
    script.replies = [("PATCH /api/v1/namespaces/n/pods/a", 200, item("a"))]
    api.patch(PODS, "a", {"metadata": {"labels": {"x": "y"}}}, "n")
    assert script.seen[0][2] == {"metadata": {"labels": {"x": "y"}}}


def test_waiting_sees_changes_and_starts_over_after_410(api: Api, script: Script) -> None:
    path = "/api/v1/namespaces/n/pods"
    gone = {"type": "ERROR", "object": status(410, "Expired", "too old")}
    script.replies = [
        (f"GET {path}", 200, listed(item("old"))),
        (f"WATCH {path}", 200, [{"type": "ADDED", "object": item("a", "11")}, gone]),
        (f"GET {path}", 200, listed(item("b"))),
        (f"WATCH {path}", 410, status(410, "Expired", "too old")),
        (f"GET {path}", 200, listed(item("b"))),
        (f"WATCH {path}", 200, [{"type": "DELETED", "object": item("b", "12")}]),
    ]
    assert api.wait_until(lambda items: not items, PODS, "n", timeout_s=5, what="no pods") == []


def test_waiting_ends(api: Api, script: Script) -> None:
    path = "/api/v1/namespaces/n/pods"
    bookmark = [{"type": "BOOKMARK", "object": item("", "11")}]
    script.replies = [(f"GET {path}", 200, listed()), (f"WATCH {path}", 200, bookmark)]
    with pytest.raises(NotInTime, match="two pods: not so within"):
        api.wait_until(lambda items: len(items) == 2, PODS, "n", timeout_s=0.3, what="two pods")


def test_an_observation_records_every_change(api: Api, script: Script) -> None:
    for resource in ("api/v1/namespaces/n/services", "api/v1/namespaces/n/pods", "api/v1/nodes"):
        script.replies += [(f"GET /{resource}", 200, listed()), (f"WATCH /{resource}", 200, [])]
    slices = "apis/discovery.k8s.io/v1/namespaces/n/endpointslices"
    changes = [{"type": kind, "object": item("s", "11")} for kind in ("MODIFIED", "DELETED")]
    script.replies += [(f"GET /{slices}", 200, listed(item("s"))), (f"WATCH /{slices}", 200, changes)]
    script.replies += [(f"WATCH /{slices}", 200, [])]
    history = History()
    between, end = threading.Event(), time.monotonic() + SEEN_WITHIN_S
    with observing(api, "n", history):
        while len(history.observations("endpointslices", "s")) < 3:
            assert time.monotonic() < end
            between.wait(0.01)
    assert [e.change for e in history.observations("endpointslices", "s")] == ["ADDED", "MODIFIED", "DELETED"]


def service_of(name: str = "web-1") -> dict[str, Any]:
    """A stored Service."""
    ports = [{"name": "web", "port": 80, "nodePort": 31001}]
    return item(name, clusterIPs=["10.96.0.1", "fd00::1"], ports=ports)


def test_a_taken_node_port_leads_to_the_next(api: Api, script: Script) -> None:
    path = "POST /api/v1/namespaces/n/services"
    taken = status(422, "Invalid", "spec.ports[0].nodePort: 31000: provided port is already allocated")
    script.replies = [(path, 422, taken), (path, 201, service_of())]
    service = Services(api, "n", History()).create_on_node_port("node-port", range(31000, 31003))
    assert service.node_port("web") == 31001
    assert [port["nodePort"] for port in script.seen[1][2]["spec"]["ports"]] == [31001, 31001]
    script.replies = [(path, 422, taken)]
    with pytest.raises(NotObservable, match="31000 to 31002 are all taken"):
        Services(api, "n", History()).create_on_node_port("node-port", range(31000, 31003))


def test_a_health_check_node_port_that_is_taken_is_a_failure_and_leads_to_the_next(api: Api, script: Script) -> None:
    taken = {"message": "failed to allocate requested HealthCheck NodePort 30080: provided port is already allocated"}
    changed = {"metadata": {"name": "s", "namespace": "n"}, "spec": {"healthCheckNodePort": 30081}}
    path = "PATCH /api/v1/namespaces/n/services/s"
    script.replies = [(path, 500, taken), (path, 200, changed), (path, 500, {"message": "out of order"})]
    services = Services(api, "n", History())

    def ask(number: int) -> Service:
        return services.change(Service(changed), healthCheckNodePort=number)

    assert on_first_free(range(30080, 30083), ask).health_check_node_port == 30081
    with pytest.raises(SuiteError, match="out of order"):
        on_first_free(range(30080, 30083), ask)


def test_pods_can_be_kept_to_some_nodes(api: Api, script: Script) -> None:
    path = "POST /apis/apps/v1/namespaces/n/deployments"
    script.replies = [(path, 201, {"metadata": {"name": "web"}})]
    for nodes in ((), ("a", "b")):
        Web(api, INFO, "n", shape=Shape(nodes=nodes))
    anywhere, there = (body["spec"]["template"]["spec"] for _, _, body in script.seen)
    assert "affinity" not in anywhere
    affinity = there["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    terms = [term["matchFields"] for term in affinity["nodeSelectorTerms"]]
    assert terms == [[{"key": "metadata.name", "operator": "In", "values": [name]}] for name in ("a", "b")]


def test_pods_of_more_protocols_are_ready_when_kubelet_can_speak_grpc_to_them(api: Api, script: Script) -> None:
    script.replies = [("POST /apis/apps/v1/namespaces/n/deployments", 201, {"metadata": {"name": "web"}})]
    Web(api, INFO, "n", shape=Shape(multiplexed=True))
    container = script.seen[-1][2]["spec"]["template"]["spec"]["containers"][0]
    assert "--multiplexed" in container["args"]
    assert {"grpc", "httpGet"} & container["readinessProbe"].keys() == {"grpc"}


def test_a_refusal_must_name_the_reason(api: Api, script: Script) -> None:
    path = "POST /api/v1/namespaces/n/services"
    services = Services(api, "n", History())
    script.replies = [(path, 422, status(422, "Invalid", "29999: not in 30000-32767"))]
    services.must_be_refused("node-port", naming=["29999", "30000-32767"])
    with pytest.raises(BrokenPromise):
        services.must_be_refused("node-port", naming=["29998"])
    script.replies = [(path, 201, service_of()), ("DELETE /api/v1/namespaces/n/services/web-1", 200, {})]
    with pytest.raises(BrokenPromise, match="Service created with node ports"):
        services.must_be_refused("node-port", naming=["29999"])
    assert script.seen[-1][0] == "DELETE"


def endpoint_slice(family: str, *addresses: str, ready: bool | None = True) -> dict[str, Any]:
    """An EndpointSlice."""
    conditions = {} if ready is None else {"ready": ready}
    endpoints = [{"addresses": [address], "conditions": conditions} for address in addresses]
    return {**item(f"s-{family}"), "addressType": family, "endpoints": endpoints}


def test_only_ready_addresses_count() -> None:
    service = Service(service_of())
    slices = [
        endpoint_slice("IPv4", "10.0.0.1", ready=None),
        endpoint_slice("IPv4", "10.0.0.2", ready=False),
        {**endpoint_slice("IPv6"), "endpoints": None},
    ]
    found = ready_addresses(slices, service.cluster_ips)
    assert {str(family): ips for family, ips in found.items()} == {"IPv4": {"10.0.0.1"}, "IPv6": set()}


def test_convergence_is_timed_once_and_a_stale_endpoint_is_a_broken_promise(
    api: Api, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "/apis/discovery.k8s.io/v1/namespaces/n/endpointslices"
    slices = listed(endpoint_slice("IPv4", "10.0.0.1"), endpoint_slice("IPv6", "fd00::a"))
    script.replies = [(f"GET {path}", 200, slices), (f"WATCH {path}", 200, [])]
    services, service = Services(api, "n", History()), Service(service_of())
    pod = Pod("web-a", "u", "n1", ("10.0.0.1", "fd00::a"))
    first = services.must_have_endpoints(service, [pod])
    assert services.must_have_endpoints(service, [pod]) == first
    monkeypatch.setattr("fixtures.workloads.services.ENDPOINTS_WITHIN_S", 0.2)
    with pytest.raises(BrokenPromise, match=r"hold exactly no address within 0 s; observed 10\.0\.0\.1, fd00::a"):
        services.must_have_endpoints(service, [])


def test_a_namespace_holds_the_agent_and_has_the_pod_security_that_is_asked_for(api: Api, script: Script) -> None:
    script.replies = [("POST /api/v1/namespaces", 201, {})]
    for pod_security in ("restricted", "privileged"):
        name = f"POST /api/v1/namespaces/svc-x-{pod_security}/configmaps"
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("secrets.token_hex", lambda _, named=pod_security: named)
            script.replies.append((name, 201, {}))
            Namespaces(api, "me").create("x", pod_security=pod_security)
        namespace, config_map = (body for _, _, body in script.seen[-2:])
        assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == pod_security
        assert {"__main__.py", "__init__.py", "engine.py"} <= config_map["data"].keys()
        assert "class Run" in config_map["data"]["engine.py"]


def test_node_vantages_are_in_the_nodes_network_on_the_port_that_is_asked_for() -> None:
    pod = listening_on(load("workloads/node-vantages.yaml"), 20123)["spec"]["template"]["spec"]
    assert (pod["hostNetwork"], pod["dnsPolicy"]) == (True, "ClusterFirstWithHostNet")
    container = pod["containers"][0]
    assert container["args"] == ["--port=20123"]
    assert container["ports"][0]["containerPort"] == container["readinessProbe"]["httpGet"]["port"] == 20123
    assert "tolerations" not in pod


@pytest.mark.parametrize("name", ["web", "vantages", "node-vantages"])
def test_workloads_fit_the_restricted_pod_security_standard_but_for_the_nodes_network(name: str) -> None:
    body = with_image(load(f"workloads/{name}.yaml"), "localhost/python:3")
    pod = body["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        assert container["image"] == "localhost/python:3"
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_manifests_are_changed_in_a_copy() -> None:
    before = load("workloads/web.yaml")
    after = with_env(before, VERSION="other")
    assert before == load("workloads/web.yaml")
    assert {"name": "VERSION", "value": "other"} in after["spec"]["template"]["spec"]["containers"][0]["env"]
    with pytest.raises(KeyError):
        with_env(before, NONE="x")
    with pytest.raises(SuiteError, match="manifests/none"):
        load("none.yaml")


def test_only_the_runs_own_and_expired_namespaces_are_deleted(api: Api, script: Script) -> None:
    def namespace(name: str, run: str, expires: str) -> dict[str, Any]:
        metadata = {
            "uid": name,
            "name": name,
            "labels": {RUN_ID_LABEL: run},
            "annotations": {EXPIRES_ANNOTATION: expires},
        }
        return {"metadata": metadata | {"resourceVersion": "1"}, "spec": {}, "status": {}}

    later, before = "2999-01-01T00:00:00+00:00", "2020-01-01T00:00:00+00:00"
    found = [namespace("own", "me", later), namespace("old", "other", before), namespace("theirs", "other", later)]
    script.replies = [
        ("GET /api/v1/namespaces", 200, listed(*found)),
        ("GET /api/v1/namespaces", 200, listed()),
        *contents_of_own(),
        ("DELETE /api/v1/namespaces/own", 200, {"kind": "Status"}),
        ("DELETE /api/v1/namespaces/old", 200, {"kind": "Status"}),
    ]
    Namespaces(api, "me").delete_all()
    assert [path for method, path, _ in script.seen if method == "DELETE"] == [
        "/api/v1/namespaces/old",
        "/api/v1/namespaces/own",
        *EMPTYING,
    ]


EMPTYING = ["/api/v1/namespaces/own/services/web", "/api/v1/namespaces/own/pods/web-1?gracePeriodSeconds=1"]


def contents_of_own() -> Replies:
    """A Service and a pod in the namespace `own`, which are gone when it is looked at again."""
    replies: Replies = []
    for plural, name in (("services", "web"), ("pods", "web-1")):
        metadata = {"uid": name, "name": name, "resourceVersion": "1"}
        path = f"/api/v1/namespaces/own/{plural}"
        replies += [
            (f"GET {path}", 200, listed({"metadata": metadata, "spec": {}, "status": {}})),
            (f"GET {path}", 200, listed()),
            (f"DELETE {path}/{name}", 200, {"kind": "Status"}),
        ]
    return replies


def test_emptied_namespaces_may_linger(api: Api, script: Script) -> None:
    metadata = {"uid": "own", "name": "own", "labels": {RUN_ID_LABEL: "me"}, "resourceVersion": "1"}
    script.replies = [
        ("GET /api/v1/namespaces", 200, listed({"metadata": metadata})),
        *contents_of_own(),
        ("DELETE /api/v1/namespaces/own", 200, {"kind": "Status"}),
    ]
    Namespaces(api, "me").delete_all(may_linger=True)
    assert [path for method, path, _ in script.seen if method == "DELETE"] == ["/api/v1/namespaces/own", *EMPTYING]
    assert len([path for method, path, _ in script.seen if method == "GET" and "/namespaces?" in path]) == 1


def test_what_is_in_no_namespace_goes_with_one(api: Api, script: Script) -> None:
    script.replies = [("GET /api/v1/namespaces", 200, listed({"metadata": {"uid": "u", "name": "own"}}))]
    owner = {"apiVersion": "v1", "kind": "Namespace", "name": "own", "uid": "u"}
    assert going_with(api, "own") == {"ownerReferences": [owner]}
    assert script.seen[0][1].endswith("labelSelector=kubernetes.io/metadata.name%3Down")
