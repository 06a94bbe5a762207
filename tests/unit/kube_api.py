"""A Kubernetes API of a few canned answers, for tests of what is read of a cluster before a run."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml

KUBELOGIN = {"exec": {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "kubelogin", "args": ["x"]}}
"""How the kubeconfig of an Entra ID cluster authenticates."""


def node(number: int, **spec: object) -> dict[str, Any]:
    """A Linux node that is Ready."""
    addresses = [{"type": "InternalIP", "address": address} for address in (f"fd00::{number}", f"127.0.0.{number}")]
    return {
        "metadata": {
            "name": f"node-{number}",
            "uid": f"uid-{number}",
            "resourceVersion": "1",
            "labels": {"kubernetes.io/os": "linux"},
        },
        "spec": spec,
        "status": {
            "addresses": addresses,
            "conditions": [{"type": "Ready", "status": "True"}],
            "nodeInfo": {"kubeletVersion": "v1.36.3"},
        },
    }


class KubeApi:
    """What it answers, and who asked.

    Attributes:
        server: its address.
        nodes: the Node objects.
        ranges: of ClusterIPs.
        denied: rights that it denies, as `create pods`.
        groups: its API groups with their versions.
        refusals: by path, why nothing may be created there.
        objects: further answers, by path.
        made: paths at which something was created, by other than a dry run.
        token: what it accepts; None: everything.
        tokens: what it was sent, in order.
    """

    def __init__(self) -> None:
        self.server = ""
        self.nodes = [node(1), node(2), node(3)]
        self.ranges = ["10.0.0.0/16", "fd00:10::/112"]
        self.denied: set[str] = set()
        self.groups = ["apps/v1", "discovery.k8s.io/v1", "policy/v1"]
        self.refusals: dict[str, str] = {}
        self.objects: dict[str, object] = {}
        self.made: list[str] = []
        self.token: str | None = None
        self.tokens: list[str] = []

    def kubeconfig(self, user: object = None) -> str:
        """A kubeconfig for it."""
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "demo",
                "clusters": [{"name": "demo", "cluster": {"server": self.server}}],
                "contexts": [{"name": "demo", "context": {"cluster": "demo", "user": "me"}}],
                "users": [{"name": "me", "user": user or {"token": "planted-kubernetes-token"}}],
            }
        )

    def listed(self) -> None:
        """Called when the nodes have been listed; a test may change them."""

    def watched(self) -> list[dict[str, Any]]:
        """What a watch of the nodes tells: each as it is now."""
        return [{"type": "MODIFIED", "object": item} for item in self.nodes]

    def answer(self, path: str, body: Any) -> tuple[int, object]:  # noqa: ANN401 - parsed JSON
        """Status and object for a request."""
        if self.token is not None and self.tokens[-1] != f"Bearer {self.token}":
            return 401, {"kind": "Status", "reason": "Unauthorized", "message": "Unauthorized"}
        if path.endswith("/selfsubjectaccessreviews"):
            asked = body["spec"]["resourceAttributes"]
            resource = "/".join(filter(None, (asked["resource"], asked["subresource"])))
            return 201, {"status": {"allowed": f"{asked['verb']} {resource}" not in self.denied}}
        if body is not None:
            return self._created(path, body)
        found: dict[str, object] = {
            "/version": {"gitVersion": "v1.36.3"},
            "/apis": {"groups": [{"versions": [{"groupVersion": group}]} for group in self.groups]},
            "/api/v1/nodes": {"metadata": {"resourceVersion": "1"}, "items": self.nodes},
            "/api/v1/events": {"items": []},
            "/apis/apps/v1/daemonsets": {"items": []},
            "/apis/networking.k8s.io/v1/servicecidrs": {"items": [{"spec": {"cidrs": self.ranges}}]},
        }
        found |= self.objects
        if path not in found and "/namespaces/" in path and "/clusterroles/" not in path:
            found[path] = {"metadata": {"resourceVersion": "1"}, "items": []}
        if path not in found:
            return 404, {"kind": "Status", "reason": "NotFound", "message": f"no {path}"}
        return 200, found[path]

    def _created(self, path: str, body: dict[str, Any]) -> tuple[int, object]:
        """What a dry run gives; Services outside the ranges are refused as Kubernetes refuses them."""
        message, spec = self.refusals.get(path, ""), body.get("spec") or {}
        if not message and spec.get("clusterIP"):
            message = f"the range of valid IPs is {self.ranges[1 if ':' in spec['clusterIP'] else 0]}"
        elif not message and spec.get("type") == "NodePort":
            message = "provided port is not in the valid range. The range of valid ports is 30100-32000"
        if message:
            return 422, {"kind": "Status", "reason": "Invalid", "message": message}
        return 201, body | {"spec": spec | {"ipFamilies": ["IPv4"]}}


@contextmanager
def kube_api(given: KubeApi | None = None) -> Iterator[KubeApi]:
    """Serve one on a loopback port: the given one, or a new one."""
    api = given or KubeApi()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            api.tokens.append(self.headers.get("Authorization", ""))
            path, _, query = self.path.partition("?")
            status, found = api.answer(path, json.loads(body or b"null"))
            if self.command == "POST" and status == 201 and "dryRun=All" not in query and "selfsubject" not in path:
                api.made.append(path)
            text = json.dumps(found).encode()
            if "watch=true" in query:
                text = "".join(json.dumps(event) + "\n" for event in api.watched()).encode()
            elif path == "/api/v1/nodes":
                api.listed()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = _answer

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    api.server = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
