"""The benchmarks without a cluster: what holds, which are run, what happens when one breaks, and bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import __main__ as collecting
from benchmarks import azure, footprint, load, running
from benchmarks.__main__ import BENCHMARKS, Benchmark, main, selected
from benchmarks.elsewhere import ELSEWHERE
from benchmarks.figures import Bound, Figure, Figures, Wanted, at_least, at_most, figures_table, shown
from fixtures.errors import SuiteError, UsageError
from tests.unit.frame import ROOT

TIME = Wanted("a time", "issue 1", "s", at_most(2))
RATE = Wanted("a rate", "issue 1", "1/s", at_least(100))
SEEN = Wanted("what is seen", "issue 1", "pods", None)


@pytest.mark.parametrize(
    ("bound", "value", "holds"),
    [
        (at_most(2), 2.0, True),
        (at_most(2), 2.0004, False),
        (at_least(100), 100.0, True),
        (at_least(100), 99.9, False),
    ],
)
def test_a_bound_is_kept_by_the_value_itself_not_by_what_is_shown(bound: Bound, value: float, holds: bool) -> None:
    assert Wanted("x", "issue 1", "s", bound).measured(value).holds is holds


@pytest.mark.parametrize(
    ("figure", "holds", "line"),
    [
        (TIME.measured(1.25, "of 3"), True, "holds: a time: 1.25 s (of 3); asked for: ≤ 2 s"),
        (RATE.measured(99), False, "does not hold: a rate: 99.0 1/s; asked for: ≥ 100 1/s"),
        (TIME.unmeasured("no browser"), None, "not measured: a time: no browser; asked for: ≤ 2 s"),
        (SEEN.measured(7), None, "no bound: what is seen: 7 pods; asked for: reported"),
    ],
)
def test_a_figure_says_what_was_measured_and_what_is_asked_for(figure: Figure, holds: bool | None, line: str) -> None:
    assert (figure.holds, figure.line) == (holds, line)


def test_the_table_has_a_row_for_each_figure_with_its_reason() -> None:
    table = figures_table([TIME.measured(1.0), TIME.unmeasured("no browser")])
    assert [list(column.cells) for column in table.columns] == [
        ["a time", "a time"],
        ["1.00 s", ""],
        ["≤ 2 s", "≤ 2 s"],
        ["issue 1", "issue 1"],
        ["holds", "not measured"],
        ["", "no browser"],
    ]


def test_what_looks_like_markup_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    Console(width=200).print(figures_table([TIME.unmeasured("pip install -e '.[load]'")]))
    assert "pip install -e '.[load]'" in capsys.readouterr().out


def test_units_are_shown_as_precisely_as_they_matter() -> None:
    values = [(0.804, ""), (1.304, "GiB"), (149.6, "MiB"), (30, "pods")]
    assert [shown(*value) for value in values] == ["0.80", "1.30 GiB", "150 MiB", "30 pods"]


def test_all_are_run_in_their_order_unless_some_are_named() -> None:
    assert selected(None) == list(BENCHMARKS)
    assert selected(["load", "boot"]) == ["boot", "load"]
    with pytest.raises(UsageError, match=r"^--only: found 'lod'; allowed is boot, smoke, prober, .*load$"):
        selected(["boot", "lod"])


def test_each_benchmark_runs_in_one_way_and_no_figure_is_asked_twice() -> None:
    assert all((one.alone is None) is not (one.on_cluster is None) for one in BENCHMARKS.values())
    names = [wanted.name for one in BENCHMARKS.values() for wanted in one.wanted]
    names += [figure.wanted.name for figure in ELSEWHERE]
    assert len(names) == len(set(names))


def test_every_figure_is_in_the_document() -> None:
    text = (ROOT / "docs" / "figures.md").read_text("utf-8")
    wanted = [wanted for one in BENCHMARKS.values() for wanted in one.wanted] + [one.wanted for one in ELSEWHERE]
    rows = [f"| {one.name} | {one.asked_for} | {one.asked} |" for one in wanted]
    assert [row for row in rows if row not in text] == []


def giving(*figures: Figure, then: Exception | None = None) -> Callable[[Console], Figures]:
    """A benchmark that gives these figures, and then breaks."""

    def run(_console: Console) -> Figures:
        yield from figures
        if then:
            raise then

    return run


def collected(monkeypatch: pytest.MonkeyPatch, file: Path, **benchmarks: Benchmark) -> int:
    """Run made-up benchmarks as the command does; returns its exit code."""
    monkeypatch.setattr(collecting, "BENCHMARKS", benchmarks)
    monkeypatch.setattr(collecting, "check_root", lambda: None)
    return main([*(word for name in benchmarks for word in ("--only", name)), "--json", str(file)])


@pytest.mark.parametrize(
    ("figure", "then", "code"),
    [
        (TIME.measured(1), None, 0),
        (TIME.unmeasured("no browser"), None, 0),
        (TIME.measured(3), None, 1),
        (TIME.measured(1), SuiteError("gone"), 3),
        (TIME.measured(3), ValueError(), 3),
    ],
)
def test_the_exit_code_says_what_came_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, figure: Figure, then: Exception | None, code: int
) -> None:
    one = Benchmark((TIME,), alone=giving(figure, then=then))
    assert collected(monkeypatch, tmp_path / "figures.json", one=one) == code


def test_when_one_breaks_the_others_go_on_and_what_is_missing_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures.json"
    breaking = Benchmark((TIME, RATE), alone=giving(TIME.measured(1), then=SuiteError("it is gone\nsince noon")))
    sound = Benchmark((SEEN,), alone=giving(SEEN.measured(7)))
    assert collected(monkeypatch, file, breaking=breaking, sound=sound) == 3
    found = json.loads(file.read_text("utf-8"))
    assert found["broken"] == {"breaking": "it is gone"}
    assert [(one["name"], one["value"], one["holds"], one["why"]) for one in found["figures"]] == [
        ("a time", 1, True, ""),
        ("a rate", None, None, "benchmark breaking broke: it is gone"),
        ("what is seen", 7, None, ""),
    ]
    assert found["figures"][1]["bound"] == {"relation": "≥", "value": 100}
    assert "error: benchmark breaking broke: it is gone" in capsys.readouterr().out


def test_without_the_shared_cluster_those_that_need_none_are_run_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def no_cluster(_name: str | None, **_: object) -> None:
        raise SuiteError("the boot failed")

    monkeypatch.setattr(running, "open_cluster", no_cluster)
    needs = Benchmark((RATE,), on_cluster=load.figures)
    file = tmp_path / "figures.json"
    assert collected(monkeypatch, file, first=needs, second=needs, alone=Benchmark((TIME,), alone=giving())) == 3
    assert json.loads(file.read_text("utf-8"))["broken"] == dict.fromkeys(["first", "second"], "the boot failed")


def test_after_ctrl_c_what_was_measured_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def run(_console: Console) -> Figures:
        yield TIME.measured(1)
        raise KeyboardInterrupt

    file = tmp_path / "figures.json"
    assert collected(monkeypatch, file, one=Benchmark((TIME, RATE), alone=run)) == 130
    assert [one["name"] for one in json.loads(file.read_text("utf-8"))["figures"]] == ["a time"]


@pytest.fixture
def _no_clusters(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(collecting, "check_root", lambda: None)


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        (main, ["--only", "lod"], "--only: found 'lod'; allowed is boot, "),
        (main, ["--only"], "--only: expected at least one argument"),
        (
            main,
            ["--only", "prober", "--json", "/absent/figures.json"],
            "--json: /absent/figures.json cannot be written",
        ),
        (main, ["--cluster-name", "nobody"], "--cluster-name: no local cluster 'nobody' is running"),
        (footprint.main, ["--profile", "cor"], "--profile: found 'cor'; allowed is smoke, core, full"),
        (footprint.main, ["-n", "0"], "-n: found 0; allowed is 1 or more"),
        (azure.main, ["--repeat", "0"], "--repeat: found 0; allowed is 1 or more"),
        (load.main, ["--users", "3"], "unrecognized arguments: --users 3"),
    ],
)
@pytest.mark.usefixtures("_no_clusters")
def test_bad_input_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str], command: Callable[[list[str]], int], arguments: list[str], message: str
) -> None:
    assert command(arguments) == 4
    said = capsys.readouterr()
    assert message in said.err
    assert (said.err.count("\n"), said.out) == (1, "")
