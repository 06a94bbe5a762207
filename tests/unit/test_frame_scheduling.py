"""Order, scenarios and disruptive tests, with and without workers."""

from __future__ import annotations

from itertools import pairwise

import pytest

from fixtures.verdicts import Verdict
from reports.record import CaseFinished, read
from tests.unit.frame import HEAD, Frame

pytest_plugins = ["pytester"]

LOGGED = """
import os
from threading import Event

@pytest.fixture(autouse=True)
def logged(request):
    def log(word):
        with open("log", "a") as file:
            file.write(f"{word} {request.node.name}\\n")
    log("begin")
    yield
    log("end")
"""


def case(name: str, marker: str = "", body: str = "pass") -> str:
    """A test of a promise of its own."""
    mark = f"@pytest.mark.{marker}\n" if marker else ""
    declared = f'@requirement("dns.{name}", promise="P.", source="s", level=MUST)\n'
    return f"{declared}{mark}def test_{name}():\n    {body}\n"


def finished(frame: Frame) -> list[CaseFinished]:
    """The cases in the order in which they were finished."""
    return [event for event in read(frame.report) if isinstance(event, CaseFinished)]


ALL = (
    case("last", "disruptive(order=1)")
    + case("alone", "disruptive")
    + case("plain")
    + case("played", 'scenario("rollout")')
    + case("other")
    + case("judged", 'scenario("rollout")')
    + case("slow", "long")
)


def test_long_ones_begin_those_of_one_name_stay_together_and_disruptive_ones_end(frame: Frame) -> None:
    frame.write("conformance/test_all.py", HEAD + ALL)
    frame.run()
    names = [event.requirement.removeprefix("dns.") for event in finished(frame)]
    assert names == ["slow", "plain", "played", "judged", "other", "alone", "last"]


SCENARIOS = """
from fixtures.scenarios.scenario import Scenario
from fixtures.scheduling import upcoming

def judging(name, takes_s, act=""):
    scenario = Scenario(name, print, takes_s=takes_s, act=act)
    return pytest.mark.scenario(scenario.act_name, scenario=scenario)

def must_be_upcoming(request, names, alone):
    found, is_alone = upcoming(request.session.items, request.node.get_closest_marker("scenario").kwargs["scenario"])
    assert ([scenario.name for scenario in found], is_alone) == (names, alone)
"""


def test_what_is_played_ahead_is_all_that_comes_the_longest_first_and_of_disruptive_ones_the_act(frame: Frame) -> None:
    tests = ""
    for name, takes_s, act, alone, wanted in (
        ("short", 5, "", False, ["short", "quick"]),
        ("proxies", 90, "restarts", True, ["proxies", "kubelet"]),
        ("long", 50, "", False, ["long", "short", "quick"]),
        ("quick", 5, "", False, ["quick"]),
        ("drain", 90, "", True, ["drain"]),
        ("kubelet", 99, "restarts", True, ["proxies", "kubelet"]),
    ):
        marks = f'@judging("{name}", {takes_s}, "{act}")\n' + "@pytest.mark.disruptive\n" * alone
        tests += f'@requirement("dns.{name}", promise="P.", source="s", level=MUST)\n{marks}'
        tests += f"def test_{name}(request):\n    must_be_upcoming(request, {wanted}, {alone})\n"
    frame.write("conformance/test_all.py", HEAD + SCENARIOS + tests)
    assert frame.run().ret == pytest.ExitCode.OK
    names = [event.requirement.removeprefix("dns.") for event in finished(frame)]
    assert names == ["long", "short", "quick", "proxies", "kubelet", "drain"]


def test_the_last_test_of_each_act_is_known(frame: Frame) -> None:
    tests = "from fixtures.scheduling import last_of_acts\n"
    for name, act in (("a", "both"), ("b", ""), ("c", "both"), ("d", "")):
        tests += f'@requirement("dns.{name}", promise="P.", source="s", level=MUST)\n@judging("{name}", 5, "{act}")\n'
        tests += f"def test_{name}(request):\n    last = last_of_acts(request.session.items)\n"
        tests += "    names = {act: node.rpartition('_')[2] for act, node in last.items()}\n"
        tests += "    assert names == {'both': 'c', 'b': 'b', 'd': 'd'}\n"
    frame.write("conformance/test_all.py", HEAD + SCENARIOS + tests)
    assert frame.run().ret == pytest.ExitCode.OK


