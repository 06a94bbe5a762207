"""Shares with intervals, curves, Service against direct: placed in percent, drawn by charts.html."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fixtures.history import Finding
from reports.page.seen import OK, Strip
from reports.page.words import shortened

CURVE_POINTS = 80
"""Of a curve at most: more cannot be told apart on the page."""


class Bar(NamedTuple):
    """A value with its interval; numbers in percent of the scale, words as they are read."""

    name: str
    value: float
    low: float
    high: float
    words: str
    expected: float | None = None


@dataclass(frozen=True)
class Shares:
    """Shares of pods with their intervals, against the expected ones give or take a margin."""

    bars: tuple[Bar, ...]
    margin: float
    """In percent of the scale."""
    ticks: tuple[tuple[float, str], ...]
    connections: int


@dataclass(frozen=True)
class Pair:
    """One quantity, by the Service and without it; the longer of both fills the scale."""

    name: str
    service: Bar
    direct: Bar


@dataclass(frozen=True)
class Line:
    """One curve; its points in 1000 x 100 units, y upwards."""

    name: str
    path: str


@dataclass(frozen=True)
class Curve:
    """How large a part of the measurements is at most so long."""

    title: str
    lines: tuple[Line, ...]
    ticks: tuple[tuple[float, str], ...]
    limit: tuple[float, str] | None = None
    """What was allowed, where it lies on the axis."""


def shares(finding: Finding) -> Shares | None:
    """The shares in a finding's numbers, `share_of_POD` and so on; None: it has none."""
    numbers = finding.numbers
    names = [name.removeprefix("share_of_") for name in numbers if name.startswith("share_of_")]
    if not names:
        return None
    margin = numbers.get("margin", 0.0)
    top = min(
        1.0, 1.08 * max([*(numbers[f"high_of_{n}"] for n in names), *(_expected(numbers, n) + margin for n in names)])
    )
    bars = []
    for name in names:
        share, low, high = (numbers[f"{kind}_of_{name}"] for kind in ("share", "low", "high"))
        words = f"{share:.3f} [{low:.3f}, {high:.3f}]"
        expected = 100 * _expected(numbers, name) / top
        pod = shortened(name.replace("_", "-"))
        bars.append(Bar(pod, 100 * share / top, 100 * low / top, 100 * high / top, words, expected))
    step = next(step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5) if top / step <= 5 or step == 0.5)
    ticks = tuple((100 * n * step / top, f"{n * step:g}") for n in range(math.floor(top / step) + 1))
    return Shares(tuple(bars), 100 * margin / top, ticks, int(numbers.get("connections", 0)))


def _expected(numbers: Mapping[str, float], name: str) -> float:
    return numbers.get(f"expected_of_{name}", 0.0)


def pairs(finding: Finding) -> tuple[Pair, ...]:
    """What a finding measured by the Service and directly, from numbers named `service_NAME_UNIT`, `direct_NAME_UNIT`.

    Their intervals are `service_NAME_low_UNIT` and `service_NAME_high_UNIT`.
    """
    found = []
    for key in finding.numbers:
        quantity = key.removeprefix("service_")
        name, _, unit = quantity.rpartition("_")
        if quantity == key or name.endswith(("_low", "_high")) or f"direct_{quantity}" not in finding.numbers:
            continue
        rows = [_interval(finding.numbers, way, name, unit) for way in ("service", "direct")]
        top = max(max(high, value) for value, _, high in rows) or 1.0
        bars = [
            Bar(
                way, 100 * value / top, 100 * low / top, 100 * high / top, f"{value:.3g} {unit} [{low:.3g}, {high:.3g}]"
            )
            for way, (value, low, high) in zip(("Service", "direct"), rows, strict=True)
        ]
        found.append(Pair(name.replace("_", " "), *bars))
    return tuple(found)


def _interval(numbers: Mapping[str, float], way: str, name: str, unit: str) -> tuple[float, float, float]:
    value = numbers[f"{way}_{name}_{unit}"]
    low, high = (numbers.get(f"{way}_{name}_{end}_{unit}", value) for end in ("low", "high"))
    return value, low, high


def convergence_curve(finding: Finding) -> Curve | None:
    """How soon a change was everywhere: the curves of the lower and of the upper bounds; None: not such a finding."""
    if not finding.series.get("at_most_s"):
        return None
    values = {"at least": finding.series["at_least_s"], "at most": finding.series["at_most_s"]}
    budget_s = finding.numbers.get("budget_s")
    top = max(max(found) for found in values.values())
    # A budget that is far away would press the curves together; it is said in words instead.
    if budget_s is not None and budget_s <= 4 * top:
        top = max(top, budget_s)
    top = 1.05 * top or 1.0
    step = next((step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30) if top / step <= 6), 60)
    return Curve(
        "Until the change had come through",
        tuple(Line(name, _path([100 * v / top for v in sorted(found)])) for name, found in values.items()),
        tuple((100 * n * step / top, f"{n * step:g} s") for n in range(math.floor(top / step) + 1)),
        (100 * budget_s / top, f"allowed {budget_s:g} s") if budget_s is not None and budget_s <= top else None,
    )


def latency_curve(strips: Sequence[Strip], since: float | None) -> Curve | None:
    """How long answers on new connections took, by target, over all vantages; a logarithmic axis. None: no answers."""
    took: dict[str, list[float]] = {}
    for strip in strips:
        rows = zip(strip.at, strip.outcome, strip.fresh, strip.took_s, strict=True)
        good = [
            1000 * s for at, outcome, fresh, s in rows if outcome == OK and fresh and (since is None or at >= since)
        ]
        took.setdefault(strip.target, []).extend(good)
    took = {target: sorted(values) for target, values in took.items()}
    if not took:
        return None
    least, most = min(v[0] for v in took.values()), max(v[-1] for v in took.values())
    first, last = math.floor(math.log10(max(1e-3, least))), math.ceil(math.log10(max(2e-3, most)))
    width = max(1, last - first)

    def x(value: float) -> float:
        return 100 * (math.log10(max(value, 10**first)) - first) / width

    return Curve(
        "How long answers took",
        tuple(Line(target, _path([x(v) for v in values])) for target, values in took.items()),
        tuple((100 * (n - first) / width, f"{10.0**n:g} ms") for n in range(first, last + 1)),
    )


def _path(ordered: Sequence[float]) -> str:
    """The steps of the cumulated shares of some values, in percent of the axis, as an SVG path."""
    count = len(ordered)
    ranks = sorted({round(k * (count - 1) / CURVE_POINTS) for k in range(CURVE_POINTS + 1)})
    parts = [f"M{10 * ordered[0]:.1f} 100"]
    parts += [f"V{100 - 100 * (rank + 1) / count:.1f}H{10 * ordered[min(rank + 1, count - 1)]:.1f}" for rank in ranks]
    return "".join(parts)
