"""The cluster of a kubeconfig: all of it is found out before anything is made; bad input is one clear line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures.clusters import Disruption, IPFamily, Toleration, reading
from fixtures.clusters.flags import check_processes
from fixtures.clusters.images import listing
from fixtures.clusters.kubeconfig.cluster import KubeconfigCluster
from fixtures.clusters.registry import open_cluster
from fixtures.clusters.rights import WORKLOADS, rights_of
from fixtures.errors import SuiteError, UsageError
from fixtures.workloads.namespaces import given_to
from fixtures.workloads.prepared import prepared
from tests.unit.kube_api import KubeApi, kube_api, node

Config = dict[str, Any]


@dataclass
class Target:
    """A kubeconfig, the API that it leads to, and what was said."""

    api: KubeApi
    file: Path
    said: list[str] = field(default_factory=list)

    def open(self, **flags: str) -> KubeconfigCluster:
        """Open it, with flags (`target_kubeconfig` for --target-kubeconfig)."""
        given = {f"--{name.replace('_', '-')}": value for name, value in flags.items()}
        given.setdefault("--target-kubeconfig", str(self.file))
        found = open_cluster("kubeconfig", name=None, keep=False, progress=self.said.append, flags=given)
        assert isinstance(found, KubeconfigCluster)
        return found

    def must_refuse(self, **flags: str) -> list[str]:
        """Opening fails with lines, which are returned; nothing was made, no credentials stay behind or are shown."""
        with pytest.raises(UsageError) as refused:
            self.open(**flags)
        assert "planted" not in str(refused.value)
        assert self.api.made == []
        assert list(self.file.parent.glob("k8s-service-conformance-kubeconfig-*")) == []
        return str(refused.value).splitlines()

    def change(self, edit: Callable[[Config], object]) -> None:
        """Change the kubeconfig."""
        config = yaml.safe_load(self.api.kubeconfig())
        edit(config)
        self.file.write_text(yaml.safe_dump(config), "utf-8")


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    """A cluster of three nodes behind a kubeconfig with the context `demo`."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("fixtures.clusters.kubeconfig.standpoint.reaches", lambda _: True)
    monkeypatch.setattr("fixtures.clusters.kubeconfig.standpoint._is_ours", lambda *_: False)
    with kube_api() as api:
        file = tmp_path / "config"
        file.write_text(api.kubeconfig(), "utf-8")
        yield Target(api, file)


def row(target: Target, name: str) -> str:
    """A row of the table."""
    (line,) = (line for line in target.said if line.strip().startswith(f"{name}  "))
    return line.strip().removeprefix(name).strip()


def test_everything_is_found_out_and_nothing_is_made(target: Target) -> None:
    before = target.file.read_bytes()
    cluster = target.open()
    info = cluster.info
    assert (info.kind, info.name, info.kubernetes_version) == ("kubeconfig", "demo", "v1.36.3")
    assert [node.name for node in info.nodes] == ["node-1", "node-2", "node-3"]
    assert info.families == (IPFamily.IPV4, IPFamily.IPV6)
    assert [str(r) for r in info.service_ranges] == ["10.0.0.0/16", "fd00:10::/112"]
    assert info.node_port_range == (30100, 32000)
    assert (info.outside, info.public_node_ports, info.pods.host_network) == ((), True, True)
    assert (info.load_balancer, info.workload_role, info.disruptions) == (None, None, frozenset())
    assert info.without_load_balancers.startswith("the cluster demo offers no load balancers: nobody is known")
    assert row(target, "node ports") == "30100 to 32000"
    assert row(target, "pods") == "taken, by a dry run in the namespace default"
    assert target.api.made == []
    assert target.file.read_bytes() == before
    cluster.close()
    cluster.close()
    assert not info.kubeconfig.exists()


def classed(name: str, controller: str = "a.test/controller", *, default: str = "") -> Config:
    """An IngressClass; `default` is what its annotation says."""
    annotations = {"annotations": {"ingressclass.kubernetes.io/is-default-class": default}} if default else {}
    return {"metadata": {"name": name, **annotations}, "spec": {"controller": controller}}


