"""The command, kubectl and questions, as tests of the local cluster use them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from fixtures.clusters.local.azure import node_name
from fixtures.clusters.local.build import binary_folder
from fixtures.clusters.local.cluster import LocalCluster
from fixtures.clusters.local.images import PYTHON_IMAGE
from fixtures.clusters.local.processes import in_network_namespace
from fixtures.clusters.local.upstreams import upstream

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "fixtures.clusters.local")
COMMAND_TIMEOUT_S = 180.0
ROLL_OUT_TIMEOUT_S = 60
DATA_PATH_TIMEOUT_S = 15
"""How long kube-proxy may take to follow a change: its mode iptables writes at most once a second."""
WEB_PORT = 8080

NODE_1, NODE_2, NODE_3 = (node_name(number) for number in (1, 2, 3))
NODE_9 = node_name(9)
"""No cluster of these tests has it."""


def command(*argv: str) -> subprocess.CompletedProcess[str]:
    """Run one verb of the local cluster's command."""
    return run([*COMMAND, *argv])


def run(argv: list[str], text: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program from the root of this project.

    Args:
        argv: the program and its arguments.
        text: its standard input.
        environment: added to this process' environment.
    """
    return subprocess.run(
        argv,
        cwd=ROOT,
        env={**os.environ, **environment},
        input=text,
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )


def must_succeed(done: subprocess.CompletedProcess[str]) -> str:
    """The standard output of a command that has to have ended well."""
    assert done.returncode == 0, f"{done.args} ended with {done.returncode}: {done.stderr}"
    return done.stdout


def must_refuse(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of a command that has to have refused bad input."""
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (4, "", 1), done
    return done.stderr.strip()


def kubectl(cluster: LocalCluster, *argv: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run upstream's kubectl as the administrator of a cluster."""
    program = binary_folder(upstream("kubernetes")) / "kubectl"
    return run([str(program), *argv], text, **cluster.kubectl_environment)


def get(cluster: LocalCluster, *argv: str) -> Any:  # noqa: ANN401 - a Kubernetes object
    """What `kubectl get` gives, parsed."""
    return json.loads(must_succeed(kubectl(cluster, "get", "--output=json", *argv)))


def ask(cluster: LocalCluster, host: str, *question: str) -> dict[str, Any]:
    """Ask one question of ask.py from a host of the cluster's network."""
    argv = [sys.executable, "-I", str(Path(__file__).with_name("ask.py")), *question]
    answer: dict[str, Any] = json.loads(must_succeed(run(in_network_namespace(cluster.host(host).namespace, argv))))
    return answer


def url(address: str, port: int) -> str:
    """The URL of a server at an address of either family."""
    return f"http://[{address}]:{port}/" if ":" in address else f"http://{address}:{port}/"


def web(name: str, replicas: int = 1, node: str | None = None) -> str:
    """A Deployment of web servers and a dual-stack NodePort Service before it, as YAML."""
    container = {
        "name": "web",
        "image": PYTHON_IMAGE,
        "args": ["-m", "http.server", "--bind=::", str(WEB_PORT)],
        "readinessProbe": {"httpGet": {"path": "/", "port": WEB_PORT}, "periodSeconds": 1},
    }
    pods = {"terminationGracePeriodSeconds": 0, "containers": [container], **({"nodeName": node} if node else {})}
    metadata, labels = {"name": name}, {"app": name}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pods},
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "type": "NodePort",
            "ipFamilyPolicy": "RequireDualStack",
            "selector": labels,
            "ports": [{"port": 80, "targetPort": WEB_PORT}],
        },
    }
    return yaml.safe_dump_all([deployment, service])


def deploy_web(cluster: LocalCluster, name: str, *, node: str | None = None) -> dict[str, Any]:
    """Make a web server and wait until it answers at its node port on each node; returns its Service."""
    must_succeed(kubectl(cluster, "create", "--filename=-", text=web(name, node=node)))
    limit = f"--timeout={ROLL_OUT_TIMEOUT_S}s"
    must_succeed(kubectl(cluster, "rollout", "status", f"deployment/{name}", limit))
    service: dict[str, Any] = get(cluster, "service", name)
    for target in node_port_urls(cluster, service):
        wait_until_answers(cluster, target)
    return service


def node_port_urls(cluster: LocalCluster, service: dict[str, Any]) -> list[str]:
    """The URLs of a Service's only node port, at each address of each node."""
    port = int(service["spec"]["ports"][0]["nodePort"])
    return [url(str(address), port) for node in cluster.info.nodes for address in node.addresses]


def wait_until_answers(cluster: LocalCluster, target: str) -> None:
    """Wait until the client outside gets an answer from a URL."""
    answer = ask(cluster, "client", "until", target, str(DATA_PATH_TIMEOUT_S))
    assert answer.get("status") == 200, f"{target} did not answer within {DATA_PATH_TIMEOUT_S} s: {answer}"
