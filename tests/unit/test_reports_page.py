"""report.html: what it answers, shows and refuses; what it looks like is for tests/browser."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from fixtures.errors import UsageError
from fixtures.history import Finding
from fixtures.verdicts import Verdict
from reports.page.charts import convergence_curve, pairs, shares
from reports.page.document import document
from reports.page.seen import read
from reports.page.timeline import Axis, axis_of, strips_of, timeline
from reports.page.topology import topology
from reports.page.views import answer
from reports.page.words import shortened, source_link
from reports.record import Problem
from reports.results import load, results
from tests.unit import made_runs, records

P, F, E = Verdict.PASS, Verdict.FAIL, Verdict.ERROR
N, U = Verdict.NOT_OBSERVABLE, Verdict.UNSUPPORTED


def page_of(folder: Path) -> str:
    return document(load(folder)).decode()


@pytest.mark.parametrize(
    ("verdicts", "kind", "sentence"),
    [
        ((P, P, P, P), "yes", "2 of 2 promises are kept."),
        ((P, U, P, P), "yes", "2 of 2 promises are kept."),
        ((P, P, F, P), "no", "1 of 2 promises is broken."),
        ((F, P, F, P), "no", "2 of 2 promises are broken."),
        ((F, P, P, E), "no", "1 of 2 promises is broken; 1 more could not be judged."),
        ((P, P, E, P), "unknown", "1 of 2 promises could not be judged; none was seen broken."),
        ((P, P, N, N), "unknown", "1 of 2 promises is kept; 1 cannot be seen from here."),
        ((U, U, P, P), "unknown", "1 of 2 promises is kept; 1 not offered."),
        ((P, P), "unknown", "1 of 2 promises could not be judged; none was seen broken."),
    ],
)
def test_the_answer(verdicts: tuple[Verdict, ...], kind: str, sentence: str) -> None:
    found = answer(results(records.whole_run(*verdicts)))
    assert (found.kind, found.sentence) == (kind, sentence)


def test_the_answer_of_a_run_that_is_not_whole() -> None:
    events = records.whole_run(P, P, P, P)
    events[1] = records.collected(left_out=("conformance/x.py::test_x",))
    assert answer(results(events)).word == "Yes, as far as asked."
    setup = Problem(at=records.at(2), what="setup", message="no API server")
    assert answer(results([*records.whole_run()[:2], setup])).sentence.startswith("The cluster could not be set up")
    cleanup = Problem(at=records.at(8), what="cleanup", message="a node is left")
    assert answer(results([*records.whole_run(P, P, P, P), cleanup])).kind == "unknown"


def test_a_page_is_one_file_without_any_other_and_the_same_each_time(tmp_path: Path) -> None:
    made_runs.run(tmp_path, P, F)
    page = page_of(tmp_path)
    assert page == page_of(tmp_path)
    loaded, links = loads_of(page), set(re.findall(r'<a [^>]*href="([^#"][^"]*)"', page))
    assert loaded == []
    assert links == {"https://github.com/kubernetes/enhancements/issues/1672"}
    assert "default-src 'none'" in page


def loads_of(page: str) -> list[str]:
    """What a browser would fetch for a page: elements that load something, and addresses in its style."""
    found: list[str] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.extend(f"{tag} {name}" for name, _ in attrs if name in ("src", "srcset", "data", "action", "poster"))
            found.extend([tag] if tag in ("link", "iframe", "object", "embed", "base") else [])

    Parser().feed(page)
    return found + re.findall(r"@import|url\(", page)


def test_a_page_has_the_words_the_verdict_the_numbers_and_how_to_reproduce(tmp_path: Path) -> None:
    page = page_of(made_runs.run(tmp_path, P, F, seed=7))
    assert "No &lt;request&gt; is lost." in page
    assert "<request>" not in page
    assert "create Service &lt;web&gt;" in page
    assert "1 of 1 promise is broken." in page
    assert "0.950 to 1.052 s" in page
    assert "pytest conformance --requirement=lifecycle.loses_nothing --seed=7" in page
    assert "<code>manifests/web.yaml</code>" in page
    assert "<code>history/scenario-0.jsonl</code>" in page


def test_a_run_that_broke_off_says_so(tmp_path: Path) -> None:
    page = page_of(made_runs.run(tmp_path, P, ended=False))
    assert "The run was killed" in page


def test_a_history_that_is_missing_or_cut_off_is_said(tmp_path: Path) -> None:
    made_runs.run(tmp_path, P, P, ended=False)
    first, second = (tmp_path / "history" / f"scenario-{n}.jsonl" for n in (0, 1))
    first.unlink()
    second.write_bytes(second.read_bytes()[:-10])
    page = page_of(tmp_path)
    assert "history/scenario-0.jsonl is not there" in page
    assert "history/scenario-1.jsonl was cut off in its last line" in page


def test_a_history_that_was_changed_or_is_none_is_refused(tmp_path: Path) -> None:
    made_runs.run(tmp_path, P)
    file = tmp_path / "history" / "scenario-0.jsonl"
    made_runs.edit(file, '"ok"', '"reset"')
    with pytest.raises(UsageError, match=r"scenario-0\.jsonl: it was changed after the run: .* is allowed"):
        page_of(tmp_path)
    made_runs.edit(file, '"history_version":2', '"history_version":1')
    with pytest.raises(UsageError, match=r"scenario-0\.jsonl:1: .*version 2 is allowed"):
        page_of(tmp_path)


def test_a_timeline_has_the_outage_with_its_bounds_and_what_was_done(tmp_path: Path) -> None:
    made_runs.run(tmp_path, F)
    seen = read(tmp_path / "history" / "scenario-0.jsonl")
    strips = strips_of(seen, {"ClusterIP-new"})
    axis = axis_of(seen, strips)
    found = timeline(seen, strips, axis)
    assert [(row.vantage, row.failed, row.probes) for row in found.rows] == [
        ("pod on node-1", 20, 171),
        ("pod on node-2", 0, 171),
    ]
    (gap,) = found.gap_lines
    assert (gap.bounds, gap.lost, gap.kinds) == ("0.948 to 1.052 s", "20 of 20", "refused")
    assert gap.when.startswith("+0.95 s")
    assert [event.text for event in found.events] == ["delete web-…aaaaa (took 0.10 s)", "create Service <web>", "end"]
    assert [lane.name for lane in found.lanes] == ["Endpoints", "Service"]
    assert found.kinds == ("refused",)
    assert [pod.node for pod in found.pods] == ["node-1", "node-2"]
    piece = found.rows[0].gaps[0]
    assert piece.outer.x < piece.inner.x + piece.inner.width <= piece.outer.x + piece.outer.width + 0.01
    assert axis.x(made_runs.START + 60 * 0.05) == pytest.approx(piece.inner.x, abs=0.01)


def test_a_case_without_a_way_is_about_all_that_was_probed(tmp_path: Path) -> None:
    made_runs.run(tmp_path, P)
    seen = read(tmp_path / "history" / "scenario-0.jsonl")
    assert len(strips_of(seen, {"IPv4"})) == 2


def test_the_failing_path_is_marked(tmp_path: Path) -> None:
    made_runs.run(tmp_path, F)
    seen = read(tmp_path / "history" / "scenario-0.jsonl")
    strips = strips_of(seen, ())
    found = topology(seen, strips, axis_of(seen, strips), {"pod on node-1"}, failed=True)
    assert [(box.name, box.where, box.failing) for box in found.sources] == [
        ("pod", "on node-1", True),
        ("pod", "on node-2", False),
    ]
    assert [edge.state for edge in found.to_targets] == ["failing", "well"]
    assert found.words.endswith("20 not answered; failing: pod on node-1 to ClusterIP-new 10.0.0.1:80")
    allowed = topology(seen, strips, axis_of(seen, strips), (), failed=False)
    assert [edge.state for edge in allowed.to_targets] == ["lossy", "well"]


def test_the_ticks_of_an_axis_are_round_and_within() -> None:
    axis = Axis(98.0, 131.0, 100.0)
    assert [label for _, label in axis.ticks()] == ["0 s", "5 s", "10 s", "15 s", "20 s", "25 s", "30 s"]
    assert axis.x(98.0) == 0
    assert axis.x(200.0) == 100


def finding(**fields: object) -> Finding:
    return Finding.model_validate(
        {"check": "c", "verdict": P, "expected": "e", "sentence": "s", "vantage": "v", **fields}
    )


def test_shares_lie_on_one_scale_with_what_was_expected() -> None:
    numbers = {"share_of_web_a": 0.6, "low_of_web_a": 0.5, "high_of_web_a": 0.7, "expected_of_web_a": 0.5}
    chart = shares(finding(numbers={**numbers, "margin": 0.1, "connections": 200.0}))
    assert chart is not None
    (bar,) = chart.bars
    assert bar.name == "web-a"
    assert bar.expected is not None
    assert bar.low == pytest.approx(bar.expected)
    assert bar.value / bar.low == pytest.approx(1.2)
    assert shares(finding()) is None


def test_what_was_measured_both_ways_is_paired() -> None:
    numbers = {"service_p50_ms": 2.0, "direct_p50_ms": 1.0, "service_p50_low_ms": 1.5, "service_p50_high_ms": 4.0}
    (pair,) = pairs(finding(numbers={**numbers, "service_alone_ms": 3.0, "added_p50_ms": 1.0}))
    assert (pair.name, pair.service.value, pair.service.high, pair.direct.value) == ("p50", 50.0, 100.0, 25.0)


def test_the_curve_of_a_convergence_ends_with_its_longest_sample() -> None:
    series = {"at_least_s": (0.1, 0.2, 0.4), "at_most_s": (0.2, 0.3, 1.0)}
    curve = convergence_curve(finding(series=series, numbers={"budget_s": 2.0}))
    assert curve is not None
    assert curve.limit is not None
    assert curve.lines[1].path.endswith(f"H{10 * 100 * 1.0 / 2.1:.1f}")
    assert convergence_curve(finding(series=series, numbers={"budget_s": 60.0})).limit is None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("source", "link"),
    [
        ("KEP-1669, Proxy terminating endpoints", "https://github.com/kubernetes/enhancements/issues/1669"),
        ("kubernetes.io: Service, type: NodePort", "https://kubernetes.io/docs/concepts/services-networking/service/"),
        (
            "kubernetes.io: Virtual IPs and Service Proxies: x",
            "https://kubernetes.io/docs/reference/networking/virtual-ips/",
        ),
        ("a book", None),
    ],
)
def test_a_source_leads_to_its_page(source: str, link: str | None) -> None:
    assert source_link(source) == link


def test_pods_have_short_names() -> None:
    assert shortened("delete web-0a1b2c3d-5f6d8b9c7d-aaaaa now") == "delete web-…aaaaa now"
    assert shortened("web-5f6d8b9c7d") == "web-5f6d8b9c7d"
    assert shortened("pod on aks-nodepool1-00000000-vmss00000a") == "pod on node …00000a"
    assert shortened("node aks-nodepool1-00000000-vmss000000") == "node …000000"
