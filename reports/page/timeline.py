"""Timelines: where on the time axis everything lies that a case saw, in percent of the axis; drawn by timeline.html."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from fixtures.checks.finding import clock
from fixtures.checks.impairment import between
from reports.page.seen import NOBODY, OK, OUTCOMES, Change, Gap, Seen, Span, Strip
from reports.page.words import shortened

BEFORE_S, AFTER_S = 2.0, 0.5
"""Shown of the time before something is done, and after it is over."""
ROWS_SHOWN = 24
LISTED = 40
"""Rows and listed events of one timeline; of more, only how many."""
PODS_SHOWN = 12
TICKS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
NARROW = 0.25
"""Percent of the axis: what is shorter is drawn as long as this, what is nearer is drawn as one."""
TEXT = 17.0
"""Percent of the axis that the text of a gap takes."""
NEAR = 3.0
"""Percent of the axis within which marks share a number."""
LANES = {"endpointslices": "Endpoints", "pods": "Pods", "services": "Service", "nodes": "Nodes"}
"""Resources whose changes are shown, and what their lane is called."""


class Piece(NamedTuple):
    """A stretch of the axis."""

    x: float
    width: float


class Stretch(NamedTuple):
    """All pieces of one kind as one SVG path: 10,000 units are the whole axis, `TALL` is its height in pixels."""

    kind: str
    path: str


class GapPiece(NamedTuple):
    """The bounds of a gap: it lies within `outer` and covers `inner` at least (0 wide: it may be shorter than any)."""

    outer: Piece
    inner: Piece
    text: str
    """Empty where it would lie on the text of the gap before."""


class Row(NamedTuple):
    """The strip of one vantage and target."""

    vantage: str
    target: str
    stretches: tuple[Stretch, ...]
    """Of answered probes first, so that what was lost is drawn over them."""
    gaps: tuple[GapPiece, ...]
    failed: int
    probes: int


class Lane(NamedTuple):
    """Changes of one kind of object."""

    name: str
    path: str
    """As in Stretch."""
    changes: tuple[str, ...]


class PodLane(NamedTuple):
    """When a pod gave answers."""

    name: str
    node: str
    path: str
    """As in Stretch."""
    answers: int


class Event(NamedTuple):
    """Something that was done, or a moment that the test noted; `second` counts from the axis' 0."""

    number: int
    second: str
    text: str
    kind: str


class Marker(NamedTuple):
    """One or more events that lie close together: their numbers."""

    x: float
    label: str


class GapLine(NamedTuple):
    """A gap in words, for the table."""

    vantage: str
    target: str
    at_least_s: float
    bounds: str
    kinds: str
    lost: str
    when: str


@dataclass(frozen=True)
class Timeline:
    """What is drawn of one history."""

    file: str
    ticks: tuple[tuple[float, str], ...]
    zero: float | None
    faults: tuple[Piece, ...]
    markers: tuple[Marker, ...]
    events: tuple[Event, ...]
    events_hidden: int
    lanes: tuple[Lane, ...]
    rows: tuple[Row, ...]
    rows_hidden: int
    pods: tuple[PodLane, ...]
    kinds: tuple[str, ...]
    """Ways in which probes were lost, for the legend."""
    gap_lines: tuple[GapLine, ...]
    seconds: str
    """Length of the axis."""


class Axis:
    """Wall clock to percent."""

    def __init__(self, first: float, last: float, zero: float) -> None:
        """From `first` to `last`, with second 0 at `zero`, wall clock."""
        self.first, self.last, self.zero = first, max(last, first + 0.01), zero

    def x(self, at: float) -> float:
        """In percent, inside of the axis."""
        return round(min(100.0, max(0.0, 100 * (at - self.first) / (self.last - self.first))), 2)

    def holds(self, at: float) -> bool:
        """Whether a moment lies on the axis."""
        return self.first <= at <= self.last

    def second(self, at: float) -> str:
        """Seconds since 0."""
        return f"{at - self.zero:+.2f} s"

    def ticks(self) -> tuple[tuple[float, str], ...]:
        """About six round seconds."""
        length_s = self.last - self.first
        step = next((step for step in TICKS_S if length_s / step <= 7), TICKS_S[-1])
        numbers = range(math.ceil((self.first - self.zero) / step), math.floor((self.last - self.zero) / step) + 1)
        return tuple((self.x(self.zero + n * step), f"{n * step:g} s") for n in numbers)


def timeline(seen: Seen, strips: Sequence[Strip], axis: Axis) -> Timeline:
    """The timeline of some strips, at least one, of a history."""
    rows = [_row(strip, axis) for strip in strips]
    events = _events(seen, axis)
    shown = [row for row in rows if row.probes][:ROWS_SHOWN]
    drawn = {stretch.kind for row in shown for stretch in row.stretches}
    return Timeline(
        file=seen.file,
        ticks=axis.ticks(),
        zero=axis.x(axis.zero) if axis.holds(axis.zero) else None,
        faults=tuple(_piece(axis, s.began_at, s.ended_at or axis.last) for s in seen.faults if _overlaps(axis, s)),
        markers=_markers([(axis.x(at), event.number) for at, event in events]),
        events=tuple(event for _, event in events[:LISTED]),
        events_hidden=max(0, len(events) - LISTED),
        lanes=_lanes(seen, strips, axis),
        rows=tuple(shown),
        rows_hidden=len([row for row in rows if row.probes]) - len(shown),
        pods=_pods(seen, strips, axis),
        kinds=tuple(name for name in OUTCOMES if name in drawn and name != "ok"),
        gap_lines=tuple(_gap_lines(strips, axis)),
        seconds=f"{axis.last - axis.first:.1f}",
    )