@pytest.mark.parametrize(
    ("classes", "stated", "found", "how"),
    [
        ([classed("a")], {}, "a", "a (the only class, of a.test/controller)"),
        ([classed("a"), classed("b", default="true")], {}, "b", "b (the default class, of a.test/controller)"),
        ([classed("a"), classed("b")], {"ingress_class": "b"}, "b", "b (--ingress-class)"),
        ([classed("a"), classed("b")], {}, None, "unsupported (of the classes a, b none is the default; "),
        ([classed("a")], {"ingress_class": "none"}, None, "unsupported (--ingress-class none)"),
        ([classed("t", "conformance.example/nobody")], {}, None, "unsupported (there is no IngressClass)"),
        (None, {}, None, "unsupported (IngressClasses cannot be listed (404 NotFound"),
    ],
)
def test_the_class_of_ingresses_is_found_out_or_stated(
    target: Target, classes: list[Config] | None, stated: dict[str, str], found: str | None, how: str
) -> None:
    if classes is not None:
        target.api.objects["/apis/networking.k8s.io/v1/ingressclasses"] = {"items": classes}
    cluster = target.open(**stated)
    assert cluster.info.ingress_class == found
    assert row(target, "Ingress").startswith(how)
    assert bool(cluster.info.without_ingress) == (found is None)
    cluster.close()


BAD_FLAGS = [
    ({"image": "python"}, "--image: found 'python'; allowed is NAME=IMAGE"),
    ({"image": "agnhost=a/b"}, "--image: found 'agnhost', which no pod of the suite runs; allowed is python"),
    ({"image": "pyton=a/b"}, "--image: found 'pyton', which no pod of the suite runs; did you mean python?"),
    ({"image": "python=UPPER CASE"}, "--image: found 'python=UPPER CASE'; allowed is an image reference"),
    ({"image": "python=a,python=b"}, "--image: found python twice"),
    ({"image_pull_secret": "/nowhere"}, "--image-pull-secret: /nowhere: No such file or directory; allowed is a file"),
    ({"image_pull_secret": "/dev/null"}, "--image-pull-secret: /dev/null is not JSON"),
    ({"toleration": "key"}, "--toleration: found 'key'; allowed is KEY:EFFECT or KEY=VALUE:EFFECT"),
    ({"toleration": "key:PreferNoSchedule"}, "--toleration: found 'key:PreferNoSchedule'"),
    ({"priority_class": "High!"}, "--priority-class: found 'High!'; allowed is the name of a PriorityClass"),
    ({"namespace": "Mine"}, "--namespace: found 'Mine'; allowed is the name of a namespace"),
    ({"namespace": "a,a"}, "--namespace: found a twice"),
    (
        {"ingress_class": "My class"},
        "--ingress-class: found 'My class'; allowed is the name of an IngressClass, or none",
    ),
    ({"load_balancer": ""}, "--load-balancer: found ''; allowed is who makes them"),
    ({"allow_disruption": "node_failure"}, "--allow-disruption: found 'node_failure'; allowed is node_drain"),
    ({"context": "dmo"}, "--context: found 'dmo', which "),
    ({"target_kubeconfig": "/nowhere/config"}, "--target-kubeconfig: /nowhere/config: No such file or directory"),
    ({"target_kubeconfig": "/dev/null"}, "--target-kubeconfig: /dev/null: no kubeconfig"),
]


@pytest.mark.parametrize(("flags", "said"), BAD_FLAGS)
def test_a_flag_that_cannot_be_right_is_refused_before_anything_is_asked(
    target: Target, flags: dict[str, str], said: str
) -> None:
    (line,) = target.must_refuse(**flags)
    assert line.startswith(said)
    assert target.api.tokens == []


BAD_FILES: list[tuple[Callable[[Config], object], str]] = [
    (lambda c: c.update(kind="Pod"), "no kubeconfig; allowed is a kubeconfig"),
    (lambda c: c.pop("clusters"), "no kubeconfig"),
    (lambda c: c.update(contexts=["planted"]), "contexts: not a list of names, each with a context"),
    (lambda c: c.update({"current-context": "dem"}), "current-context: found 'dem', which "),
    (lambda c: c.pop("current-context"), "--context: missing, and "),
    (lambda c: c.update(users=[]), "context demo: user: found 'me'; allowed is nothing: it has none"),
    (lambda c: c.update(clusters=[]), "context demo: cluster: found 'demo'; allowed is nothing"),
    (lambda c: c["clusters"][0]["cluster"].update(server="demo:6443"), "server: found 'demo:6443'; allowed is https:"),
    (
        lambda c: c["clusters"][0]["cluster"].update({"certificate-authority": "ca.crt"}),
        "context demo: certificate-authority: ",
    ),
    (lambda c: c["users"][0]["user"].update({"client-key": "key"}), "context demo: client-key: "),
    (
        lambda c: c["users"][0].update(user={"exec": {"command": "no-such-plugin"}}),
        "context demo: exec: command: found 'no-such-plugin', which is not on PATH",
    ),
    (
        lambda c: c["clusters"][0]["cluster"].update(server="http://127.0.0.1:1"),
        "context demo: the API server cannot be used: ",
    ),
]


