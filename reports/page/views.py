"""What the page shows of a run, of a promise and of a case: plain data for the templates."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from pydantic import JsonValue

from fixtures.history import Finding
from fixtures.verdicts import Verdict
from reports.page.charts import Curve, Pair, Shares, convergence_curve, latency_curve, pairs, shares
from reports.page.histories import Histories
from reports.page.load import LoadChart, load_chart
from reports.page.timeline import Timeline, axis_of, strips_of, timeline
from reports.page.topology import Topology, topology
from reports.page.words import CHAPTERS, source_link
from reports.record import CaseFinished, Promise
from reports.results import Results
from reports.summary import count, reproduce_command, title

_FIRST_LINE = re.compile(r"expected (.*); observed (.*); seen from (.*)", re.S)


class FindingView(NamedTuple):
    """A finding and what can be drawn of it."""

    finding: Finding
    shares: Shares | None
    pairs: tuple[Pair, ...]
    curves: tuple[Curve, ...]


class Panel(NamedTuple):
    """What a case that is fail says, taken apart."""

    expected: str
    observed: str
    vantage: str
    since: str
    """When the longest gap of the blamed vantages began, and how long it was; empty: no probe of theirs was lost."""


@dataclass(frozen=True)
class CaseView:
    """One test case."""

    case: CaseFinished
    label: str
    """What tells it from its promise's other cases; empty: it is the only one."""
    sentence: str
    findings: tuple[FindingView, ...]
    timelines: tuple[Timeline, ...]
    topologies: tuple[Topology, ...]
    panel: Panel | None
    notes: tuple[str, ...]
    """What of its histories could not be read."""
    loads: tuple[LoadChart, ...] = ()
    again: bool = False
    """Whether it passed by the same record as the first case of its promise, which shows what was done."""


@dataclass(frozen=True)
class PromiseView:
    """One promise with its cases."""

    promise: Promise
    verdict: Verdict
    link: str | None
    cases: tuple[CaseView, ...]
    reason: str
    panel: Panel | None
    seconds: float
    command: str
    manifests: tuple[str, ...]
    files: tuple[str, ...]
    """Names of its histories."""
    evidence: tuple[str, ...]
    """Folders with what was kept of its failures."""
    search: str

    @property
    def sentence(self) -> str:
        """What was observed, in one line."""
        return self.reason or next((case.sentence for case in self.cases if case.sentence), "")

    @property
    def first_bad(self) -> int:
        """Place of the first case that decided the verdict."""
        return next(number for number, case in enumerate(self.cases) if case.case.verdict is self.verdict)

    @property
    def is_bad(self) -> bool:
        """Whether it is broken or could not be judged."""
        return self.verdict in (Verdict.FAIL, Verdict.ERROR)


class ChapterView(NamedTuple):
    """The promises of one chapter."""

    id: str
    title: str
    sentence: str
    promises: tuple[PromiseView, ...]
    counts: Counter[Verdict]


class Answer(NamedTuple):
    """The answer to the question of the suite."""

    kind: Literal["yes", "no", "unknown"]
    word: str
    sentence: str


def chapters(results: Results, histories: Histories) -> list[ChapterView]:
    """Every chapter that has promises, in the order of the reports."""
    found = []
    for chapter, counts in results.by_chapter().items():
        own = tuple(_promise(results, promise, histories) for promise in results.promises if promise.chapter == chapter)
        found.append(ChapterView(chapter, *CHAPTERS[chapter], own, counts))
    return found