def strips_of(seen: Seen, ways: Collection[str], vantages: Collection[str] = ()) -> list[Strip]:
    """The strips that a case is about.

    Args:
        seen: the history.
        ways: first words of the targets that the case is about; of which there are none: all targets.
        vantages: what its findings speak of; of which none has a strip: all vantages.
    """
    strips = list(seen.strips.values())
    strips = [strip for strip in strips if strip.target.partition(" ")[0] in ways] or strips
    return [strip for strip in strips if strip.vantage in vantages] or strips


def axis_of(seen: Seen, strips: Sequence[Strip]) -> Axis:
    """The axis: from shortly before something was done until it was over, or else the whole record."""
    first, last = min(strip.at[0] for strip in strips), max(strip.at[-1] for strip in strips)
    begin, end = seen.phase("begin"), seen.phase("end")
    if begin is None:
        return Axis(first, last, first)
    return Axis(max(first, begin - BEFORE_S), min(last, (end or last) + AFTER_S), begin)


def _piece(axis: Axis, begin: float, end: float) -> Piece:
    x = axis.x(begin)
    width = max(NARROW, round(axis.x(end) - x, 2))
    return Piece(min(x, 100 - NARROW), width)


def _row(strip: Strip, axis: Axis) -> Row:
    gaps: list[GapPiece] = []
    for found in strip.gaps:
        if _in_view(found, axis):
            gap = _gap(found, axis)
            crowded = gaps and gap.outer.x - gaps[-1].outer.x < TEXT
            gaps.append(gap._replace(text="") if crowded else gap)
    inside = [n for n, at in enumerate(strip.at) if axis.holds(at)]
    stretches = _stretches(strip, inside, axis)
    failed = sum(strip.outcome[n] != OK for n in inside)
    return Row(strip.vantage, strip.target, stretches, tuple(gaps), failed, len(inside))


def _stretches(strip: Strip, inside: Sequence[int], axis: Axis) -> tuple[Stretch, ...]:
    """Answered and lost stretches. A probe stands for the time up to the next one, two usual distances at most."""
    times = [strip.at[n] for n in inside]
    usual_s = statistics.median([b - a for a, b in pairwise(times)] or [0.0])
    ends: dict[int, list[list[float]]] = {OK: []}
    scale = 100 / (axis.last - axis.first)
    # Begin and end in percent; plain numbers, since a run may have a million probes.
    for place, n in enumerate(inside):
        begin = times[place]
        until = min(times[place + 1] if place + 1 < len(times) else math.inf, begin + 2 * usual_s)
        x, end = (begin - axis.first) * scale, (until - axis.first) * scale
        own = ends.setdefault(strip.outcome[n], [])
        if own and x - own[-1][1] <= NARROW:
            own[-1][1] = max(own[-1][1], end)
        else:
            own.append([x, max(end, x + NARROW)])
    found = {
        OUTCOMES[code]: [Piece(min(x, 100 - NARROW), min(end, 100) - min(x, 100 - NARROW)) for x, end in own]
        for code, own in ends.items()
    }
    tall = {"ok": (7, 6)}
    return tuple(Stretch(kind, _path(pieces, *tall.get(kind, (2, 16)))) for kind, pieces in found.items() if pieces)


def _join(pieces: list[Piece], new: Piece, near: float) -> None:
    """Append a piece, or lengthen the last one when the new one begins within `near` of its end."""
    if pieces and new.x - (pieces[-1].x + pieces[-1].width) <= near:
        last = pieces[-1]
        pieces[-1] = Piece(last.x, round(max(last.width, new.x + new.width - last.x), 2))
    else:
        pieces.append(new)


def _path(pieces: Iterable[Piece], y: int, height: int) -> str:
    """Rectangles as one path: short, since a page may have thousands of them."""
    parts = []
    for piece in pieces:
        width = round(100 * piece.width)
        parts.append(f"M{round(100 * piece.x)} {y}h{width}v{height}h-{width}z")
    return "".join(parts)


def _in_view(gap: Gap, axis: Axis) -> bool:
    """Whether it lies on the axis, and was not over before anything was done."""
    since = axis.zero if axis.zero > axis.first else axis.first
    return (gap.began_at or axis.first) <= axis.last and (gap.ended_at or axis.last) >= since


