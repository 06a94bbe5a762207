"""Scenarios are played ahead of their cases, a few at a time, each once; workloads are lent to one at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, cast

import pytest

from fixtures.errors import SuiteError
from fixtures.scenarios.ahead import Ahead, Played, Programme
from fixtures.scenarios.scenario import Scenario
from fixtures.scenarios.scene import Take
from fixtures.scenarios.webs import Webs
from fixtures.workloads.web import Shape, Web

LONG_S = 20.0
AT_ONCE = 3


def named(*names: str, act: str = "") -> list[Scenario]:
    """Scenarios that do nothing."""
    return [Scenario(name, lambda _: None, act=act) for name in names]


class Player:
    """Plays scenarios: what became of one is its name in place of a Take."""

    def __init__(self, act: Callable[[str], None] = lambda _: None) -> None:
        """`act` is called for each."""
        self.act = act
        self.calls: list[list[str]] = []
        self.turns: list[str] = []

    def play(self, scenarios: Sequence[Scenario]) -> Played:
        """Play an act."""
        self.calls.append([scenario.name for scenario in scenarios])
        found: dict[str, Take | Exception] = {}
        for scenario in scenarios:
            try:
                self.act(scenario.name)
                found[scenario.name] = cast("Take", scenario.name)
            except SuiteError as error:
                found[scenario.name] = error
        return found

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the cluster."""
        self.turns.append("held")
        yield
        self.turns.append(f"given back after {len(self.calls)}")


@contextmanager
def ahead(player: Player, scenarios: Sequence[Scenario], *, alone: bool = False) -> Iterator[Ahead]:
    """What plays these scenarios as soon as one is wanted."""
    made = Ahead(player.play, lambda _: Programme(scenarios, alone), player.turn, AT_ONCE)
    try:
        yield made
    finally:
        made.close()


def test_several_are_played_at_once_and_each_once() -> None:
    scenarios = named(*map(str, range(AT_ONCE + 1)))
    together = threading.Barrier(AT_ONCE, timeout=LONG_S)

    def act(name: str) -> None:
        if int(name) < AT_ONCE:
            together.wait()

    player = Player(act)
    with ahead(player, scenarios) as playing:
        takes = [playing.take(scenario) for scenario in [*scenarios, *scenarios]]
    assert cast("list[Any]", takes) == [scenario.name for scenario in scenarios] * 2
    assert sorted(player.calls) == [[scenario.name] for scenario in scenarios]


def test_the_turn_is_held_until_the_last_has_been_played() -> None:
    scenarios, go_on = named("first", "last"), threading.Event()
    player = Player(lambda name: None if name == "first" else cast("None", go_on.wait(LONG_S)))
    with ahead(player, scenarios) as playing:
        playing.take(scenarios[0])
        assert player.turns == ["held"]
        go_on.set()
        playing.take(scenarios[1])
    assert player.turns == ["held", "given back after 2"]


def test_what_is_alone_is_played_in_the_thread_that_wants_it_and_holds_no_turn() -> None:
    threads: list[threading.Thread] = []
    player = Player(lambda _: threads.append(threading.current_thread()))
    scenarios = named("proxies", "kubelet", act="restarts")
    with ahead(player, scenarios, alone=True) as playing:
        playing.take(scenarios[1])
        playing.take(scenarios[0])
    assert (player.calls, player.turns) == ([["proxies", "kubelet"]], [])
    assert set(threads) == {threading.current_thread()}


def test_what_went_wrong_is_told_each_time_and_to_nobody_else() -> None:
    def act(name: str) -> None:
        if name == "bad":
            raise SuiteError("out of pods")

    scenarios = named("good", "bad")
    with ahead(Player(act), scenarios) as playing:
        for _ in range(2):
            with pytest.raises(SuiteError, match="out of pods"):
                playing.take(scenarios[1])
        playing.take(scenarios[0])


def test_what_is_forgotten_is_not_kept_and_all_else_is() -> None:
    player, scenarios = Player(), named("first", "second")
    with ahead(player, scenarios) as playing:
        playing.take(scenarios[0])
        playing.forget(scenarios[0])
        playing.take(scenarios[1])
        assert sorted(player.calls) == [["first"], ["second"]]
        # Nobody does so: only what is not kept is played again.
        playing.take(scenarios[0])
    assert sorted(player.calls) == [["first"], ["first"], ["second"]]


def test_at_the_end_nothing_more_is_begun() -> None:
    scenarios, go_on = named(*map(str, range(AT_ONCE + 3))), threading.Event()
    begun = threading.Semaphore(0)

    def act(_: str) -> None:
        begun.release()
        go_on.wait(LONG_S)

    player = Player(act)
    with ThreadPoolExecutor() as other, ahead(player, scenarios) as playing:
        other.submit(playing.take, scenarios[0])
        assert all(begun.acquire(timeout=LONG_S) for _ in range(AT_ONCE))
        threading.Timer(0.1, go_on.set).start()
    assert len(player.calls) == AT_ONCE
    assert player.turns[-1].startswith("given back")


class FakeWeb:
    """A workload that can be deleted."""

    deleted = False

    def delete(self) -> None:
        """Note it."""
        self.deleted = True


def test_a_workload_is_lent_to_one_at_a_time_and_then_to_the_next() -> None:
    webs = Webs(lambda _: cast("Web", FakeWeb()))
    three, one = Shape(), Shape(replicas=1)
    with webs.one(three) as first, webs.one(three) as second, webs.one(one) as other:
        assert len({id(web) for web in (first, second, other)}) == 3
    with webs.one(three) as again:
        assert again in (first, second)


def test_a_workload_in_an_unknown_state_is_deleted_and_not_lent_again() -> None:
    webs = Webs(lambda _: cast("Web", FakeWeb()))
    with pytest.raises(KeyError), webs.one(Shape()) as broken:
        raise KeyError
    assert cast("FakeWeb", broken).deleted
    with webs.one(Shape()) as web:
        assert web is not broken


def test_workloads_that_nobody_uses_can_be_deleted() -> None:
    webs = Webs(lambda _: cast("Web", FakeWeb()))
    with webs.one(Shape()) as used:
        with webs.one(Shape()) as idle:
            pass
        webs.delete_free()
        assert (cast("FakeWeb", used).deleted, cast("FakeWeb", idle).deleted) == (False, True)
    with webs.one(Shape()) as again:
        assert again is used
