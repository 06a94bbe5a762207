"""What benchmarks read: audit logs, pods, processes, Locust's numbers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import plain_locust
from benchmarks.azure import balancers, ratio
from benchmarks.footprint import XDIST, Asked, Census, Memory, asked_by, audit_events, requested_bytes
from benchmarks.load import overheads, running
from benchmarks.upstream import E2E, Row, Theirs, rows
from benchmarks.upstream_faults import BY_NAME, claimed
from fixtures.clusters.local.upstreams import upstream
from fixtures.errors import SuiteError

US, MIB = "system:serviceaccount:ns:runner", 1 << 20


def event(number: int, second: float, user: str = US, **more: object) -> dict[str, Any]:
    """An event of an audit log, `second` seconds after the epoch."""
    about = {"resource": "pods", "namespace": "svc-a", "apiVersion": "v1"}
    at = f"1970-01-01T00:00:{second:09.6f}Z"
    return {
        "auditID": f"id-{number}",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/svc-a/pods?limit=1",
        "verb": "list",
        "user": {"username": user},
        "objectRef": about,
        "requestReceivedTimestamp": at,
        **more,
    }


def test_requests_of_one_user_are_counted_once_each_since_the_beginning() -> None:
    events = [
        event(1, 1),
        event(2, 3),
        event(3, 4, stage="ResponseStarted", verb="watch"),
        event(3, 4, verb="watch"),
        event(4, 5, user="somebody"),
        event(5, 7, objectRef=None, verb="get", requestURI="/version?timeout=1"),
        event(6, 8, objectRef={"resource": "pods", "subresource": "proxy"}, verb="create"),
        event(7, 13),
    ]
    found = asked_by(events, US, since=2.0)
    assert (found.count, found.lasted_s, found.per_s) == (5, 10.0, 0.5)
    assert found.most == (("list pods", 2), ("watch pods", 1), ("get /version", 1))


@pytest.mark.parametrize("events", [[], [event(1, 3)]])
def test_too_few_requests_give_no_rate(events: list[dict[str, Any]]) -> None:
    with pytest.raises(SuiteError, match=r"^audit log: \d requests of .* within 0 s; a rate needs more$"):
        _ = asked_by(events, US, since=0.0).per_s


def test_a_line_that_is_being_written_is_left_out_and_another_broken_one_is_an_error(tmp_path: Path) -> None:
    old, new = tmp_path / "audit-2026.log", tmp_path / "audit.log"
    old.write_text(json.dumps(event(1, 1)) + "\n", "utf-8")
    new.write_text(json.dumps(event(2, 2)) + '\n{"kind": "Ev', "utf-8")
    assert [one["auditID"] for one in audit_events([old, new])] == ["id-1", "id-2"]
    new.write_text("<html>\n" + json.dumps(event(2, 2)) + "\n", "utf-8")
    with pytest.raises(SuiteError, match=r"^audit log: line 1 of audit\.log is not JSON: '<html>'$"):
        list(audit_events([old, new]))


def container(memory: str | None) -> dict[str, Any]:
    """A container that requests memory, or says nothing of it."""
    return {"name": "c", **({"resources": {"requests": {"cpu": "20m", "memory": memory}}} if memory else {})}


@pytest.mark.parametrize(
    ("spec", "bytes_"),
    [
        ({"containers": [container("32Mi"), container(None), container("64Mi")]}, 96 * MIB),
        ({"containers": [container("32Mi")], "initContainers": [container("1Gi"), container("1Mi")]}, 1024 * MIB),
        ({"containers": [container("32Mi")], "initContainers": [container("16Mi")]}, 32 * MIB),
        ({"containers": [container("33554432")], "overhead": {"memory": "8Mi"}}, 40 * MIB),
        ({"containers": [container(None)]}, 0),
    ],
)
def test_a_pod_requests_what_the_scheduler_counts(spec: dict[str, Any], bytes_: int) -> None:
    assert requested_bytes({"spec": spec}) == bytes_


def pod(uid: str, namespace: str = "svc-web-1", phase: str = "Running") -> dict[str, Any]:
    """A pod that requests 32 MiB."""
    metadata = {"uid": uid, "namespace": namespace, "name": f"node-vantages-4{uid}"}
    return {"metadata": metadata, "spec": {"containers": [container("32Mi")]}, "status": {"phase": phase}}


def test_the_most_pods_at_once_are_those_of_the_suite_that_were_there_together() -> None:
    census = Census()
    changes = [
        ("LIST", {}),
        ("ADDED", pod("a")),
        ("ADDED", pod("dns", namespace="kube-system")),
        ("LISTED", {}),
        ("ADDED", pod("b", phase="Pending")),
        ("MODIFIED", pod("b")),
        ("DELETED", pod("a")),
        ("ADDED", pod("c")),
        ("MODIFIED", pod("c", phase="Succeeded")),
        ("ADDED", pod("d")),
    ]
    for change in changes:
        census.feed(*change)
    assert (census.most_pods, census.most_bytes) == (2, 64 * MIB)
    for change in [("LIST", {}), ("ADDED", pod("e")), ("LISTED", {}), ("ADDED", pod("f")), ("ADDED", pod("g"))]:
        census.feed(*change)
    assert (census.most_pods, census.most_bytes) == (3, 96 * MIB)
    assert census.kinds == {"web node-vantages": 3}


def test_the_memory_of_xdists_processes_is_read_and_of_no_others() -> None:
    code = "import subprocess, sys\nc = [sys.executable, '-u', '-c']\np = subprocess.PIPE\n"
    code += (
        f"a = subprocess.Popen([*c, 'import sys;{XDIST}'], stdin=p)\nb = subprocess.Popen([*c, 'input()'], stdin=p)\n"
    )
    code += "print(a.pid, flush=True)\ninput()\na.kill()\nb.kill()\na.wait()\nb.wait()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        worker, memory = int(process.stdout.readline()), Memory()
        while not memory.rss:  # until it has become another program
            memory.sample(process.pid)
        process.communicate("\n")
    assert list(memory.rss) == list(memory.pss) == [worker]
    assert 0 < memory.pss[worker] <= memory.rss[worker]


def entry(seconds: dict[str, int], failures: int = 0) -> dict[str, Any]:
    """An entry of Locust's --json-file."""
    return {"num_requests": sum(seconds.values()), "num_failures": failures, "num_reqs_per_sec": seconds}


