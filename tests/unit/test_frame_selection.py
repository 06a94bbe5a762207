"""Which cases a run takes: profiles, chapters, requirements, what failed before; and the catalogue."""

from __future__ import annotations

import pytest

from fixtures.verdicts import Verdict
from reports.record import CaseFinished, read
from tests.unit.frame import HEAD, Frame

pytest_plugins = ["pytester"]


@pytest.mark.parametrize(
    ("arguments", "tests"),
    [
        (("--profile=smoke",), {"test_kept[IPv4]"}),
        (("--profile=core",), {"test_kept[IPv4]", "test_kept[IPv6]", "test_broken"}),
        (("--chapter=dns",), {"test_wrong", "test_unseen"}),
        (("--chapter=dns", "--chapter=node_port"), {"test_wrong", "test_unseen", "test_absent"}),
        (("--requirement=dns.wrong", "--requirement=cluster_ip.broken"), {"test_wrong", "test_broken"}),
        (("--chapter=cluster_ip", "--requirement=cluster_ip.kept", "-k", "IPv6"), {"test_kept[IPv6]"}),
    ],
)
def test_a_run_takes_what_it_was_asked_for(frame: Frame, arguments: tuple[str, ...], tests: set[str]) -> None:
    frame.run(*arguments)
    assert set(frame.verdicts()) == tests


def test_what_was_not_selected_is_said(frame: Frame) -> None:
    result = frame.run("--chapter=dns")
    assert frame.results().not_selected == ("cluster_ip.broken", "cluster_ip.kept", "node_port.absent")
    result.stdout.fnmatch_lines(["2 promises, 2 cases (3 promises not selected) in *"])


def test_a_run_of_a_part_does_not_judge_the_profile(frame: Frame) -> None:
    cases = "".join(f"conformance/test_all.py::test_kept[{family}]\n" for family in ("IPv4", "IPv6"))
    frame.write("conformance/profiles/resolved/full.txt", cases)
    result = frame.run("--requirement=cluster_ip.kept", "-k", "IPv4")
    result.stdout.fnmatch_lines(["profile full: not judged (1 of its cases were not part of this run)"])


def test_only_what_failed_is_run_again(frame: Frame) -> None:
    frame.run()
    first, frame.report = frame.report, frame.path / "again"
    result = frame.run(f"--rerun-failed={first}")
    assert frame.verdicts() == {"test_broken": Verdict.FAIL, "test_wrong": Verdict.ERROR}
    result.stdout.fnmatch_lines([f"run these again: pytest conformance --rerun-failed={frame.report}"])


def test_nothing_to_run_again_is_refused(frame: Frame) -> None:
    frame.run("--requirement=cluster_ip.kept")
    first, frame.report = frame.report, frame.path / "again"
    result = frame.run(f"--rerun-failed={first}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --rerun-failed: nothing failed in the run of *report"])


def test_the_catalogue_is_listed_without_a_cluster(frame: Frame) -> None:
    result = frame.run("--list-requirements")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "cluster_ip",
            "  cluster_ip.broken  MUST  core, full  1 case",
            "      promise: It answers.",
            "      source:  seed",
            "  cluster_ip.kept  MUST  smoke, core, full  2 cases",
            "dns",
            "  dns.unseen  SHOULD  full  1 case",
        ],
        consecutive=False,
    )
    assert frame.done() == []


def test_the_list_is_narrowed_as_a_run_is(frame: Frame) -> None:
    result = frame.run("--list-requirements", "--chapter=node_port")
    assert result.outlines[0] == "node_port"
    assert "cluster_ip" not in result.stdout.str()


def test_tests_of_the_suite_itself_are_left_out_of_a_narrowed_run(frame: Frame) -> None:
    frame.write("tests/test_own.py", "def test_own():\n    pass\n")
    frame.run("tests", "--requirement=cluster_ip.kept").assert_outcomes(passed=2, deselected=5)


def test_mixed_runs_count_both(frame: Frame) -> None:
    frame.write("tests/test_own.py", "def test_own():\n    assert 0\n")
    frame.write(
        "conformance/test_all.py",
        HEAD + '@requirement("dns.a", promise="P.", source="s", level=MUST)\ndef test_a(): pass\n',
    )
    result = frame.run("tests")
    result.assert_outcomes(passed=1, failed=1)
    assert frame.verdicts() == {"test_a": Verdict.PASS}
    result.stdout.fnmatch_lines(["*pass * dns.a*", "tests/test_own.py F*"])


def test_long_tests_are_started_first(frame: Frame) -> None:
    test = '@requirement("dns.{0}", promise="P.", source="s", level=MUST)\n{1}def test_{0}(): pass\n'
    long = "@pytest.mark.long\n"
    frame.write("conformance/test_all.py", HEAD + test.format("a", "") + test.format("b", long) + test.format("c", ""))
    frame.run()
    finished = [event for event in read(frame.report) if isinstance(event, CaseFinished)]
    assert [event.requirement for event in finished] == ["dns.b", "dns.a", "dns.c"]
