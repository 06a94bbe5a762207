"""The way of the connections of a case, from where they were made to who answered, with the failing path marked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from reports.page.seen import NOBODY, OK, Seen, Strip
from reports.page.timeline import Axis
from reports.page.words import shortened
from reports.summary import count

T = TypeVar("T")

BOXES_SHOWN = 7
"""Of a column; of more, only how many."""
BOX, STEP, TOP = 38, 50, 26
"""Height of a box, distance of the boxes, space for the headings: pixels."""


class Box(NamedTuple):
    """A place: what it is called, and in smaller print where it is."""

    name: str
    where: str
    y: int
    failing: bool


class Edge(NamedTuple):
    """Connections from a box of one column to one of the next, by their y."""

    y1: int
    y2: int
    state: str
    """`well`, `lossy` (some were lost, as many as was allowed), or `failing`."""
    weight: float
    """Of the line, pixels."""


@dataclass(frozen=True)
class Topology:
    """Three columns of boxes and the edges between them."""

    sources: tuple[Box, ...]
    targets: tuple[Box, ...]
    pods: tuple[Box, ...]
    to_targets: tuple[Edge, ...]
    to_pods: tuple[Edge, ...]
    height: int
    left_out: str
    """How many boxes are not drawn, in words; empty: all are."""
    words: str
    """What is drawn, for those who do not see it."""


def topology(seen: Seen, strips: Sequence[Strip], axis: Axis, blamed: Collection[str], *, failed: bool) -> Topology:
    """The topology of what a case probed.

    Args:
        seen: the history.
        strips: what the case is about, at least one.
        axis: probes outside of it do not count.
        blamed: vantages that failing findings name; none: the checks named none.
        failed: whether the case has the verdict fail.
    """
    counts = {(s.vantage, s.target): _count(s, axis) for s in strips}
    lost = {key: found[0] - found[1] for key, found in counts.items()}

    def state(key: tuple[str, str]) -> str:
        if failed and (key[0] in blamed if blamed else lost[key]):
            # Of several paths from a blamed vantage, those that lost probes; where none was lost, all of them.
            of_vantage = [k for k in lost if k[0] == key[0]]
            return "failing" if lost[key] or not any(lost[k] for k in of_vantage) else "well"
        return "lossy" if lost[key] else "well"

    states = {key: state(key) for key in counts}
    bad = {key for key, found in states.items() if found == "failing"}
    vantages, v_hidden = _first([s.vantage for s in strips], {v for v, _ in bad})
    targets, t_hidden = _first([s.target for s in strips], {t for _, t in bad})
    answers: Counter[tuple[str, int]] = Counter()
    for strip in strips:
        given = Counter(p for at, p in zip(strip.at, strip.pod, strict=True) if p != NOBODY and axis.holds(at))
        answers.update({(strip.target, pod): number for pod, number in given.items()})
    chosen, p_hidden = _first([str(pod) for _, pod in sorted(answers, key=lambda k: k[1])], set())
    pods: list[int] = [int(pod) for pod in chosen]
    height = TOP + STEP * max(len(vantages), len(targets), len(pods))
    v_at, t_at, p_at = _places(vantages, height), _places(targets, height), _places(pods, height)
    hidden = (v_hidden, t_hidden, p_hidden)
    most = max(answers.values(), default=1)
    return Topology(
        tuple(Box(*_vantage(name), v_at[name], name in {v for v, _ in bad}) for name in vantages),
        tuple(Box(*_target(name), t_at[name], name in {t for _, t in bad}) for name in targets),
        tuple(Box(shortened(seen.pods[p].name), seen.pods[p].node, p_at[p], failing=False) for p in pods),
        tuple(
            Edge(v_at[v], t_at[t], states[v, t], 2.5 if (v, t) in bad else 1.5)
            for v, t in counts
            if v in v_at and t in t_at
        ),
        tuple(
            Edge(t_at[t], p_at[p], "well", round(1 + 3 * number / most, 1))
            for (t, p), number in sorted(answers.items())
            if t in t_at and p in p_at
        ),
        height,
        ", ".join(count(n, noun) for n, noun in zip(hidden, ("vantage", "target", "pod"), strict=True) if n),
        _words(counts, bad),
    )


def _count(strip: Strip, axis: Axis) -> tuple[int, int]:
    """Probes and answered ones on the axis."""
    inside = [outcome for at, outcome in zip(strip.at, strip.outcome, strict=True) if axis.holds(at)]
    return len(inside), inside.count(OK)


def _first(names: Sequence[str], bad: Collection[str]) -> tuple[list[str], int]:
    """The names without repetition, at most BOXES_SHOWN of them, bad ones before others; how many are left out."""
    all_names = list(dict.fromkeys(names))
    kept = sorted(all_names, key=lambda name: (name not in bad, name))[:BOXES_SHOWN]
    return sorted(kept), len(all_names) - len(kept)


def _places(names: Sequence[T], height: int) -> dict[T, int]:
    """The middles of boxes, in the middle of the height."""
    free = (height - TOP - STEP * len(names)) // 2
    return {name: TOP + free + STEP * n + STEP // 2 for n, name in enumerate(names)}


def _vantage(name: str) -> tuple[str, str]:
    kind, _, node = name.partition(" on ")
    return (kind, f"on {node}") if node else (name, "")


def _target(name: str) -> tuple[str, str]:
    """`ClusterIP-new 10.0.0.1:80` and `http 10.0.0.1 80` alike: what, and where."""
    *what, where = name.split(" ")
    if where.isdigit() and len(what) > 1:
        where = f"{what.pop()}:{where}"
    return " ".join(what) or where, where if what else ""


def _words(counts: dict[tuple[str, str], tuple[int, int]], bad: Collection[tuple[str, str]]) -> str:
    paths = "; ".join(f"{v} to {t}" for v, t in sorted(bad))
    if len(bad) > 2:
        paths = f"{len(bad)} paths, from {', '.join(sorted({v for v, _ in bad}))}"
    total, ok = (sum(found[n] for found in counts.values()) for n in (0, 1))
    return f"{total} probes on {len(counts)} paths, {total - ok} not answered" + (
        f"; failing: {paths}" if paths else ""
    )