def test_locusts_rate_is_of_whole_seconds_over_all_entries() -> None:
    entries = [entry({"10": 3, "11": 100, "13": 100, "14": 1}), entry({"11": 50, "12": 50})]
    assert plain_locust.per_s(entries) == 100.0


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([], "100% of its requests failed"),
        ([entry({"10": 50, "11": 50})], "less than a whole second"),
        ([entry({"10": 50, "11": 50, "12": 50}, failures=3)], "2% of its requests failed; allowed is 1%"),
    ],
)
def test_a_run_of_locust_that_says_nothing_is_an_error(entries: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(SuiteError, match=message):
        plain_locust.per_s(entries)


def test_locusts_page_is_read() -> None:
    assert plain_locust.of_page({"current_rps": 2500.5, "fail_ratio": 0.0}) == 2500.5
    with pytest.raises(SuiteError, match="5% of its requests failed"):
        plain_locust.of_page({"current_rps": 2500.5, "fail_ratio": 0.05})
    with pytest.raises(SuiteError, match="/stats/requests is not as expected"):
        plain_locust.of_page({"state": "ready"})
    assert running({"state": "running", "user_count": 30}, 30)
    assert not running({"state": "spawning", "user_count": 30}, 30)


def test_the_plain_locustfile_is_python_with_its_targets_beside_it() -> None:
    found = plain_locust.files(["http://192.0.2.1/", "http://192.0.2.2/"])
    compile(found["locustfile.py"], "locustfile.py", "exec")
    assert found["targets"].split() == ["http://192.0.2.1/", "http://192.0.2.2/"]
    assert '"targets"' in found["locustfile.py"]


def test_what_is_in_between_is_compared_with_both_sides() -> None:
    assert ratio(100, 90, 140) == 0.75
    assert overheads([100, 140, 100], [90, 126]) == pytest.approx([25, -5])
    with pytest.raises(SuiteError, match="no request was answered"):
        ratio(0, 5, 0)


def test_services_of_the_benchmark_have_its_label() -> None:
    assert balancers(2, first=3).count("bench: azure") == 2
    assert "name: lb-3" in balancers(2, first=3)


def test_asked_is_a_rate() -> None:
    assert Asked(100, 50.0, ()).per_s == 2.0


def test_upstreams_tests_are_those_that_promises_are_the_same_as(tmp_path: Path) -> None:
    table = tmp_path / "coverage.tsv"
    lines = [
        ("file", "conformance", "context", "test", "answer"),
        ("service.go", "yes", "Services", "should serve", "cluster_ip.one node_port.two"),
        ("service.go", "no", "Services", "should not be run", "cluster_ip.one"),
        ("service.go", "yes", "Services", "should come", "planned: soon"),
        ("dns.go", "yes", "DNS", "should resolve", "dns.one"),
    ]
    table.write_text("\n".join("\t".join(line) for line in lines), "utf-8")
    assert rows(table) == [("Services", "should serve", ("cluster_ip.one", "node_port.two"))]
    assert {row.test for row in rows()} > {"should serve a basic endpoint from pods"}


def test_upstreams_tests_are_of_the_built_in_clusters_version() -> None:
    assert E2E.version == upstream("kubernetes").version


def test_a_fault_is_claimed_by_tests_of_what_it_breaks() -> None:
    fault = BY_NAME["refusals_dropped"]
    known = [Row("Services", "one", ("dns.a", fault.breaks[0])), Row("Services", "two", ("dns.a",))]
    assert claimed(fault, known) == [Row("Services", "one", (fault.breaks[0],))]


def test_what_came_of_a_test_of_upstreams_is_found_by_the_beginning_of_its_name() -> None:
    theirs = Theirs(1.0, {"should serve [LinuxOnly]": "failed", "should resolve": "passed"}, ["BeforeSuite"])
    found = [theirs.of(Row("Services", name, ())) for name in ("should serve", "should resolve", "should be")]
    assert found == ["failed", "passed", "not run"]
    assert theirs.failed == ["BeforeSuite", "should serve [LinuxOnly]"]
