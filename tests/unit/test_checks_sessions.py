"""Sessions: which ones are broken, and which end as they should."""

from __future__ import annotations

import pytest

from fixtures.checks.sessions import sessions, sessions_end, sessions_unbroken, sessions_undivided
from fixtures.history import Finding
from fixtures.probes import Outcome, Probe
from fixtures.verdicts import Verdict
from tests.unit.made_probes import batch, probe

SINCE, UNTIL = 1002.0, 1005.0


def session(
    number: int, pods: str, *, end: Outcome | None = None, begin_s: float = 0.0, noticed_s: float = 0.0
) -> list[Probe]:
    """A request a second on one connection, answered by the pods of these letters; then one that found it broken."""
    rows = [probe("ok", f"web-{pod}", begin_s + n, connection=number, request=n + 1) for n, pod in enumerate(pods)]
    at_s = begin_s + len(pods)
    broken = {"connection": number, "request": len(pods) + 1, "done_s": at_s + noticed_s}
    return [*rows, *([probe(end, None, at_s, **broken)] if end else [])]


def test_sessions_are_read_from_rows() -> None:
    rows = [*session(1, "aaa", end="reset"), *session(2, "bbbbb"), probe("timeout", at_s=3.5, connection=3)]
    first, second = sessions([batch(rows, error_s=0.01), batch([probe("ok", "web-a", connection=1)])])
    assert (first.pod, first.requests, first.ended) == ("web-a", 4, "reset")
    assert (first.opened_at, first.last_ok_at, first.ended_at) == (1000.0, 1002.0, 1003.0)
    assert (second.pod, second.requests, second.ended, second.ended_at) == ("web-b", 5, None, None)
    assert second.clock_error_s == 0.01
    assert "connection 1 to web-a: reset at 00:16:43.000, 4 requests since 00:16:40.000" in str(first)


def unbroken(*rows: list[Probe]) -> Finding:
    """The judgement of sessions to web-a."""
    return sessions_unbroken([batch([row for one in rows for row in one])], {"web-a"}, since=SINCE, until=UNTIL)


def test_sessions_to_pods_that_stay_are_unbroken() -> None:
    held = session(1, "aaaaaaa")
    assert unbroken(held).verdict is Verdict.PASS
    assert unbroken(held, session(2, "bbb", end="reset")).verdict is Verdict.PASS, "web-b may go"
    assert unbroken(held, session(2, "a", end="reset")).verdict is Verdict.PASS, "it broke before"
    assert unbroken(held, session(2, "aaaaaa", end="reset")).verdict is Verdict.PASS, "it broke after"
    assert unbroken(held, session(2, "a", begin_s=2.5, end="reset")).verdict is Verdict.PASS, "it was opened after"
    assert unbroken(held, session(2, "aaa")).verdict is Verdict.PASS, "it was closed in an orderly way"


@pytest.mark.parametrize("end", ["reset", "closed", "timeout", "refused"])
def test_a_session_that_breaks_is_found(end: Outcome) -> None:
    found = unbroken(session(1, "aaaaaaa"), session(2, "aaa", end=end))
    assert (found.verdict, found.sentence) == (Verdict.FAIL, f"1 of 2 sessions broken: 1 {end}")
    assert found.numbers["broken"] == 1


def test_a_session_that_changes_its_pod_is_found() -> None:
    assert unbroken(session(1, "aaaba")).sentence == "1 of 1 sessions broken: 1 answered by another pod"


@pytest.mark.parametrize("rows", [[], session(1, "bbbbbb"), session(1, "aa"), session(1, "aaaaa", begin_s=2.5)])
def test_no_session_no_judgement(rows: list[Probe]) -> None:
    assert unbroken(rows).verdict is Verdict.ERROR


def ended(*rows: list[Probe]) -> Finding:
    """The judgement of sessions to web-a, gone at 1002, noticed within a second and a half."""
    flat = [row for one in rows for row in one]
    return sessions_end([batch(flat, error_s=0.001)], "web-a", gone_at=SINCE, within_s=1.5)


def test_sessions_end_with_their_pod() -> None:
    other = session(9, "bbbbbbb")
    for end in ("reset", "closed"):
        found = ended(other, session(1, "aaa", end=end))
        assert (found.verdict, found.sentence) == (Verdict.PASS, f"1 sessions ended: 1 {end}")
        assert found.numbers["longest_notice_s"] == pytest.approx(1.0)
    assert ended(other, session(1, "aa")).sentence == "1 sessions ended: 1 not used again"


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (session(1, "aaa", end="reset", noticed_s=3.0), "noticed late"),
        (session(1, "aaa", end="timeout"), "not told"),
        (session(1, "aaaaaa"), "still answered"),
        (session(1, "aab"), "answered by another pod"),
    ],
)
def test_a_session_that_outlives_its_pod_is_found(rows: list[Probe], why: str) -> None:
    found = ended(session(9, "bbbbbbb"), rows)
    assert (found.verdict, found.sentence) == (Verdict.FAIL, f"1 of 1 sessions: 1 {why}")


def test_the_end_of_a_session_must_be_in_the_record() -> None:
    assert ended(session(9, "bbbbbbb"), session(1, "a")).sentence == "no session to web-a was in use"
    assert ended(session(1, "aaa")).verdict is Verdict.ERROR
    assert ended(session(1, "aa", end="closed"), session(2, "a")).verdict is Verdict.PASS, "the second is not needed"


def undivided(*rows: list[Probe], of: str = "ab") -> Finding:
    """The judgement of connections to pods of these letters."""
    return sessions_undivided([batch([row for one in rows for row in one])], {f"web-{pod}" for pod in of})


def at_once(number: int, pods: str) -> list[Probe]:
    """A connection that had all requests sent before the first was answered."""
    return [
        probe("ok", f"web-{pod}", n / 100, connection=number, request=n + 1, done_s=2.0) for n, pod in enumerate(pods)
    ]


ENOUGH = [at_once(number, "aaa" if number % 2 else "bbb") for number in range(1, 32)]


def test_connections_that_each_have_one_pod_are_undivided() -> None:
    found = undivided(*ENOUGH)
    assert (found.verdict, found.numbers["sessions"], found.numbers["at_once"]) == (Verdict.PASS, 31, 31)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([at_once(99, "aba")], "1 connections answered by several pods"),
        ([at_once(99, "ac")], "1 answered by another pod, 1 connections answered by several pods"),
        ([session(99, "aa", end="reset")], "1 reset"),
    ],
)
def test_a_connection_of_several_pods_is_found(rows: list[list[Probe]], sentence: str) -> None:
    found = undivided(*ENOUGH, *rows)
    assert (found.verdict, found.sentence) == (Verdict.FAIL, sentence)


def test_a_pod_without_connections_is_found() -> None:
    assert undivided(*[at_once(number, "aaa") for number in range(1, 32)]).verdict is Verdict.FAIL


def test_too_few_connections_or_none_with_requests_at_once_are_an_error() -> None:
    assert undivided(*ENOUGH[:30]).verdict is Verdict.ERROR
    one_by_one = [session(number, "aaa" if number % 2 else "bbb") for number in range(1, 32)]
    assert undivided(*one_by_one).verdict is Verdict.ERROR
