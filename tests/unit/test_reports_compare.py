"""Two runs side by side; the badge; the job summary."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from fixtures.history import Finding
from fixtures.verdicts import Verdict
from reports import badge, markdown
from reports.__main__ import main
from reports.compare import Interval, compare, intervals, verdict_of
from reports.record import Event
from reports.results import results
from tests.unit import records

P, F, E = Verdict.PASS, Verdict.FAIL, Verdict.ERROR
N, U = Verdict.NOT_OBSERVABLE, Verdict.UNSUPPORTED


@pytest.mark.parametrize(
    ("old", "new", "directions"),
    [
        ((P, P, P, P), (P, P, P, P), []),
        ((P, P, P, P), (P, F, P, P), ["worse"]),
        ((P, P, P, P), (P, P, N, P), ["worse"]),
        ((P, P, P, P), (U, U, P, P), ["worse"]),
        ((P, P, E, P), (P, P, F, P), ["worse"]),
        ((P, F, P, P), (P, P, P, P), ["better"]),
        ((P, F, P, P), (P, P, E, P), ["better", "worse"]),
        ((P, F, P, P), (F, P, P, P), []),
    ],
)
def test_promises_that_changed_their_verdict(
    old: tuple[Verdict, ...], new: tuple[Verdict, ...], directions: list[str]
) -> None:
    found = compare(results(records.whole_run(*old)), results(records.whole_run(*new)))
    assert [change.direction for change in found.changes] == directions
    assert verdict_of(found).startswith("regression" if "worse" in directions else "no regression")


def share(pod: str, value: float) -> dict[str, float]:
    """A share of a pod, give or take an eighth."""
    return {f"share_of_{pod}": value, f"low_of_{pod}": value - 0.125, f"high_of_{pod}": value + 0.125}


def with_numbers(**numbers: float) -> list[Event]:
    """A run whose first case measured these."""
    finding = Finding(check="c", verdict=P, expected="e", sentence="s", vantage="v", numbers=numbers)
    events = records.whole_run(P, P, P, P)
    first = events[2]
    events[2] = first.model_copy(update={"findings": (finding,)})
    return events


@pytest.mark.parametrize(
    ("old", "new", "direction"),
    [
        ({"a_ms": 2.0, "a_low_ms": 1.0, "a_high_ms": 3.0}, {"a_ms": 3.0, "a_low_ms": 2.9, "a_high_ms": 4.0}, None),
        ({"a_ms": 2.0, "a_low_ms": 1.0, "a_high_ms": 3.0}, {"a_ms": 4.0, "a_low_ms": 3.1, "a_high_ms": 5.0}, "worse"),
        ({"a_ms": 4.0, "a_low_ms": 3.1}, {"a_ms": 2.0, "a_low_ms": 1.0, "a_high_ms": 3.0}, "better"),
        ({"longest_at_least_s": 0.0, "longest_at_most_s": 1.0}, {"longest_at_least_s": 1.5}, "worse"),
        ({"longest_at_least_s": 0.0}, {"longest_at_least_s": 1.5}, None),
        (share("a", 0.5), share("b", 0.8), "other"),
        (share("a", 0.5), share("b", 0.6), None),
        ({"p50_s": 1.0}, {"p50_s": 9.0}, None),
    ],
)
def test_numbers_that_moved_beyond_their_intervals(
    old: dict[str, float], new: dict[str, float], direction: str | None
) -> None:
    found = compare(results(with_numbers(**old)), results(with_numbers(**new)))
    assert {moved.direction for moved in found.moved} == ({direction} if direction else set())
    assert not found.regressions


def test_the_intervals_of_shares_are_those_of_the_least_and_the_greatest() -> None:
    numbers = {**share("a", 0.25), **share("b", 0.5)}
    finding = Finding(check="c", verdict=P, expected="e", sentence="s", vantage="v", numbers=numbers)
    assert intervals(finding) == {
        "least share": Interval(0.125, 0.25, 0.375),
        "greatest share": Interval(0.375, 0.5, 0.625),
    }


def test_new_and_gone_tests_and_what_the_runs_differ_in() -> None:
    events = [records.started(suite_version="0.2.0", profile="core"), *records.whole_run(P, P, P, P)[1:]]
    events[1] = records.collected(promises=records.collected().promises[:1])
    found = compare(results(records.whole_run(P, P, P, P)), results(events[:4]))
    assert found.gone_cases == records.collected().promises[1].cases
    assert [what for what, _, _ in found.contexts] == ["suite version", "profile"]
    assert [(change.id, change.new) for change in found.changes] == [("dns.name", None)]
    assert not found.regressions


def test_the_command_exits_with_1_on_a_regression_and_writes_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new, page = tmp_path / "old", tmp_path / "new", tmp_path / "compare.html"
    records.write(old, records.whole_run(P, P, P, P))
    records.write(new, records.whole_run(P, F, P, P))
    assert main(["compare", str(old), str(new), "--html", str(page)]) == 1
    assert "regression: 1 promise worse" in capsys.readouterr().out
    assert "Regression: 1 promise worse" in page.read_text("utf-8")
    assert main(["compare", str(new), str(old)]) == 0
    assert main(["compare", str(old), str(old)]) == 0
    assert main(["compare", str(old), str(tmp_path)]) == 4
    assert main(["compare", str(old), str(old), "--html", str(tmp_path / "no" / "x.html")]) == 4
    assert capsys.readouterr().err.count("\n") == 2


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        ((P, P, P, P), "conformant, 2 of 2 kept"),
        ((P, F, P, P), "not conformant, 1 of 2 kept"),
    ],
)
def test_the_badge_says_the_result(verdicts: tuple[Verdict, ...], words: str) -> None:
    root = ET.fromstring(badge.document(results(records.whole_run(*verdicts))))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["Services", words]


def test_the_job_summary_has_the_answer_a_table_and_what_is_wrong(tmp_path: Path) -> None:
    records.write(tmp_path, records.whole_run(P, F, P, P))
    file = tmp_path / "summary.md"
    for _ in range(2):
        assert main(["render", str(tmp_path), "--job-summary", str(file)]) == 0
    text = file.read_text("utf-8")
    assert text.count("No. 1 of 2 promises is broken.") == 2
    assert "| ClusterIP | 0 | 1 | 0 | 0 | 0 |" in text
    assert "- `cluster_ip.port [a::b]`: because of 1" in text
    assert "pytest conformance --requirement=cluster_ip.port" in text
    assert main(["render", str(tmp_path), "--job-summary", str(tmp_path / "no" / "file")]) == 1


def test_text_of_others_is_not_taken_for_markdown() -> None:
    events = records.whole_run(P, P, P)
    case = "conformance/dns/test_b.py::test_name[x]"
    events.insert(-1, records.finished("dns.name", case, F, "a|b <img src=x>\n# `c` *d*"))
    text = markdown.document(results(events))
    assert r"a\|b \<img src=x\> \# \`c\` \*d\*" in text
