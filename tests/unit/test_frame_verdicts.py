"""The frame's verdicts, its exit code and what the terminal says of them."""

from __future__ import annotations

import pytest

from fixtures.errors import BrokenPromise, SuiteError
from fixtures.verdicts import NotObservable, Unsupported, Verdict, judge, of_promise, worst
from tests.unit.frame import HEAD, Frame

pytest_plugins = ["pytester"]

BROKEN = BrokenPromise(expected="an answer", observed="none", vantage="node-1", details=("at 3 s",))


@pytest.mark.parametrize(
    ("error", "phase", "verdict", "first_line"),
    [
        (None, "call", Verdict.PASS, ""),
        (BROKEN, "call", Verdict.FAIL, "expected an answer; observed none; seen from node-1"),
        (BROKEN, "setup", Verdict.FAIL, "expected an answer; observed none; seen from node-1"),
        (AssertionError("two\nassert 1 == 2"), "call", Verdict.FAIL, "two"),
        (AssertionError(), "call", Verdict.FAIL, "AssertionError"),
        (AssertionError("two"), "setup", Verdict.ERROR, "AssertionError: two"),
        (AssertionError("two"), "teardown", Verdict.ERROR, "AssertionError: two"),
        (SuiteError("no prober\nlog: x"), "call", Verdict.ERROR, "no prober"),
        (KeyError("k"), "call", Verdict.ERROR, "KeyError: 'k'"),
        (NotObservable("no vantage"), "setup", Verdict.NOT_OBSERVABLE, "no vantage"),
        (Unsupported("no SCTP"), "call", Verdict.UNSUPPORTED, "no SCTP"),
    ],
)
def test_what_a_phase_raised_gives_its_verdict(
    error: BaseException | None, phase: str, verdict: Verdict, first_line: str
) -> None:
    outcome = judge(error, phase)
    assert (outcome.verdict, outcome.first_line) == (verdict, first_line)


def test_a_parent_takes_its_worst_child() -> None:
    assert worst([Verdict.PASS, Verdict.NOT_OBSERVABLE, Verdict.UNSUPPORTED]) is Verdict.NOT_OBSERVABLE
    assert worst([Verdict.ERROR, Verdict.FAIL, Verdict.PASS]) is Verdict.FAIL
    assert worst([Verdict.NOT_SELECTED, Verdict.PASS]) is Verdict.PASS
    assert worst([]) is Verdict.NOT_SELECTED


def test_what_is_not_offered_leaves_a_promise_to_its_other_cases() -> None:
    assert of_promise([Verdict.UNSUPPORTED, Verdict.PASS]) is Verdict.PASS
    assert of_promise([Verdict.UNSUPPORTED, Verdict.PASS, Verdict.FAIL]) is Verdict.FAIL
    assert of_promise([Verdict.UNSUPPORTED, Verdict.UNSUPPORTED]) is Verdict.UNSUPPORTED


def test_every_verdict_is_told_apart(frame: Frame) -> None:
    result = frame.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert frame.verdicts() == {
        "test_kept[IPv4]": Verdict.PASS,
        "test_kept[IPv6]": Verdict.PASS,
        "test_broken": Verdict.FAIL,
        "test_wrong": Verdict.ERROR,
        "test_unseen": Verdict.NOT_OBSERVABLE,
        "test_absent": Verdict.UNSUPPORTED,
    }


def test_the_terminal_has_one_line_per_case_and_a_table_by_chapter(frame: Frame) -> None:
    result = frame.run()
    result.stdout.re_match_lines(
        [
            r" +\d+\.\d s  pass            cluster_ip.kept \[IPv4\]  \d+\.\d\d s",
            r" +\d+\.\d s  fail            cluster_ip.broken .* s",
            r" +promise: It answers\.",
            r" +expected an answer; observed a timeout; seen from node-1",
            r" +\d+\.\d s  not observable  dns.unseen .* s",
            r"promises +pass  fail  error  not observable  unsupported",
            r"cluster_ip +1 +1 +0 +0 +0",
            r"node_port +0 +0 +0 +0 +1",
            r"dns +0 +0 +1 +1 +0",
            r"total +1 +1 +1 +1 +1",
            r"5 promises, 6 cases in .* on fake cluster fake-1, v1.36.3",
            r"profile full: not conformant",
            r"  fail   cluster_ip.broken",
            r"run these again: pytest conformance --rerun-failed=.*report",
        ]
    )


def test_an_error_shows_its_traceback_and_a_fail_its_words(frame: Frame) -> None:
    result = frame.run()
    result.stdout.fnmatch_lines(["*ERROR at call of test_wrong*", ">       raise SuiteError*", "*FAILURES*", "at 3 s"])
    assert "raise BrokenPromise" not in result.stdout.str()


def test_what_is_not_seen_or_not_offered_does_not_fail_the_run(frame: Frame) -> None:
    result = frame.run("--requirement=dns.unseen", "--requirement=node_port.absent")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["profile full: conformant"])


def test_a_must_that_is_not_seen_is_not_conformant(frame: Frame) -> None:
    frame.write(
        "conformance/test_all.py",
        HEAD
        + """
        @requirement("dns.unseen", promise="It is seen.", source="seed", level=MUST)
        def test_unseen():
            raise NotObservable("no vantage")
        """,
    )
    result = frame.run()
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["profile full: not conformant"])


@pytest.mark.parametrize(
    ("body", "phase"),
    [("pytest.skip('cannot see')", "call"), ("pytest.xfail('known')", "call"), ("pass", "teardown")],
)
def test_skip_xfail_and_a_broken_teardown_are_errors(frame: Frame, body: str, phase: str) -> None:
    frame.write(
        "conformance/test_all.py",
        HEAD
        + f"""
        @pytest.fixture
        def untidy():
            yield
            if {body == "pass"}:
                raise OSError("cannot tidy")

        @requirement("dns.a", promise="P.", source="seed", level=MUST)
        def test_a(untidy):
            {body}
        """,
    )
    assert frame.run().ret == pytest.ExitCode.TESTS_FAILED
    assert frame.verdicts() == {"test_a": Verdict.ERROR}
    assert frame.results().cases["conformance/test_all.py::test_a"].phase == phase