@pytest.mark.parametrize(("edit", "said"), BAD_FILES)
def test_a_kubeconfig_that_is_of_no_use_is_one_line(
    target: Target, edit: Callable[[Config], object], said: str
) -> None:
    target.change(edit)
    (line,) = target.must_refuse()
    assert said in line


def test_a_kubeconfig_that_is_no_text_is_not_shown(target: Target) -> None:
    target.file.write_text("planted: [", "utf-8")
    (line,) = target.must_refuse()
    assert line == f"--target-kubeconfig: {target.file}: not YAML; allowed is a kubeconfig"


def deny(*rights: str) -> Callable[[Target], object]:
    """The API denies these rights."""
    return lambda target: target.api.denied.update(rights)


def refuse(path: str, message: str) -> Callable[[Target], object]:
    """The API refuses what is made at a path."""
    return lambda target: target.api.refusals.update({path: message})


PODS = "/api/v1/namespaces/given/pods"
FILLED = {"metadata": {"resourceVersion": "1"}, "items": [{"metadata": {"name": "theirs"}}]}
QUOTA = {"metadata": {"name": "small"}, "status": {"hard": {"pods": "10"}, "used": {"pods": "4"}}}
LACKING: list[tuple[dict[str, str], Callable[[Target], object], str]] = [
    ({}, deny("list nodes"), "Kubernetes: the right to list nodes in the cluster is missing; manifests/rbac/ has"),
    ({}, deny("create namespaces"), "Kubernetes: the right to create namespaces in the cluster is missing"),
    ({}, deny("create pods", "create rolebindings"), "Kubernetes: the right to create pods in every namespace is"),
    ({}, deny("create pods", "bind clusterroles"), "Kubernetes: the right to bind clusterroles.rbac.authorization.k8s"),
    ({}, deny("create pods"), "Kubernetes: there is no ClusterRole service-conformance-workloads; kubectl apply"),
    ({"allow_disruption": "node_drain"}, deny("patch nodes"), "Kubernetes: the right to patch nodes in the cluster is"),
    (
        {"namespace": "given"},
        deny("deletecollection pods"),
        "Kubernetes: the right to deletecollection pods in the",
    ),
    (
        {},
        refuse("/api/v1/namespaces", "policy says no"),
        "Kubernetes: namespaces of the suite would be refused: p",
    ),
    (
        {"namespace": "given"},
        refuse(PODS, "must specify limits.cpu"),
        "--namespace: given: the suite's pods would be refused: workloads/web.yaml: must specify limits.cpu",
    ),
    (
        {"namespace": "given"},
        lambda target: target.api.objects.update({PODS: FILLED}),
        "--namespace: given has the pod theirs; allowed is one without pods and Services",
    ),
    (
        {"namespace": "given"},
        lambda target: target.api.objects.update({"/api/v1/namespaces/given/resourcequotas": {"items": [QUOTA]}}),
        "--namespace: given: quota small: 6 pods left; a run needs 15",
    ),
    ({}, lambda target: setattr(target.api, "token", "other"), "the API server refuses these credentials: 401"),
    (
        {},
        lambda target: target.api.groups.remove("policy/v1"),
        "Kubernetes v1.36.3 does not have policy/v1; allowed",
    ),
    ({}, lambda target: target.api.nodes.clear(), "the cluster has no node for ordinary pods, of 0"),
]


@pytest.mark.parametrize(("flags", "spoil", "said"), LACKING)
def test_what_is_lacking_is_said_before_anything_is_made(
    target: Target, flags: dict[str, str], spoil: Callable[[Target], object], said: str
) -> None:
    spoil(target)
    (line,) = target.must_refuse(**flags)
    assert said in line


def test_each_missing_right_has_a_line(target: Target) -> None:
    target.api.denied = {"create pods/proxy", "patch services", "create rolebindings", "watch nodes"}
    lines = target.must_refuse()
    assert [line.partition(" the right to ")[2].partition(" is ")[0] for line in lines] == [
        "watch nodes in the cluster",
        "create pods/proxy in every namespace",
        "patch services in every namespace",
    ]


