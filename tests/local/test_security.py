"""Who may do what: certificates, Node and RBAC authorizers, the kubelets' own doors, PodSecurity."""

from __future__ import annotations

import json
import subprocess

import pytest

from fixtures.clusters.local.cluster import LocalCluster
from tests.local.helpers import NODE_1, NODE_2, ask, get, kubectl, must_succeed

PRIVILEGED_POD = json.dumps(
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "privileged"},
        "spec": {"containers": [{"name": "c", "image": "x", "securityContext": {"privileged": True}}]},
    }
)


def as_user(cluster: LocalCluster, user: str, *argv: str) -> subprocess.CompletedProcess[str]:
    """kubectl with the kubeconfig that one of the cluster's components has."""
    kubeconfig = cluster.folder / "kubeconfig" / f"{user}.yaml"
    return kubectl(cluster, *argv, f"--kubeconfig={kubeconfig}", f"--server={cluster.url}")


def must_be_forbidden(done: subprocess.CompletedProcess[str], reason: str) -> None:
    """The API server has to have refused, for this reason."""
    assert done.returncode != 0, done.stdout
    assert "(Forbidden)" in done.stderr or "is forbidden" in done.stderr, done.stderr
    assert reason in done.stderr


def a_dns_pod(cluster: LocalCluster) -> tuple[str, str]:
    """The name of a CoreDNS pod and of its node."""
    pods = get(cluster, "pods", "--namespace=kube-system", "--selector=k8s-app=kube-dns")["items"]
    return next((pod["metadata"]["name"], pod["spec"]["nodeName"]) for pod in pods if "nodeName" in pod["spec"])


def test_a_node_reads_what_it_needs(cluster: LocalCluster) -> None:
    assert must_succeed(as_user(cluster, NODE_1, "get", "node", NODE_1, "--output=name")) == f"node/{NODE_1}\n"


def test_a_node_does_not_list_secrets(cluster: LocalCluster) -> None:
    refused = as_user(cluster, NODE_1, "get", "secrets", "--namespace=kube-system")
    must_be_forbidden(refused, f'User "system:node:{NODE_1}" cannot list resource "secrets"')


def test_a_node_does_not_read_a_secret_of_no_pod_of_its_own(cluster: LocalCluster) -> None:
    must_succeed(kubectl(cluster, "create", "secret", "generic", "not-for-nodes", "--from-literal=a=b"))
    refused = as_user(cluster, NODE_1, "get", "secret", "not-for-nodes")
    must_be_forbidden(refused, f"no relationship found between node '{NODE_1}' and this object")


def test_a_node_does_not_change_another_node(cluster: LocalCluster) -> None:
    refused = as_user(cluster, NODE_1, "annotate", "node", NODE_2, "a=b")
    must_be_forbidden(refused, NODE_2)


def test_a_node_does_not_delete_pods_of_another_node(cluster: LocalCluster) -> None:
    pod, its_node = a_dns_pod(cluster)
    other = next(name for name in cluster.node_names if name != its_node)
    refused = as_user(cluster, other, "delete", "pod", pod, "--namespace=kube-system", "--wait=false")
    must_be_forbidden(refused, "can only delete pods with spec.nodeName set to itself")


def test_the_proxy_reads_services_and_nothing_secret(cluster: LocalCluster) -> None:
    assert "service/kubernetes" in must_succeed(as_user(cluster, "proxy", "get", "services", "--output=name"))
    must_be_forbidden(as_user(cluster, "proxy", "get", "secrets"), "system:kube-proxy")


def test_who_has_no_certificate_is_nobody(cluster: LocalCluster) -> None:
    pki = cluster.folder / "pki"
    answer = ask(cluster, "control-plane", "http", f"{cluster.control_plane.url}/api/v1/pods", str(pki / "ca.crt"))
    assert answer["status"] == 403
    assert "system:anonymous" in answer["body"]


@pytest.mark.parametrize(
    ("credentials", "status"), [(None, 401), ("proxy", 403), ("apiserver-kubelet-client", 200)], ids=str
)
def test_a_kubelet_lets_in_who_may(cluster: LocalCluster, credentials: str | None, status: int) -> None:
    pki = cluster.folder / "pki"
    tls = [str(pki / f"{credentials}.{ending}") for ending in ("crt", "key")] if credentials else []
    kubelet = f"https://{cluster.info.nodes[0].addresses[0]}:10250/pods"
    answer = ask(cluster, "control-plane", "http", kubelet, str(pki / "ca.crt"), *tls)
    assert answer.get("status") == status, answer


def test_the_api_server_reads_logs_of_pods(cluster: LocalCluster) -> None:
    log = must_succeed(kubectl(cluster, "logs", "--namespace=kube-system", "deployment/coredns"))
    assert "CoreDNS-" in log


def test_pod_security_refuses_a_privileged_pod_where_it_is_asked_to(cluster: LocalCluster) -> None:
    must_succeed(kubectl(cluster, "create", "namespace", "guarded"))
    must_succeed(kubectl(cluster, "label", "namespace", "guarded", "pod-security.kubernetes.io/enforce=restricted"))
    create = ("create", "--filename=-", "--dry-run=server", "--namespace")
    must_be_forbidden(kubectl(cluster, *create, "guarded", text=PRIVILEGED_POD), 'violates PodSecurity "restricted')
    must_succeed(kubectl(cluster, *create, "kube-public", text=PRIVILEGED_POD))