def answer(results: Results) -> Answer:
    """Do Services keep their promises?"""
    counts = sum(results.by_chapter().values(), Counter[Verdict]())
    total = count(counts.total(), "promise")
    if results.state == "not set up":
        return Answer("unknown", "Not known.", "The cluster could not be set up; no promise was tested.")
    if broken := counts[Verdict.FAIL]:
        others = f"; {counts[Verdict.ERROR]} more could not be judged" if counts[Verdict.ERROR] else ""
        return Answer("no", "No.", f"{broken} of {total} {'is' if broken == 1 else 'are'} broken{others}.")
    if wrong := counts[Verdict.ERROR]:
        return Answer("unknown", "Not known.", f"{wrong} of {total} could not be judged; none was seen broken.")
    kept = f"{counts[Verdict.PASS]} of {total} {'is' if counts[Verdict.PASS] == 1 else 'are'} kept"
    missing = [
        f"{counts[verdict]} {words}"
        for verdict, words in (
            (Verdict.NOT_OBSERVABLE, "cannot be seen from here"),
            (Verdict.UNSUPPORTED, "not offered"),
        )
        if counts[verdict]
    ]
    if results.problems:
        return Answer("unknown", "As far as seen, yes.", f"{kept}, but something went wrong around the tests.")
    if missing and results.profile_verdict == "not conformant":
        return Answer("unknown", "In part.", f"{kept}; {', '.join(missing)}.")
    rest = f"; {', '.join(missing)}" if missing else ""
    asked = f" Of the profile, {count(len(results.left_out), 'case')} were left out." if results.left_out else ""
    return Answer("yes", "Yes." if not asked else "Yes, as far as asked.", f"{kept}{rest}.{asked}")


def facts(results: Results) -> list[tuple[str, str]]:
    """What was tested, with what: names and values for the first screen."""
    run, cluster, seen = results.run, results.run.cluster, results.run.detected
    found: list[tuple[str, str]] = []
    if cluster:
        found.append(("Cluster", f"{cluster['kind']} {cluster['name']}, Kubernetes {cluster['kubernetes_version']}"))
        found += _cluster_facts(cluster, seen)
    else:
        found.append(("Cluster", "none: its set-up failed"))
    found.append(("Profile", f"{run.profile}: {results.profile_verdict}"))
    began = run.at.strftime("%-d %B %Y, %H:%M UTC")
    found.append(("Run", f"{began}, {count(len(results.cases), 'case')} in {minutes(results.duration_s)}"))
    commit = (
        f", commit {run.suite_commit[:12]}{'+' * run.suite_commit.endswith('-changed')}" if run.suite_commit else ""
    )
    found.append(("Suite", f"{run.suite_version}{commit}"))
    return found


def _cluster_facts(cluster: Mapping[str, JsonValue], seen: Mapping[str, JsonValue]) -> Iterable[tuple[str, str]]:
    nodes = seen.get("nodes") or cluster.get("nodes")
    if isinstance(nodes, list) and nodes:
        described = sorted({str(n["os"]) for n in nodes if isinstance(n, dict) and n.get("os")})
        yield "Nodes", ", ".join([str(len(nodes)), *described])
    network = [f"{cni} pod network" for cni in [seen.get("cni")] if cni]
    network += [f"kube-proxy {mode}" for mode in [seen.get("proxy_mode")] if mode]
    families = cluster.get("families")
    network += [" and ".join(map(str, families))] if isinstance(families, list) else []
    if network:
        yield "Network", ", ".join(network)
    if provider := cluster.get("load_balancer"):
        yield "Load balancers", str(provider)


def minutes(seconds: float) -> str:
    """A length of time for a person."""
    said = f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    return said.replace(" ", "\N{NO-BREAK SPACE}")


