"""The checks of affinity over made-up records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from fixtures.checks.affinity import chose_anew, moved_on, pods_of, targets_to_see_a_change, told_apart
from fixtures.probes import ProbeBatch
from fixtures.verdicts import Verdict
from tests.unit.made_probes import PODS, PROVEN, batch, probe

CLIENTS = ("a", "b", "c", "d")
TARGETS = tuple(f"port {n}" for n in range(targets_to_see_a_change(len(PODS))))
pods = st.sampled_from(PODS)
Pins = Mapping[tuple[str, str], str]


def connections(pins: Pins, times: int = 2) -> list[ProbeBatch]:
    """Each client connects to each of its targets so many times, and comes to its pod."""
    return [
        batch(
            [probe("ok", pod, target=what) for (one, what), pod in pins.items() if one == who for _ in range(times)],
            who,
        )
        for who in dict.fromkeys(who for who, _ in pins)
    ]


def pins(choose: Sequence[str], targets: Sequence[str] = TARGETS, clients: Sequence[str] = CLIENTS) -> Pins:
    """Who comes where: pods in turn."""
    where = [(who, what) for who in clients for what in targets]
    return {pin: choose[n % len(choose)] for n, pin in enumerate(where)}


def test_the_number_of_targets_keeps_the_chance_of_a_miss_below_1e_9() -> None:
    assert targets_to_see_a_change(3) == 19
    for k in (2, 3, 5):
        n = targets_to_see_a_change(k)
        assert k ** (-n) <= 1e-9 < k ** (1 - n)


def test_pods_of_says_who_answered_and_what_did_not() -> None:
    seen = pods_of([batch([probe("ok", "web-a"), probe("timeout")], "a"), batch([probe("ok", "web-b")], "b")])
    assert seen == {("a", "x"): {"web-a", "timeout"}, ("b", "x"): {"web-b"}}


@PROVEN
@given(st.lists(pods, min_size=2, max_size=7).filter(lambda some: len(set(some)) > 1))
def test_clients_that_differ_somewhere_are_told_apart(choose: list[str]) -> None:
    made = pins(choose)
    shared = all(len({made[who, what] for who in CLIENTS}) == 1 for what in TARGETS)
    assert told_apart(connections(made), pods=3).verdict is (Verdict.FAIL if shared else Verdict.PASS)


def test_clients_that_share_all_pods_are_not_told_apart() -> None:
    same = {(who, what): PODS[n % 3] for who in CLIENTS for n, what in enumerate(TARGETS)}
    found = told_apart(connections(same), pods=3)
    assert found.verdict is Verdict.FAIL
    assert "4 clients came to the same pod at each of 19 targets" in found.sentence


def test_one_connection_elsewhere_or_lost_is_no_affinity() -> None:
    good = connections(pins(PODS, clients=CLIENTS[:3]))
    for bad in (probe("ok", "web-b", target="port 0"), probe("timeout", target="port 0")):
        first = [probe("ok", "web-a", target="port 0"), *good[0].probes[2:], bad]
        assert told_apart([batch(first, "a"), *good[1:]], pods=3).verdict is Verdict.FAIL
        assert chose_anew([batch(first, "a"), *good[1:]], good, pods=3).verdict is Verdict.FAIL


def test_too_few_choices_are_an_error() -> None:
    few = connections(pins(("web-a", "web-b"), TARGETS[:6]))
    assert told_apart(few, pods=3).verdict is Verdict.ERROR
    assert chose_anew(few, few, pods=3).verdict is Verdict.ERROR
    assert told_apart([], pods=3).verdict is Verdict.ERROR
    assert chose_anew([], [], pods=3).verdict is Verdict.ERROR
    whole = connections(pins(PODS))
    assert chose_anew(whole, whole[1:], pods=3).verdict is Verdict.ERROR


@PROVEN
@given(st.lists(pods, min_size=1, max_size=9), st.sampled_from(CLIENTS), st.sampled_from(TARGETS))
def test_each_client_must_choose_anew_somewhere(choose: list[str], who: str, what: str) -> None:
    before = pins(choose)
    others = {pin: PODS[(PODS.index(pod) + 1) % 3] for pin, pod in before.items()}
    assert chose_anew(connections(before), connections(others, 1), pods=3).verdict is Verdict.PASS
    one_kept = others | {pin: pod for pin, pod in before.items() if pin[0] == who}
    assert chose_anew(connections(before), connections(one_kept, 1), pods=3).verdict is Verdict.FAIL
    one_changed = one_kept | {(who, what): others[who, what]}
    assert chose_anew(connections(before), connections(one_changed, 1), pods=3).verdict is Verdict.PASS


@PROVEN
@given(st.lists(pods, min_size=4, max_size=4), pods, pods)
def test_clients_of_a_pod_that_is_gone_move_on_and_others_stay(came_to: list[str], gone: str, other: str) -> None:
    before = {(who, "x"): pod for who, pod in zip(CLIENTS, came_to, strict=True)}
    after = {pin: other if pod == gone else pod for pin, pod in before.items()}
    found = moved_on(connections(before), connections(after), gone=gone)
    wanted = Verdict.ERROR if gone not in came_to else Verdict.FAIL if other == gone else Verdict.PASS
    assert found.verdict is wanted
    if gone in came_to and other != gone and (stays := [pin for pin, pod in before.items() if pod != gone]):
        moved = after | {stays[0]: next(pod for pod in PODS if pod not in (gone, before[stays[0]]))}
        assert moved_on(connections(before), connections(moved), gone=gone).verdict is Verdict.FAIL
        missing = {pin: pod for pin, pod in after.items() if pin != stays[0]}
        assert moved_on(connections(before), connections(missing), gone=gone).verdict is Verdict.FAIL


def test_a_client_that_goes_to_and_fro_has_not_moved_on() -> None:
    before = connections({("a", "x"): "web-a"})
    after = [batch([probe("ok", "web-b"), probe("ok", "web-c")], "a")]
    assert moved_on(before, after, gone="web-a").verdict is Verdict.FAIL
    assert (
        moved_on(before, [batch([probe("ok", "web-b"), probe("timeout")], "a")], gone="web-a").verdict is Verdict.FAIL
    )


def test_a_client_that_came_to_several_pods_had_none_to_stay_with() -> None:
    before = [batch([probe("ok", "web-a"), probe("ok", "web-b")], "a"), batch([probe("ok", "web-a")], "b")]
    after = connections({("a", "x"): "web-b", ("b", "x"): "web-b"})
    found = moved_on(before, after, gone="web-a")
    assert found.verdict is Verdict.FAIL
    assert found.details == ("a: web-a, web-b, then web-b",)