def _gap(gap: Gap, axis: Axis) -> GapPiece:
    """Its bounds: what is known to be inside of them begins with the first lost probe."""
    begin, end = gap.began_at or axis.first, gap.ended_at or axis.last
    outer = _piece(axis, begin, end)
    width = round(min(outer.width, 100 * gap.at_least_s / (axis.last - axis.first)), 2)
    inner = Piece(min(axis.x(gap.failed_at), round(outer.x + outer.width - width, 2)), width)
    return GapPiece(outer, inner, _bounds(gap))


def _bounds(gap: Gap) -> str:
    return between(gap.at_least_s, math.inf if gap.at_most_s is None else gap.at_most_s)


def _overlaps(axis: Axis, span: Span) -> bool:
    return span.began_at <= axis.last and (span.ended_at is None or span.ended_at >= axis.first)


def _events(seen: Seen, axis: Axis) -> list[tuple[float, Event]]:
    """What was done and noted, in the order of time."""
    found: list[tuple[float, str, str]] = []
    for kind, spans in (("fault", seen.faults), ("action", seen.actions)):
        for span in spans:
            if axis.holds(span.began_at):
                took = "" if span.ended_at is None else f" (took {span.ended_at - span.began_at:.2f} s)"
                found.append((span.began_at, f"{shortened(span.text)}{took}", kind))
    found += [(mark.at, mark.text, "phase") for mark in seen.phases if axis.holds(mark.at) and mark.text != "begin"]
    return [
        (at, Event(number, axis.second(at), text, kind)) for number, (at, text, kind) in enumerate(sorted(found), 1)
    ]


def _markers(places: Iterable[tuple[float, int]]) -> tuple[Marker, ...]:
    """Numbers of the events, one marker for those that lie close together."""
    groups: list[list[tuple[float, int]]] = []
    for x, number in places:
        if groups and x - groups[-1][0][0] <= NEAR:
            groups[-1].append((x, number))
        else:
            groups.append([(x, number)])
    ends = [(group[0][0], group[0][1], group[-1][1]) for group in groups]
    return tuple(Marker(x, str(first) if first == last else f"{first}–{last}") for x, first, last in ends)  # noqa: RUF001


def _lanes(seen: Seen, strips: Sequence[Strip], axis: Axis) -> tuple[Lane, ...]:
    """Changes of what the strips are about: Services by address, EndpointSlices by Service, pods by their workload."""
    targets = {strip.target for strip in strips}

    def is_used(change: Change) -> bool:
        return any(f" {key}" in target or target.endswith(key) for key in change.about for target in targets)

    services = {c.name for c in seen.changes if c.resource == "services" and is_used(c)}
    tokens = {pod.token for pod in seen.pods}

    def is_relevant(change: Change) -> bool:
        if change.resource == "pods":
            return any(change.name.startswith(token) for token in tokens)
        if change.resource in ("endpointslices", "services") and services:
            return bool(services & {change.name, *change.about})
        return True

    lanes = []
    for resource, name in LANES.items():
        mine = [c for c in seen.changes if c.resource == resource and axis.holds(c.at)]
        kept = [c for c in mine if is_relevant(c)]
        if kept:
            pieces = [Piece(x, NARROW) for x in sorted({axis.x(c.at) for c in kept})]
            words = dict.fromkeys(f"{axis.second(c.at)} {shortened(c.name)}: {c.text}" for c in kept)
            lanes.append(Lane(name, _path(pieces, 3, 10), tuple(words)))
    return tuple(lanes)


def _pods(seen: Seen, strips: Sequence[Strip], axis: Axis) -> tuple[PodLane, ...]:
    """When each pod answered new connections; of many pods, none."""
    places: dict[int, list[float]] = {}
    for strip in strips:
        for at, who, fresh in zip(strip.at, strip.pod, strip.fresh, strict=True):
            if who != NOBODY and fresh and axis.holds(at):
                places.setdefault(who, []).append(at)
    if not 1 <= len(places) <= PODS_SHOWN:
        return ()
    lanes = []
    for number, times in places.items():
        times.sort()
        usual_s = statistics.median([b - a for a, b in pairwise(times)] or [0.0])
        near = max(NARROW, 4 * 100 * usual_s / (axis.last - axis.first))
        pieces: list[Piece] = []
        for at in times:
            _join(pieces, _piece(axis, at, at), near)
        pod = seen.pods[number]
        lanes.append((times[0], PodLane(pod.name, pod.node, _path(pieces, 4, 6), len(times))))
    return tuple(lane for _, lane in sorted(lanes, key=lambda found: (found[0], found[1].name)))


def _gap_lines(strips: Sequence[Strip], axis: Axis) -> Iterable[GapLine]:
    for strip in strips:
        for gap in strip.gaps:
            if _in_view(gap, axis):
                begin = axis.second(gap.began_at) if gap.began_at else "before the first probe"
                end = axis.second(gap.ended_at) if gap.ended_at else "the record's end"
                utc = f" ({clock(gap.began_at)} UTC)" if gap.began_at else ""
                lost = f"{gap.failed} of {gap.probes}"
                yield GapLine(
                    strip.vantage, strip.target, gap.at_least_s, _bounds(gap), gap.kinds, lost, f"{begin}{utc} to {end}"
                )