def _promise(results: Results, promise: Promise, histories: Histories) -> PromiseView:
    cases = [results.cases[case] for case in promise.cases]
    verdict = results.verdict(promise)
    reason = results.reason(promise)
    files = dict.fromkeys(file for case in cases for file in case.histories)
    # A case whose scenario had failed before it judged nothing itself: its promise's other cases have the record.
    views = tuple(_case(case, case.histories or tuple(files), histories, alone=len(cases) == 1) for case in cases)
    views = (*views[:1], *(replace(view, again=_is_again(view, views[0])) for view in views[1:]))
    words = [promise.id, promise.promise, promise.source, str(promise.level), str(verdict)]
    words += [f"{title(case)} {case.first_line}" for case in cases]
    return PromiseView(
        promise=promise,
        verdict=verdict,
        link=source_link(promise.source),
        cases=views,
        reason=reason,
        panel=next((view.panel for view in views if view.panel), None),
        seconds=sum(case.duration_s for case in cases),
        command=reproduce_command(results, promise.id),
        manifests=tuple(dict.fromkeys(file for case in cases for file in case.manifests)),
        files=tuple(files),
        evidence=tuple(dict.fromkeys(case.evidence for case in cases if case.evidence)),
        search=" ".join(words).lower(),
    )


def _is_again(view: CaseView, first: CaseView) -> bool:
    shown = bool(first.timelines) and first.timelines[0].events != ()
    return view.case.verdict is Verdict.PASS and shown and view.case.histories == first.case.histories


def _panel(case: CaseFinished, timelines: Sequence[Timeline], blamed: Collection[str]) -> Panel | None:
    """The words of a failing case; None: it is none, or it said something else."""
    found = _FIRST_LINE.fullmatch(case.first_line)
    if case.verdict is not Verdict.FAIL or not found:
        return None
    failing = [finding.numbers for finding in case.findings if finding.verdict is Verdict.FAIL]
    # Of a share that is off, what was lost on the way says nothing.
    about_loss = any("longest_at_least_s" in numbers or numbers.get("failed") for numbers in failing)
    gaps = [gap for timeline in timelines for gap in timeline.gap_lines if about_loss and gap.vantage in blamed]
    longest = max(gaps, key=lambda gap: gap.at_least_s, default=None)
    since = f"{longest.when}: {longest.bounds}, {longest.lost} probes lost" if longest else ""
    return Panel(found[1], found[2], found[3], since)


def _case(case: CaseFinished, files: Sequence[str], histories: Histories, *, alone: bool) -> CaseView:
    timelines, topologies, notes = [], [], []
    curves: list[Curve] = []
    loads: list[LoadChart] = []
    failing = [finding for finding in case.findings if finding.verdict is Verdict.FAIL]
    blamed = {vantage for finding in failing for vantage in finding.vantage.split(", ")}
    vantages = {vantage for finding in case.findings for vantage in finding.vantage.split(", ")}
    for name in files:
        seen, note = histories.get(name)
        notes += [note] if note else []
        if seen is not None and (load := load_chart(seen)):
            loads.append(load)
        if seen is None or not (strips := strips_of(seen, set(case.params.values()), vantages)):
            continue
        axis = axis_of(seen, strips)
        drawn = timeline(seen, strips, axis)
        # Where all went well and nothing was done there is nothing to see but that.
        if case.verdict is not Verdict.PASS or drawn.faults or drawn.gap_lines:
            timelines.append(drawn)
        if case.verdict is not Verdict.PASS:
            topologies.append(topology(seen, strips, axis, blamed, failed=case.verdict is Verdict.FAIL))
        if any(finding.check == "latency" for finding in case.findings):
            curve = latency_curve(strips, seen.phase("judged"))
            curves += [curve] if curve else []
    findings = tuple(_finding(finding, curves if finding.check == "latency" else []) for finding in case.findings)
    sentence = case.first_line or next((finding.sentence for finding in case.findings), "")
    label = "" if alone else case.case.partition("[")[2].removesuffix("]")
    panel = _panel(case, timelines, blamed)
    return CaseView(
        case, label, sentence, findings, tuple(timelines), tuple(topologies), panel, tuple(notes), tuple(loads)
    )


def _finding(finding: Finding, curves: Sequence[Curve]) -> FindingView:
    curve = convergence_curve(finding)
    return FindingView(finding, shares(finding), pairs(finding), (*curves, *([curve] if curve else [])))
