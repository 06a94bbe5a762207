"""Two runs side by side: promises that changed their verdict, numbers that moved beyond their intervals, tests."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from fixtures.history import Finding
from fixtures.verdicts import Verdict
from reports.results import Results
from reports.summary import Line, count, title_of

Direction = Literal["worse", "better", "other"]


class Change(NamedTuple):
    """A promise whose verdict is another one; None: the run does not have it."""

    id: str
    promise: str
    old: Verdict | None
    new: Verdict | None
    reason: str
    """Why the newer verdict is what it is."""

    @property
    def direction(self) -> Direction:
        """Whether that is worse; what one of the runs does not have is neither."""
        if self.old is None or self.new is None:
            return "other"
        order = list(Verdict)
        return "worse" if order.index(self.new) < order.index(self.old) else "better"


class Interval(NamedTuple):
    """A number and the interval in which the truth lies."""

    low: float
    value: float
    high: float

    def __str__(self) -> str:
        """As text."""
        high = f"{self.high:.4g}" if math.isfinite(self.high) else "…"
        return f"{self.value:.4g} [{self.low:.4g}, {high}]"


class Moved(NamedTuple):
    """A number of which the intervals of both runs have nothing in common."""

    case: str
    name: str
    old: Interval
    new: Interval
    direction: Direction


@dataclass(frozen=True)
class Comparison:
    """What is different in the second run."""

    old: Results
    new: Results
    contexts: tuple[tuple[str, str, str], ...]
    """In what the runs themselves differ: what, in the old one, in the new one."""
    changes: tuple[Change, ...]
    moved: tuple[Moved, ...]
    new_cases: tuple[str, ...]
    gone_cases: tuple[str, ...]

    @property
    def regressions(self) -> tuple[Change, ...]:
        """Promises with a worse verdict."""
        return tuple(change for change in self.changes if change.direction == "worse")


def compare(old: Results, new: Results) -> Comparison:
    """Compare two runs."""
    return Comparison(
        old,
        new,
        tuple(_contexts(old, new)),
        tuple(_changes(old, new)),
        tuple(_moved(old, new)),
        tuple(case for case in new.cases if case not in old.cases),
        tuple(case for case in old.cases if case not in new.cases),
    )


def lines(comparison: Comparison) -> list[Line]:
    """The comparison for a terminal."""
    found = [Line(f"old: {_run(comparison.old)}"), Line(f"new: {_run(comparison.new)}")]
    found += [Line(f"{what}: {a} -> {b}", "yellow") for what, a, b in comparison.contexts]
    colours: dict[Direction, str] = {"worse": "red", "better": "green", "other": "yellow"}
    for change in comparison.changes:
        verdicts = f"{change.old or 'not there'} -> {change.new or 'not there'}"
        found.append(Line(f"{change.direction:6} {change.id}  {verdicts}", colours[change.direction]))
        found += [Line(f"       {change.reason}")] if change.reason and change.direction == "worse" else []
    for moved in comparison.moved:
        found.append(Line(f"moved  {moved.case}  {moved.name}: {moved.old} -> {moved.new}", colours[moved.direction]))
    for what, cases in (("new", comparison.new_cases), ("gone", comparison.gone_cases)):
        found += [Line(f"{what:6} {case}") for case in cases]
    return [*found, Line(verdict_of(comparison), "red" if comparison.regressions else "green")]


def verdict_of(comparison: Comparison) -> str:
    """The comparison in one line."""
    worse = len(comparison.regressions)
    better = sum(change.direction == "better" for change in comparison.changes)
    words = [f"{count(worse, 'promise')} worse", f"{better} better", f"{count(len(comparison.moved), 'number')} moved"]
    words += [f"{len(comparison.new_cases)} new and {len(comparison.gone_cases)} gone cases"]
    return f"{'regression' if worse else 'no regression'}: {', '.join(words)}"


def intervals(finding: Finding) -> dict[str, Interval]:
    """The numbers of a finding that have an interval, by name.

    Those are NAME_UNIT with NAME_low_UNIT and NAME_high_UNIT, the bounds of the longest outage, and the least and the
    greatest share: which pod has it is chance.
    """
    numbers, found = finding.numbers, {}
    for key, value in numbers.items():
        name, _, unit = key.rpartition("_")
        low, high = numbers.get(f"{name}_low_{unit}"), numbers.get(f"{name}_high_{unit}")
        if low is not None or high is not None:
            found[key] = Interval(-math.inf if low is None else low, value, math.inf if high is None else high)
    if "longest_at_least_s" in numbers:
        low = numbers["longest_at_least_s"]
        found["longest_s"] = Interval(low, low, numbers.get("longest_at_most_s", math.inf))
    pods = [key.removeprefix("share_of_") for key in numbers if key.startswith("share_of_")]
    shares = sorted(_share(numbers, pod) for pod in pods)
    for name, share in zip(("least share", "greatest share"), shares[:1] + shares[-1:], strict=False):
        found[name] = share
    return found


def _share(numbers: Mapping[str, float], pod: str) -> Interval:
    return Interval(*(numbers[f"{part}_of_{pod}"] for part in ("low", "share", "high")))


def _contexts(old: Results, new: Results) -> Iterable[tuple[str, str, str]]:
    for what in ("suite_version", "suite_commit", "profile"):
        a, b = getattr(old.run, what), getattr(new.run, what)
        if a != b:
            yield what.replace("_", " "), str(a), str(b)
    for what in ("kind", "kubernetes_version"):
        a, b = ((run.run.cluster or {}).get(what) for run in (old, new))
        if a != b:
            yield f"cluster: {what.replace('_', ' ')}", str(a), str(b)
    for name in dict.fromkeys([*old.run.budgets, *new.run.budgets]):
        values = [run.run.budgets[name].value if name in run.run.budgets else None for run in (old, new)]
        if values[0] != values[1]:
            yield f"budget {name}", f"{values[0]}", f"{values[1]}"


def _changes(old: Results, new: Results) -> Iterable[Change]:
    before, after = ({promise.id: promise for promise in run.promises} for run in (old, new))
    for id_ in dict.fromkeys([*after, *before]):
        was = old.verdict(before[id_]) if id_ in before else None
        now = new.verdict(after[id_]) if id_ in after else None
        if was != now:
            reason = new.reason(after[id_]) if id_ in after else ""
            yield Change(id_, (after.get(id_) or before[id_]).promise, was, now, reason)


def _moved(old: Results, new: Results) -> Iterable[Moved]:
    for case, finished in new.cases.items():
        if case not in old.cases:
            continue
        earlier = list(old.cases[case].findings)
        for finding in finished.findings:
            # Of several findings of one check the first is held against the first, and so on.
            match = next((found for found in earlier if found.check == finding.check), None)
            if match is None:
                continue
            earlier.remove(match)
            was = intervals(match)
            for name, now in intervals(finding).items():
                if name in was and (now.low > was[name].high or now.high < was[name].low):
                    label = title_of(finished.requirement, case)
                    yield Moved(label, f"{finding.check} {name}", was[name], now, _direction(name, was[name], now))


def _direction(name: str, old: Interval, new: Interval) -> Direction:
    if not name.endswith(("_s", "_ms")):
        return "other"
    return "worse" if new.low > old.high else "better"


def _run(run: Results) -> str:
    cluster = run.run.cluster
    where = f"{cluster['kind']} {cluster['name']}, {cluster['kubernetes_version']}" if cluster else "no cluster"
    return f"{run.run.run_id}, profile {run.run.profile}, {where}: {run.profile_verdict}"
