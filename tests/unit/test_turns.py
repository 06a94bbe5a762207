"""Tests share the cluster, and one that must be alone gets it alone, and soon."""

from __future__ import annotations

import fcntl
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fixtures.turns import FOLDER, Turns


def is_free(file: Path) -> bool:
    """Whether nobody holds a lock on a file."""
    with file.open() as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def test_two_tests_share_the_cluster(tmp_path: Path) -> None:
    both = threading.Barrier(2, timeout=10)

    def share() -> None:
        with Turns(tmp_path).turn(alone=False):
            both.wait()

    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(share), pool.submit(share)]:
            done.result()


@pytest.mark.timeout(60)
def test_one_that_waits_to_be_alone_goes_before_those_that_come_after_it(tmp_path: Path) -> None:
    order: list[str] = []

    def take(name: str, *, alone: bool) -> None:
        with Turns(tmp_path).turn(alone=alone):
            order.append(name)

    with ThreadPoolExecutor() as pool:
        with Turns(tmp_path).turn(alone=False):
            waiting = pool.submit(take, "alone", alone=True)
            while is_free(tmp_path / FOLDER / "turnstile"):
                threading.Event().wait(0.01)
            after = pool.submit(take, "shared", alone=False)
            assert not threading.Event().wait(0.2)
            assert order == []
        waiting.result()
        after.result()
    assert order == ["alone", "shared"]


@pytest.mark.parametrize("alone", [True, False])
def test_a_turn_is_given_back_when_the_test_raises(tmp_path: Path, alone: bool) -> None:
    with pytest.raises(KeyError), Turns(tmp_path).turn(alone=alone):
        raise KeyError
    assert is_free(tmp_path / FOLDER / "cluster")
    assert is_free(tmp_path / FOLDER / "turnstile")


@pytest.mark.timeout(60)
def test_what_joins_a_turn_of_its_process_goes_before_one_that_waits_to_be_alone(tmp_path: Path) -> None:
    own, order = Turns(tmp_path), list[str]()

    def take_alone(turns: Turns) -> None:
        with turns.turn(alone=True):
            order.append("alone")

    with ThreadPoolExecutor() as pool:
        with own.turn(alone=False):
            others = [pool.submit(take_alone, turns) for turns in (Turns(tmp_path), own)]
            while is_free(tmp_path / FOLDER / "turnstile"):
                threading.Event().wait(0.01)
            with own.turn(alone=False):
                order.append("joined")
        for other in others:
            other.result()
    assert order == ["joined", "alone", "alone"]
    assert is_free(tmp_path / FOLDER / "cluster")