def test_a_role_that_lacks_a_right_is_said(target: Target) -> None:
    rules = [
        {"apiGroups": [r.group], "resources": [r.resource], "verbs": [r.verb]}
        for r in rights_of(WORKLOADS)
        if str(r) != "create services"
    ]
    path = f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{WORKLOADS}"
    target.api.denied = {"create pods"}
    target.api.objects[path] = {"rules": rules}
    (line,) = target.must_refuse()
    assert line.startswith(f"Kubernetes: the ClusterRole {WORKLOADS} does not create services; manifests/rbac/")
    target.api.objects[path] = {"rules": [*rules, {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}
    cluster = target.open()
    assert cluster.info.workload_role == WORKLOADS
    assert row(target, "pods").startswith("not tried: ")
    cluster.close()


def test_what_the_user_says_of_pods_is_in_every_pod(target: Target, tmp_path: Path) -> None:
    secret = tmp_path / "registry.json"
    secret.write_text('{"auths": {"registry.example": {"auth": "planted"}}}', "utf-8")
    target.api.nodes.append(node(4, taints=[{"key": "gpu", "value": "a", "effect": "NoSchedule"}]))
    cluster = target.open(
        image="python=registry.example:5000/py:3",
        image_pull_secret=str(secret),
        priority_class="high",
        toleration="gpu=a:NoSchedule",
        no_host_network="yes",
        namespace="given",
        load_balancer="MetalLB",
        allow_disruption="node_drain",
    )
    info = cluster.info
    assert [node.name for node in info.nodes][-1] == "node-4"
    assert (info.load_balancer, info.disruptions) == ("MetalLB", frozenset({Disruption.NODE_DRAIN}))
    assert (info.python_image, info.pods.host_network) == ("registry.example:5000/py:3", False)
    assert "planted" not in info.model_dump_json()
    web = prepared({"kind": "Deployment", "spec": {"template": {"spec": {}}}}, info, "me")
    assert web["spec"]["template"]["spec"] == {
        "priorityClassName": "high",
        "tolerations": [{"key": "gpu", "effect": "NoSchedule", "operator": "Equal", "value": "a"}],
        "imagePullSecrets": [{"name": "registry-credentials"}],
    }
    assert web["metadata"]["labels"] == {"k8s-service-conformance/run-id": "me"}
    labels = {"app": "web"}
    service = prepared({"kind": "Service", "metadata": {"labels": labels}, "spec": {"selector": labels}}, info, "me")
    assert service["spec"] == {"selector": {"app": "web"}}
    cluster.close()


@pytest.mark.parametrize(
    ("toleration", "taint", "fits"),
    [
        (Toleration(key="a", effect="NoSchedule"), {"key": "a", "value": "x", "effect": "NoSchedule"}, True),
        (Toleration(key="a", effect="NoSchedule", value="y"), {"key": "a", "effect": "NoSchedule"}, False),
        (Toleration(key="a", effect="NoExecute"), {"key": "a", "effect": "NoSchedule"}, False),
    ],
)
def test_a_toleration_is_of_its_taint_alone(toleration: Toleration, taint: dict[str, str], *, fits: bool) -> None:
    assert toleration.tolerates(taint) is fits


def test_each_process_has_a_given_namespace_of_its_own() -> None:
    assert [given_to(worker, ["a", "b"]) for worker in ("", "gw0", "gw1")] == ["a", "a", "b"]
    with pytest.raises(SuiteError, match="--namespace: 2 given, and this is process 3; give one for each"):
        given_to("gw2", ["a", "b"])


def test_fewer_namespaces_than_processes_are_refused() -> None:
    check_processes({"--namespace": "a,b"}, 2)
    check_processes({}, 8)
    with pytest.raises(UsageError, match="--namespace: found 2, and -n 3; allowed is one for each process"):
        check_processes({"--namespace": "a,b"}, 3)


def test_the_images_are_listed() -> None:
    assert listing("kubeconfig", {"--image": "python=a/b:c"}).startswith("python\ta/b:c\tprober and backends")
    assert listing("local", {}) == "--cluster=local makes its images itself and pulls none"


def test_ranges_are_read_where_nothing_may_be_tried(target: Target) -> None:
    target.api.refusals["/api/v1/namespaces/default/services"] = "no"
    cluster = target.open()
    assert cluster.info.node_port_range == (30000, 32767)
    assert [str(r) for r in cluster.info.service_ranges] == target.api.ranges
    assert row(target, "node ports") == "30000 to 32767 (assumed)"
    assert reading.families(cluster.info.service_ranges) == cluster.info.families
    cluster.close()
