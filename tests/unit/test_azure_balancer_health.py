"""How answers to probes become a backend's health, and how probes are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.azure.balancer.health import (
    DOWN_RECOVERING,
    NO_RESPONSE,
    NOT_PROBED,
    STATUS_CODE,
    SUCCESS,
    UP_FAILING,
    Standing,
)
from fixtures.azure.balancer.probes import _judge, _request
from tests.azure_plans import REPEATED, probe

ANSWERS = st.lists(st.booleans(), max_size=40)


@REPEATED
@given(ANSWERS, st.integers(1, 5))
def test_a_state_changes_by_the_first_success_and_then_by_a_whole_threshold(
    answers: list[bool], threshold: int
) -> None:
    standing = Standing("192.0.2.1", threshold)
    assert standing.health().reason == NOT_PROBED
    up, ever = False, False
    for count, success in enumerate(answers, 1):
        changed = standing.record(None if success else STATUS_CODE)
        last = answers[max(0, count - threshold) : count]
        decided = len(last) == threshold and set(last) == {not up}
        flips = (success and not ever) or (ever and decided)
        assert changed == flips
        up ^= flips
        ever |= success
        assert (standing.up, standing.health().up) == (up, up)
        expected = {
            (True, True): SUCCESS,
            (True, False): UP_FAILING,
            (False, True): DOWN_RECOVERING,
            (False, False): STATUS_CODE,
        }
        assert standing.health().reason == expected[up, success]


def test_what_was_up_before_needs_a_whole_threshold_to_go_down() -> None:
    standing = Standing("192.0.2.1", 2, up=True)
    assert not standing.record(STATUS_CODE)
    assert standing.record(STATUS_CODE)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\n", None),
        (b"HTTP/1.0 200\r\n", None),
        (b"HTTP/1.1 204 No Content\r\n", STATUS_CODE),
        (b"HTTP/1.1 301 Moved\r\n", STATUS_CODE),
        (b"HTTP/1.1\r\n", STATUS_CODE),
        (b"200 OK\r\n", NO_RESPONSE),
        (b"", NO_RESPONSE),
    ],
)
def test_only_200_is_healthy(line: bytes, reason: str | None) -> None:
    assert _judge(line) == reason


@pytest.mark.parametrize("path", ["/healthz", "healthz"])
def test_a_request_names_the_backend(path: str) -> None:
    lines = _request(probe(path=path, port=8080), "2001:db8::1").decode().split("\r\n")
    assert lines[:2] == ["GET /healthz HTTP/1.1", "Host: [2001:db8::1]:8080"]
    assert lines[-2:] == ["", ""]
