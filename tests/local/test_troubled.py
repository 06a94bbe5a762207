"""Runs whose API server or pods are in trouble: what is seen then says nothing of the Services, and is no failure."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import yaml

from fixtures.api import NODES, PODS, Api
from fixtures.clusters.local.disruptor import LocalDisruptor
from fixtures.clusters.local.processes import in_network_namespace
from fixtures.errors import UsageError
from fixtures.faults.load import held_back
from fixtures.verdicts import Verdict
from reports.record import CaseFinished, read
from tests.local.few_rights import RUN_TIMEOUT_S, USER, Runner
from tests.local.helpers import kubectl, must_succeed

SEEN_WITHIN_S = 90.0
RESET_EVERY_S = "2"
QUICK = (
    "cluster_ip.is_the_default_type",
    "cluster_ip.port_80_leads_to_three_pods_on_port_80",
    "endpoints.slices_say_where_a_pod_is",
    "node_port.port_31000_of_every_node_leads_to_three_pods",
)
# It takes connections and says nothing.
SILENT = "import socket; it = socket.create_server(('127.0.0.1', 0)); print(it.getsockname()[1], flush=True); input()"


def busy(silent: int) -> str:
    """What makes the API server busy for the suite alone: it serves one of its requests at a time, and objects are made
    slowly; all others are answered 429 with Retry-After (kubernetes.io, API Priority and Fairness).

    Args:
        silent: a port of the API server's loopback where nobody answers.
    """
    account = {"name": "runner", "namespace": "service-conformance"}
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": True}
    subjects = [{"kind": "ServiceAccount", "serviceAccount": account}]
    created = {"operations": ["CREATE"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}
    webhook = {
        "name": "slow.conformance.example",
        "clientConfig": {"url": f"https://127.0.0.1:{silent}/"},
        "rules": [created],
        "matchConditions": [{"name": "ours", "expression": f'request.userInfo.username == "{USER}"'}],
        "failurePolicy": "Ignore",
        "timeoutSeconds": 3,
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    share = {"nominalConcurrencyShares": 0, "borrowingLimitPercent": 0, "limitResponse": {"type": "Reject"}}
    level = {"type": "Limited", "limited": share}
    schema = {
        "priorityLevelConfiguration": {"name": "seeded-busy"},
        "matchingPrecedence": 2,
        "rules": [{"subjects": subjects, "resourceRules": [everything]}],
    }
    flow = "flowcontrol.apiserver.k8s.io/v1"
    objects: list[tuple[str, str, dict[str, object]]] = [
        (flow, "PriorityLevelConfiguration", {"spec": level}),
        (flow, "FlowSchema", {"spec": schema}),
        ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", {"webhooks": [webhook]}),
    ]
    return yaml.safe_dump_all(
        {"apiVersion": version, "kind": kind, "metadata": {"name": "seeded-busy"}, **body}
        for version, kind, body in objects
    )


def wait_for(what: str, holds: Callable[[], object]) -> None:
    """Ask on trial until something holds."""
    end = time.monotonic() + SEEN_WITHIN_S
    while not holds():
        assert time.monotonic() < end, f"not within {SEEN_WITHIN_S:.0f} s: {what}"
        threading.Event().wait(0.1)


def cases(report: Path) -> list[CaseFinished]:
    """Those that came to their end until now."""
    try:
        return [event for event in read(report) if isinstance(event, CaseFinished)]
    except UsageError:
        return []


def said(found: list[CaseFinished]) -> list[str]:
    """What is not `pass`, a line each."""
    return [f"{case.case}: {case.verdict}: {case.first_line}" for case in found if case.verdict is not Verdict.PASS]


@contextmanager
def running(runner: Runner, *arguments: str) -> Iterator[Path]:
    """A run of quick promises; gives its report folder, and at the end waits until it has ended, in whatever way."""
    runner.apply("factory.yaml")
    report = runner.folder / "report"
    wanted = [argument for promise in QUICK for argument in ("--requirement", promise)]
    with runner.begin(*wanted, f"--report-dir={report}", *arguments) as process:
        try:
            yield report
            process.wait(RUN_TIMEOUT_S)
        finally:
            process.terminate()
    assert process.returncode in (0, 1), (runner.folder / "out").read_text()[-3000:]
    left = must_succeed(kubectl(runner.cluster, "get", "namespaces", "--selector=k8s-service-conformance/run-id"))
    assert left == ""


def test_a_busy_api_server_is_waited_for(runner: Runner) -> None:
    def turned_away() -> int:
        return sum(one.status == 429 for one in runner.asked())

    before = turned_away()
    silent = in_network_namespace(runner.cluster.host("control-plane").namespace, [sys.executable, "-I", "-c", SILENT])
    with subprocess.Popen(silent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        manifest = busy(int(process.stdout.readline()))
        try:
            # Two processes, so that one asks while the other makes something.
            with running(runner, "-n2") as report:
                wait_for("the run begins", report.exists)
                must_succeed(kubectl(runner.cluster, "apply", "--filename=-", text=manifest))
                wait_for("requests are turned away", lambda: turned_away() >= before + 3)
                must_succeed(kubectl(runner.cluster, "delete", "--filename=-", text=manifest))
        finally:
            kubectl(runner.cluster, "delete", "--ignore-not-found", "--filename=-", text=manifest)
            process.terminate()
    assert said(cases(report)) == []
    assert {case.verdict for case in cases(report)} == {Verdict.PASS}


def test_connections_that_are_reset_make_no_failures(runner: Runner) -> None:
    address = runner.cluster.plan.control_plane()[0].ip
    relay = [
        sys.executable,
        "-I",
        str(Path(__file__).with_name("resetting_relay.py")),
        str(address),
        "6443",
        RESET_EVERY_S,
    ]
    command = in_network_namespace(runner.cluster.host("client").namespace, relay)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        by = {"server": f"https://127.0.0.1:{int(process.stdout.readline())}", "tls-server-name": "kubernetes"}
        try:
            with running(replace(runner, by=by)) as report:
                wait_for("a case has ended", lambda: cases(report))
                print("now", file=process.stdin, flush=True)
        finally:
            process.terminate()
    found = cases(report)
    assert {case.verdict for case in found} <= {Verdict.PASS, Verdict.ERROR}, said(found)
    assert all("API server: " in case.first_line for case in found if case.verdict is Verdict.ERROR), said(found)


def test_an_api_server_that_is_away_for_a_moment_makes_no_failures(runner: Runner) -> None:
    with running(runner) as report:
        wait_for("a case has ended", lambda: cases(report))
        with LocalDisruptor(runner.cluster).api_server_outage():
            pass
    found = cases(report)
    assert {case.verdict for case in found} <= {Verdict.PASS, Verdict.ERROR}, said(found)


def test_pods_that_somebody_else_takes_make_errors_that_name_them(runner: Runner) -> None:
    api = Api(runner.cluster.kubeconfig)
    with running(runner) as report:
        # The first does without pods.
        wait_for("three cases have ended", lambda: len(cases(report)) >= 3)
        pods = [item["metadata"] for item in api.list_all(PODS, selector="app=web")["items"]]
        taken = next(pod for pod in pods if pod["ownerReferences"][0]["kind"] == "ReplicaSet")
        api.delete(PODS, taken["name"], taken["namespace"])
    found = cases(report)
    assert Verdict.FAIL not in {case.verdict for case in found}, said(found)
    named = f"pod {taken['namespace']}/{taken['name']}"
    assert [case for case in found if case.verdict is Verdict.ERROR and named in case.first_line], said(found)


def test_nodes_that_are_slow_or_come_and_go_change_nothing(runner: Runner) -> None:
    api, name = Api(runner.cluster.kubeconfig), "pool-grows-00000"
    taint = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {"taints": [taint]}}
    slow = runner.cluster.info.nodes[1].name
    try:
        # The programs of the slow one have a twentieth of the time: pods come late, and so does what kube-proxy learns.
        with held_back(list(runner.cluster.processes()[slow].values())), running(runner) as report:
            wait_for("the run begins", report.exists)
            # As an autoscaler's: it is in the API before it is Ready, and this one never is.
            api.create(NODES, node)
            wait_for("two cases have ended", lambda: len(cases(report)) >= 2)
            api.delete(NODES, name)
    finally:
        api.delete(NODES, name)
    assert said(cases(report)) == []
    assert {case.verdict for case in cases(report)} == {Verdict.PASS}
