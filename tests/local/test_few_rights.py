"""The suite under the roles of manifests/rbac/ and no others, on a cluster whose audit log says what it asked for."""

from __future__ import annotations

import threading
import time

import pytest

from fixtures.clusters.rights import CLEARING, FACTORY, READER, WORKLOADS, Right, rights_of
from tests.local.few_rights import ASKED_BY_ALL, Runner
from tests.local.helpers import get, kubectl, must_succeed

READS = frozenset({"get", "list", "watch"})
FORBIDDEN = 403
IN_FORCE_WITHIN_S = 30.0
TRIED = {
    Right("list", "", "services"),
    Right("list", "discovery.k8s.io", "endpointslices"),
    Right("create", "", "services/proxy"),
    Right("create", "networking.k8s.io", "ingressclasses"),
}
"""What is asked for without a right to it: Services of all namespaces, EndpointSlices of `default`, other verbs than
GET by way of the API server, classes of Ingresses. What it is asked for is not observable then."""
GIVEN = "given-to-the-suite"


def unnamed(*roles: str) -> set[Right]:
    """The rights of roles, of whichever object."""
    return {right._replace(name="") for role in roles for right in rights_of(role)}


def test_a_profile_asks_for_what_its_roles_give_and_writes_in_its_own_namespaces(
    runner: Runner, request: pytest.FixtureRequest
) -> None:
    runner.apply("factory.yaml")
    profile = request.config.getoption("rights_profile")
    done = runner.run(f"--profile={profile}", f"--report-dir={runner.folder / 'report'}")
    assert done.returncode == 0, done.stdout[-3000:]
    asked = [one for one in runner.asked() if one.right.resource not in ASKED_BY_ALL]
    assert {one.right for one in asked if one.status == FORBIDDEN} <= TRIED
    granted = [one for one in asked if one.status != FORBIDDEN]
    assert {one.right for one in granted} <= unnamed(READER, WORKLOADS, FACTORY)
    written = [one for one in granted if one.right.verb not in READS and one.right.resource != "namespaces"]
    assert {one.namespace.partition("-")[0] for one in written} == {"svc"}
    left = must_succeed(kubectl(runner.cluster, "get", "namespaces", "--selector=k8s-service-conformance/run-id"))
    assert left == ""


def test_in_a_given_namespace_nothing_is_written_anywhere_else_and_nothing_stays(runner: Runner) -> None:
    must_succeed(kubectl(runner.cluster, "create", "namespace", GIVEN))
    runner.apply("namespace.yaml", f"--namespace={GIVEN}")
    before = len(runner.asked())
    done = runner.run(f"--namespace={GIVEN}", "--profile=smoke", f"--report-dir={runner.folder / 'report'}")
    assert done.returncode == 0, done.stdout[-3000:]
    asked = [one for one in runner.asked()[before:] if one.right.resource not in ASKED_BY_ALL]
    assert [one for one in asked if one.status == FORBIDDEN] == []
    assert {one.right for one in asked} <= unnamed(READER, WORKLOADS, CLEARING)
    assert {one.namespace for one in asked if one.right.verb not in READS} == {GIVEN}
    found = get(runner.cluster, "all,configmaps", f"--namespace={GIVEN}")["items"]
    assert [item["metadata"]["name"] for item in found] == ["kube-root-ca.crt"]
    must_succeed(kubectl(runner.cluster, "delete", "namespace", GIVEN))


def test_a_right_that_is_missing_ends_a_run_before_anything_is_made(runner: Runner) -> None:
    done = runner.run("--profile=smoke", f"--report-dir={runner.folder / 'report'}")
    lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
    assert done.returncode == 4, done.stdout[-3000:]
    assert lines[0].startswith("ERROR: Kubernetes: the right to list namespaces in the cluster is missing; ")
    assert any("the right to create pods in every namespace is missing" in line for line in lines)
    assert not (runner.folder / "report").exists()


def test_the_factory_reaches_no_namespace_of_somebody_else(runner: Runner) -> None:
    runner.apply("factory.yaml")
    file = f"--kubeconfig={runner.kubeconfig()}"
    context, server = "--context=few", f"--server={_loopback(runner)}"
    between, end = threading.Event(), time.monotonic() + IN_FORCE_WITHIN_S
    said = ""
    # The API server says nowhere when a policy has come into force: it is asked on trial until it refuses.
    while "namespaces that begin with svc-" not in said:
        assert time.monotonic() < end, f"the policy is not in force after {IN_FORCE_WITHIN_S:.0f} s: {said}"
        between.wait(0.2)
        theirs = kubectl(runner.cluster, "create", "namespace", "theirs", "--dry-run=server", file, context, server)
        said = theirs.stdout + theirs.stderr
    made = kubectl(runner.cluster, "create", "namespace", "svc-ours", "--dry-run=server", file, context, server)
    assert made.returncode == 0, made.stderr


def _loopback(runner: Runner) -> str:
    """The API server's address on this machine."""
    return must_succeed(kubectl(runner.cluster, "config", "view", "--output=jsonpath={.clusters[0].cluster.server}"))
