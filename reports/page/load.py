"""Load over time: users, requests a second, times of answers and losses, each on a lane; drawn by load.html."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fixtures.loads import LoadRow, Take, quantile_ms, summed
from reports.page.seen import Seen, Span

PERCENTILES = (50, 95, 99)
MOST_POINTS = 900
"""Of a block's curve: of a soak of hours each second would be megabytes of page."""
STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800)
SOONEST_S = 1.0
"""A chart is at least so long."""


class Band(NamedTuple):
    """A part of the time, in percent of the axis."""

    x: float
    width: float
    text: str


class LoadLine(NamedTuple):
    """One curve; its points in 1000 x 100 units."""

    name: str
    path: str


@dataclass(frozen=True)
class Lane:
    """One quantity over time."""

    title: str
    top: str
    """What the upper end of its scale is, with the unit."""
    lines: tuple[LoadLine, ...]


@dataclass(frozen=True)
class LoadChart:
    """A record's load."""

    lanes: tuple[Lane, ...]
    blocks: tuple[Band, ...]
    """Every second one is shaded; its text says what was called."""
    faults: tuple[Band, ...]
    ticks: tuple[tuple[float, str], ...]


class _Second(NamedTuple):
    at: float
    length_s: int
    users: int
    sized: bool
    """Whether answers were asked for by their size."""
    rows: list[LoadRow]


def load_chart(seen: Seen) -> LoadChart | None:
    """The curves of a record's load; None: it has none."""
    takes = [take for take in seen.takes if take.reports]
    if not takes:
        return None
    first = takes[0].began_at
    length = max(SOONEST_S, max(take.began_at + take.lasted_s for take in takes) - first)

    def x(at: float) -> float:
        return min(100.0, max(0.0, 100 * (at - first) / length))

    def band(began_at: float, ended_at: float, text: str) -> Band:
        return Band(x(began_at), x(ended_at) - x(began_at), text)

    def span(done: Span) -> Band:
        return band(done.began_at, done.ended_at or first + length, done.text)

    groups = [_seconds(take) for take in takes]
    blocks = tuple(band(t.began_at, t.began_at + t.lasted_s, f"{t.block.label}, {t.block.connection}") for t in takes)
    faults = tuple(span(s) for s in seen.faults if s.began_at <= first + length)
    step = next((s for s in STEPS_S if length / s <= 8), 3600)
    ticks = tuple((x(first + n * step), f"{n * step:d} s") for n in range(math.floor(length / step) + 1))
    return LoadChart(tuple(_lanes(groups, x)), blocks, faults, ticks)


def _seconds(take: Take) -> list[_Second]:
    """The whole seconds of a block, over all workers; of a long one several at a time, MOST_POINTS at most."""
    last = math.ceil(take.lasted_s)
    every = math.ceil(last / MOST_POINTS) or 1
    rows: dict[int, list[LoadRow]] = {}
    for row in take.all_rows:
        if row.second < last:
            rows.setdefault(row.second // every, []).append(row)
    users, sized = take.block.users, bool(take.block.sizes_b)
    lengths = {number: min(every, last - number * every) for number in rows}
    return [
        _Second(take.began_at + number * every + lengths[number] / 2, lengths[number], users, sized, own)
        for number, own in sorted(rows.items())
    ]


def _lanes(groups: Sequence[Sequence[_Second]], x: Callable[[float], float]) -> Iterator[Lane]:
    """Each quantity; a curve is interrupted between blocks."""

    def lane(title: str, unit: str, curves: Mapping[str, Callable[[_Second], float]]) -> Lane:
        values = {name: [[(s.at, of(s)) for s in group] for group in groups] for name, of in curves.items()}
        known = [v for parts in values.values() for part in parts for _, v in part if math.isfinite(v)]
        top = max(known, default=0.0) or 1.0
        lines = tuple(LoadLine(name, "".join(_path(part, x, top) for part in parts)) for name, parts in values.items())
        return Lane(title, f"{top:,.3g}{unit}" if top < 1000 else f"{top:,.0f}{unit}", lines)

    def percentile(percent: int) -> Callable[[_Second], float]:
        return lambda second: quantile_ms(summed(row.took for row in second.rows), percent / 100)

    yield lane("Users", "", {"users": lambda second: second.users})
    yield lane(
        "Requests a second", "", {"answered": lambda second: sum(row.ok for row in second.rows) / second.length_s}
    )
    if any(second.sized for group in groups for second in group):
        yield lane(
            "Megabytes a second", " MB", {"answered": lambda second: sum(row.bytes for row in second.rows) / 1e6}
        )
    yield lane("Time of answers", " ms", {f"p{percent}": percentile(percent) for percent in PERCENTILES})
    classes = summed(row.failed for group in groups for second in group for row in second.rows)
    yield lane("Lost a second", "", {name: _lost(name) for name in classes} or {"none": lambda _: 0.0})


def _lost(name: str) -> Callable[[_Second], float]:
    return lambda second: sum(row.failed.get(name, 0) for row in second.rows) / second.length_s


def _megabytes(second: _Second) -> float:
    return sum(row.bytes for row in second.rows) / 1e6 / second.length_s


def _path(points: Sequence[tuple[float, float]], x: Callable[[float], float], top: float) -> str:
    """An SVG path through points whose value is known, in 1000 x 100 units, y upwards."""
    known = [(10 * x(at), 100 - 98 * value / top) for at, value in points if math.isfinite(value)]
    return "".join(f"{'L' if number else 'M'}{a:.1f} {b:.1f}" for number, (a, b) in enumerate(known))