def test_scenarios_begin_and_stay_in_one_worker(frame: Frame) -> None:
    tests = "".join(case(f"p{number}", "long") for number in range(6))
    for number in range(4):
        tests += f'@requirement("dns.s{number}", promise="P.", source="s", level=MUST)\n'
        tests += f'@judging("scenario {number}", 5)\ndef test_s{number}():\n    pass\n'
    frame.write("conformance/test_all.py", HEAD + SCENARIOS + tests)
    assert frame.run_apart("-n2").ret == pytest.ExitCode.OK
    of_scenarios = [event for event in finished(frame) if event.requirement.startswith("dns.s")]
    assert len({event.worker for event in of_scenarios}) == 1
    assert finished(frame)[0].requirement in ("dns.s0", "dns.p0")


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_what_shares_a_name_stays_in_one_worker_and_ids_stay_as_they_are(frame: Frame, workers: int) -> None:
    scenario = "".join(case(f"s{number}", 'scenario("s")') + case(f"p{number}") for number in range(6))
    frame.write("conformance/test_all.py", HEAD + scenario)
    assert frame.run_apart(f"-n{workers}").ret == pytest.ExitCode.OK
    assert frame.verdicts() == {f"test_{kind}{number}": Verdict.PASS for kind in "sp" for number in range(6)}
    assert len({event.worker for event in finished(frame) if event.requirement.startswith("dns.s")}) == 1


def test_what_failed_of_a_scenario_is_run_again_alone(frame: Frame) -> None:
    broken = case("broken", 'scenario("s")', "raise BrokenPromise(expected='a', observed='b', vantage='c')")
    frame.write("conformance/test_all.py", HEAD + case("kept", 'scenario("s")') + broken + case("other"))
    frame.run_apart("-n2")
    first, frame.report = frame.report, frame.path / "again"
    frame.run_apart("-n2", f"--rerun-failed={first}")
    assert frame.verdicts() == {"test_broken": Verdict.FAIL}


def test_a_disruptive_test_is_alone(frame: Frame) -> None:
    wait = "Event().wait(0.1)"
    tests = "".join(case(f"a{number}", "", wait) for number in range(5))
    alone = "".join(case(f"d{number}", "disruptive", wait) for number in range(3))
    frame.write("conformance/test_all.py", HEAD + LOGGED + tests + alone)
    assert frame.run_apart("-n2").ret == pytest.ExitCode.OK
    log = (frame.path / "log").read_text("utf-8").splitlines()
    assert len(log) == 16
    for index, line in enumerate(log):
        if line.startswith("begin test_d"):
            assert log[index + 1] == line.replace("begin", "end")
    assert any(a.startswith("begin") and b.startswith("begin") for a, b in pairwise(log))


def test_waiting_for_its_turn_counts_neither_as_duration_nor_against_the_time_limit(frame: Frame) -> None:
    tests = case("busy", "", "Event().wait(3)") + case("alone", "disruptive\n@pytest.mark.timeout(2)")
    frame.write("conformance/test_all.py", HEAD + LOGGED + tests + case("plain"))
    assert frame.run_apart("-n2").ret == pytest.ExitCode.OK
    durations = {event.requirement: event.duration_s for event in finished(frame)}
    assert durations["dns.busy"] >= 3
    assert durations["dns.alone"] < 1


@pytest.mark.parametrize("marker", ['scenario("s")', "disruptive"])
def test_a_test_that_ends_its_worker_is_not_run_again_and_the_rest_is(frame: Frame, marker: str) -> None:
    dying = case("dies", marker, 'open("ran", "a").write("x"); os._exit(9)')
    frame.write("conformance/test_all.py", HEAD + LOGGED + dying + "".join(case(n, marker) for n in ("b", "c", "d")))
    frame.run_apart("-n1")
    assert (frame.path / "ran").read_text() == "x"
    assert frame.verdicts() == {
        "test_dies": Verdict.ERROR,
        **{f"test_{name}": Verdict.PASS for name in ("b", "c", "d")},
    }


def test_single_tests_go_on_after_a_worker_has_ended(frame: Frame) -> None:
    dying = case("dies", "", "os._exit(9)")
    frame.write("conformance/test_all.py", HEAD + LOGGED + dying + "".join(case(f"p{n}") for n in range(7)))
    frame.run_apart("-n1")
    verdicts = frame.verdicts()
    assert verdicts.pop("test_dies") is Verdict.ERROR
    assert set(verdicts.values()) == {Verdict.PASS}
    assert len(verdicts) == 7


def test_a_case_that_hangs_is_an_error_with_the_limit_of_the_option(frame: Frame) -> None:
    frame.write("conformance/test_all.py", HEAD + LOGGED + case("hangs", "", "Event().wait(60)"))
    frame.run_apart("--timeout=1")
    assert [event.first_line for event in finished(frame)] == ["Failed: Timeout (>1.0s) from pytest-timeout."]
    assert frame.verdicts() == {"test_hangs": Verdict.ERROR}
