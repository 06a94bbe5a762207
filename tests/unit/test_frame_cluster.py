"""Who opens and closes the cluster, and that it is closed whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from fixtures.clusters import ArmAccess
from fixtures.clusters.fake import INFO
from fixtures.errors import SuiteError
from fixtures.requirements import MUST, Requirement, requirement
from fixtures.session import must_be_offered
from fixtures.verdicts import NotObservable, Unsupported, Verdict
from tests.unit.frame import HEAD, Frame

pytest_plugins = ["pytester"]

ARM = ArmAccess(
    endpoint="http://127.0.0.1:8443",
    emulated=True,
    subscription="00000000-0000-0000-0000-000000000001",
    location="eastus",
    cluster_resource_group="group",
    cluster_name="fake-1",
    node_resource_group="MC_group_fake-1_eastus",
)

BLOCKED = (
    HEAD
    + """
from pathlib import Path
from threading import Event

@requirement("dns.blocks", promise="P.", source="seed", level=MUST)
def test_blocks(cluster):
    if Path("ready").exists():
        Path("ready").write_text("blocked")
    Event().wait(60)
"""
)


@pytest.mark.parametrize("arguments", [("-n0",), ("-n2",)])
def test_only_the_controller_opens_and_closes_and_only_once(frame: Frame, arguments: tuple[str, ...]) -> None:
    frame.run_apart("--requirement=cluster_ip.kept", *arguments).assert_outcomes(passed=2)
    assert frame.done() == ["opened name=None keep=False", "closed"]
    assert set(frame.verdicts().values()) == {Verdict.PASS}


def test_cases_in_groups_of_workers_keep_their_ids(frame: Frame) -> None:
    frame.write(
        "conformance/test_all.py",
        HEAD
        + """
        @pytest.mark.xdist_group("alone")
        @requirement("dns.grouped", promise="P.", source="seed", level=MUST)
        def test_grouped():
            pass
        """,
    )
    assert frame.run_apart("-n1", "--dist=loadgroup").ret == pytest.ExitCode.OK
    assert frame.verdicts() == {"test_grouped": Verdict.PASS}


def test_a_worker_that_dies_is_an_error_and_the_cluster_is_closed(frame: Frame) -> None:
    frame.write("conformance/test_all.py", BLOCKED.replace("Event().wait(60)", "import os; os._exit(9)"))
    result = frame.run_apart("-n1", "--max-worker-restart=0")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert frame.verdicts() == {"test_blocks": Verdict.ERROR}
    assert "crashed" in frame.results().bad()[0].first_line
    assert frame.done() == ["opened name=None keep=False", "logs", "closed"]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("number", "arguments"), [(signal.SIGINT, ()), (signal.SIGTERM, ()), (signal.SIGTERM, ("-n1",))]
)
def test_a_signal_closes_the_cluster_and_ends_the_record(
    frame: Frame, number: signal.Signals, arguments: tuple[str, ...]
) -> None:
    frame.write("conformance/test_all.py", BLOCKED)
    ready = frame.path / "ready"
    os.mkfifo(ready)
    command = [sys.executable, "-m", "pytest", "conformance", f"--report-dir={frame.report}", *arguments]
    with subprocess.Popen(command, cwd=frame.path, stdout=subprocess.PIPE, text=True) as run:
        assert ready.read_text() == "blocked"
        run.send_signal(number)
        output, _ = run.communicate(timeout=30)
    assert run.returncode == pytest.ExitCode.INTERRUPTED, output
    assert frame.done() == ["opened name=None keep=False", "logs", "closed"]
    assert frame.results().interrupted
    assert frame.results().unfinished == ("conformance/test_all.py::test_blocks",)
    assert ET.parse(frame.report / "junit.xml").getroot().get("errors") == "1"


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_a_set_up_that_dies_is_reported_and_exits_with_3(frame: Frame, arguments: tuple[str, ...]) -> None:
    frame.cluster('failure=SuiteError("etcd did not start\\nlog: /logs/etcd.log")')
    result = frame.run(*arguments)
    assert result.ret == 3
    result.stdout.fnmatch_lines(["error: the cluster could not be set up: etcd did not start", "log: /logs/etcd.log"])
    assert "Traceback" not in result.stdout.str()
    assert {case.first_line for case in frame.results().bad()} == {"did not finish: etcd did not start"}
    assert ET.parse(frame.report / "junit.xml").getroot().get("errors") == "6"
    assert frame.done() == []


def test_a_set_up_that_is_interrupted_is_in_the_record(frame: Frame) -> None:
    frame.cluster("failure=KeyboardInterrupt()")
    assert frame.run_apart().ret == pytest.ExitCode.INTERRUPTED
    assert frame.results().interrupted
    assert len(frame.results().unfinished) == 6


def test_logs_are_kept_before_the_cluster_is_closed_when_something_failed(frame: Frame) -> None:
    result = frame.run("--requirement=cluster_ip.broken")
    assert frame.done() == ["opened name=None keep=False", "logs", "closed"]
    assert (frame.report / "cluster" / "component.log").is_file()
    result.stdout.fnmatch_lines([f"cluster logs: {frame.report}/cluster"])


def test_a_named_cluster_is_reused_and_a_kept_one_is_shown(frame: Frame) -> None:
    result = frame.run("--requirement=cluster_ip.kept", "--cluster-name=dev", "--keep-cluster")
    assert frame.done() == ["opened name=dev keep=True", "closed"]
    result.stdout.fnmatch_lines(
        ["the cluster fake-1 is still up", "*--kubeconfig fake.kubeconfig*", "*fixtures.clusters.local down --name*"]
    )


@pytest.mark.parametrize("arguments", [("--collect-only",), ("--list-requirements",), ("-k", "no_such_test")])
def test_no_cluster_is_opened_where_no_test_runs(frame: Frame, arguments: tuple[str, ...]) -> None:
    assert frame.run(*arguments).ret in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    assert frame.done() == []
    assert not frame.report.exists()


@pytest.mark.parametrize("arguments", [(), ("-n1",)])
def test_tests_of_the_suite_itself_open_no_cluster(frame: Frame, arguments: tuple[str, ...]) -> None:
    frame.write("tests/test_own.py", "def test_own():\n    pass\n")
    frame.run(*arguments, folder="tests").assert_outcomes(passed=1)
    assert frame.done() == []


def test_a_missing_feature_is_decided_before_the_test_runs(frame: Frame) -> None:
    frame.cluster('info=INFO.model_copy(update={"families": (IPFamily.IPV4,), "outside": None})')
    test = (
        '@requirement("dns.{0}", promise="P.", source="s", level=MUST, features=("{1}",))\ndef test_{0}(): assert 0\n'
    )
    frame.write("conformance/test_all.py", HEAD + test.format("a", "IPv6") + test.format("b", "outside"))
    frame.run()
    assert frame.verdicts() == {"test_a": Verdict.UNSUPPORTED, "test_b": Verdict.NOT_OBSERVABLE}
    reasons = [case.first_line for case in frame.results().cases.values()]
    assert reasons == [
        "the cluster fake-1 does not offer IPv6, only IPv4",
        "there is no vantage outside the cluster fake-1",
    ]


FEATURES = [
    ("load_balancer", {"no_load_balancer_because": "--azure=off"}, Unsupported, "no load balancers: --azure=off"),
    ("ingress", {"no_ingress_because": "--ingress=off"}, Unsupported, "has no Ingress controller: --ingress=off"),
    ("load_balancer", {}, Unsupported, "the cluster fake-1 offers no load balancers"),
    ("load_balancer", {"load_balancer": "Azure"}, None, ""),
    ("arm", {}, NotObservable, "has no Azure resources that can be read"),
    ("arm", {"arm": ARM}, None, ""),
    ("vnet", {}, NotObservable, "no vantage in its virtual network"),
    ("vnet", {"vnet": ()}, None, ""),
    ("node_ports_outside", {"public_node_ports": False}, NotObservable, "its nodes cannot be reached"),
    ("node_ports_outside", {"outside": None}, NotObservable, "no vantage outside the cluster"),
    ("node_ports_outside", {}, None, ""),
    ("outside", {"public_node_ports": False}, None, ""),
    ("node_ports", {"public_node_ports": False}, NotObservable, "its nodes cannot be reached"),
    ("node_ports", {"outside": None}, NotObservable, "no vantage outside the cluster"),
    ("node_ports", {"public_node_ports": False, "vnet": ()}, None, ""),
    ("node_ports", {}, None, ""),
]


@pytest.mark.parametrize(("feature", "info", "verdict", "why"), FEATURES)
def test_what_a_cluster_lacks_is_unsupported_and_what_cannot_be_seen_is_not_observable(
    feature: str, info: dict[str, object], verdict: type[Exception] | None, why: str
) -> None:
    needed = Requirement("load_balancer.a", "P.", "s", MUST, (feature,))
    with pytest.raises(verdict, match=why) if verdict else nullcontext():
        must_be_offered(needed, INFO.model_copy(update=info))


def test_a_token_is_read_from_its_file_and_stands_nowhere_else(tmp_path: Path) -> None:
    file = tmp_path / "token"
    arm = ARM.model_copy(update={"token_file": file})
    with pytest.raises(SuiteError, match="No such file"):
        arm.token()
    file.write_text("\n")
    with pytest.raises(SuiteError, match="is empty"):
        arm.token()
    file.write_text("planted\n")
    assert arm.token() == "planted"
    assert "planted" not in INFO.model_copy(update={"arm": arm}).model_dump_json() + repr(arm)
    assert ARM.token() is None


def test_what_may_not_be_done_to_the_cluster_is_not_observable(frame: Frame) -> None:
    arguments = 'info=INFO.model_copy(update={"disruptions": frozenset([Disruption.DNS_RESTART])})'
    frame.cluster(arguments.replace("Disruption", "clusters.Disruption"))
    conftest = frame.path / "conformance" / "conftest.py"
    conftest.write_text("from fixtures import clusters\n" + conftest.read_text("utf-8"), "utf-8")
    test = '@requirement("dns.{0}", promise="P.", source="s", level=MUST, features=("{1}",))\ndef test_{0}(): pass\n'
    frame.write("conformance/test_all.py", HEAD + test.format("a", "dns_restart") + test.format("b", "node_failure"))
    frame.run()
    assert frame.verdicts() == {"test_a": Verdict.PASS, "test_b": Verdict.NOT_OBSERVABLE}
    case = frame.results().cases["conformance/test_all.py::test_b"]
    assert case.first_line == "the suite may not do this to the cluster fake-1: node_failure"


def test_a_feature_that_there_is_not_is_refused_at_its_declaration() -> None:
    with pytest.raises(
        ValueError, match=r"dns.a: features \['node_fail'\]: allowed is outside, node_ports, node_ports_outside, vnet"
    ):
        requirement("dns.a", promise="P.", source="s", level=MUST, features=("outside", "node_fail"))


def test_a_clean_up_that_fails_is_reported_and_the_cluster_still_closed(frame: Frame) -> None:
    conftest = frame.path / "conformance" / "conftest.py"
    hook = "def pytest_sessionfinish(session):\n    raise SuiteError('a namespace is left')\n"
    conftest.write_text(conftest.read_text("utf-8") + hook, "utf-8")
    result = frame.run("--requirement=cluster_ip.kept")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["profile full: not conformant", "cleanup: a namespace is left"])
    assert frame.done() == ["opened name=None keep=False", "closed"]


def test_a_cluster_that_cannot_be_removed_is_reported(frame: Frame) -> None:
    conftest = frame.path / "conformance" / "conftest.py"
    patch = "from fixtures.clusters.fake import FakeCluster\nFakeCluster.close = lambda self: 1 / 0\n"
    conftest.write_text(conftest.read_text("utf-8") + patch, "utf-8")
    result = frame.run_apart("--requirement=cluster_ip.kept")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["cleanup: the cluster could not be removed: ZeroDivisionError: *"])
    junit = ET.parse(frame.report / "junit.xml").getroot()
    assert "could not be removed" in (junit.findtext(".//system-err") or "")


@pytest.mark.usefixtures("frame")
def test_a_line_is_on_its_way_at_once(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    pytester.makeconftest(
        """
        import os
        from reports.live import Terminal
        def pytest_collection_finish(session):
            Terminal(session.config).line("building 1 of 7")
            os._exit(0)
        """
    )
    # Ending without clean-up loses whatever is still in a buffer.
    assert "building 1 of 7" in pytester.runpytest_subprocess().stdout.str()
