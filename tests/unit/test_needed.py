"""Workloads go when the last test that can need them is behind, whichever process has run that one."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import pytest

from fixtures.errors import SuiteError
from fixtures.workloads.needed import Needed


class Item(NamedTuple):
    """As much of a pytest.Item as matters here."""

    nodeid: str
    fixturenames: tuple[str, ...] = ()


TESTS: Any = [Item("a", ("two",)), Item("b"), Item("c", ("web", "two")), Item("d", ("web",)), Item("e")]


@pytest.mark.parametrize(
    ("run", "removed"),
    [("ab", []), ("abc", ["two"]), ("ad", ["two", "web"]), ("ae", ["two", "web"]), ("abcde", ["two", "web"])],
)
def test_what_no_test_to_come_has_is_removed_once(run: str, removed: list[str]) -> None:
    needed, gone = Needed(TESTS), list[str]()
    for fixture in ("two", "web"):
        needed.until_last(fixture, partial(gone.append, fixture))
    for item in TESTS:
        if item.nodeid in run:
            needed.passed(item)
    assert gone == removed


def test_what_cannot_be_removed_is_left_to_the_end_of_the_run() -> None:
    def refused() -> None:
        raise SuiteError("the API server is away")

    needed = Needed(TESTS)
    needed.until_last("two", refused)
    needed.passed(TESTS[3])
    needed.until_last("two", lambda: pytest.fail("it was asked for once"))
    needed.passed(TESTS[0])


def test_nothing_is_removed_where_the_order_is_not_known() -> None:
    needed = Needed([])
    needed.until_last("two", lambda: pytest.fail("a test to come may need it"))
    needed.passed(TESTS[4])
