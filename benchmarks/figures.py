"""What benchmarks measure, beside what is asked for: a line, a table, JSON."""

from __future__ import annotations

import os
import platform
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from rich.markup import escape
from rich.table import Table

JSON_VERSION = 1
DECIMALS = {"": 2, "GiB": 2, "s": 2, "MB": 2, "min": 1, "MiB": 0, "ms": 1, "%": 1, "1/s": 1}
"""How many are shown, by unit; of counts none."""

State = Literal["holds", "does not hold", "not measured", "no bound"]


@dataclass(frozen=True)
class Bound:
    """What a value must keep to: at most, or at least."""

    relation: Literal["≤", "≥"]
    value: float

    def holds(self, value: float) -> bool:
        """Whether a value keeps to it, unrounded."""
        return value <= self.value if self.relation == "≤" else value >= self.value


def at_most(value: float) -> Bound:
    """Not more than this."""
    return Bound("≤", value)


def at_least(value: float) -> Bound:
    """Not less than this."""
    return Bound("≥", value)


@dataclass(frozen=True)
class Wanted:
    """A figure that is asked for.

    Attributes:
        name: what is measured.
        asked: where it is asked for.
        unit: of the value; empty: a ratio, else a key of DECIMALS or what is counted.
        bound: None: the value is reported, and nothing is asked of it.
    """

    name: str
    asked: str
    unit: str
    bound: Bound | None

    def measured(self, value: float, detail: str = "") -> Figure:
        """The figure with its value; `detail` has its spread or parts."""
        return Figure(self, value, detail=detail)

    def unmeasured(self, why: str) -> Figure:
        """The figure that could not be measured, and why."""
        return Figure(self, None, why=why)

    @property
    def asked_for(self) -> str:
        """The bound with its unit, as shown."""
        return f"{self.bound.relation} {self.bound.value:g} {self.unit}".rstrip() if self.bound else "reported"


@dataclass(frozen=True)
class Figure:
    """What came of it; value None: it could not be measured, and `why` says the reason."""

    wanted: Wanted
    value: float | None
    why: str = ""
    detail: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether the value keeps to the bound; None: there is no value, or no bound."""
        return None if self.value is None or self.wanted.bound is None else self.wanted.bound.holds(self.value)

    @property
    def state(self) -> State:
        """The same in words."""
        if self.value is None:
            return "not measured"
        return "no bound" if self.holds is None else "holds" if self.holds else "does not hold"

    @property
    def measured(self) -> str:
        """The value with its unit, as shown; empty: there is none."""
        return "" if self.value is None else shown(self.value, self.wanted.unit)

    @property
    def line(self) -> str:
        """As it is printed when it comes."""
        said = (
            self.why
            if self.value is None
            else " ".join(filter(None, [self.measured, self.detail and f"({self.detail})"]))
        )
        return f"{self.state}: {self.wanted.name}: {said}; asked for: {self.wanted.asked_for}"


Figures = Generator[Figure, None, None]
"""Of a benchmark, one after another, as they are measured; closing it removes what was made for them."""


def shown(value: float, unit: str) -> str:
    """A value with its unit."""
    return f"{value:.{DECIMALS.get(unit, 0)}f} {unit}".rstrip()


def figures_table(figures: Iterable[Figure]) -> Table:
    """A row for each."""
    table = Table("", "measured", "asked for", "where", "", "of it", title="figures", title_justify="left")
    for figure in figures:
        wanted = figure.wanted
        cells = wanted.name, figure.measured, wanted.asked_for, wanted.asked, figure.state, figure.why or figure.detail
        # Else `.[load]` would be taken for markup, and be gone.
        table.add_row(*map(escape, cells))
    return table


def as_json(figures: Sequence[Figure], broken: Mapping[str, str], began: datetime, took_s: float) -> dict[str, Any]:
    """The figures as data.

    Args:
        figures: in order.
        broken: benchmarks that broke, with the reason.
        began: when.
        took_s: how long all took.
    """
    machine = {"processors": os.cpu_count(), "architecture": platform.machine(), "linux": platform.release()}
    return {
        "version": JSON_VERSION,
        "began": began.isoformat(timespec="seconds"),
        "took_s": round(took_s, 1),
        "machine": machine | {"load_average_at_the_end": round(os.getloadavg()[0], 2)},
        "broken": dict(broken),
        "figures": [_entry(figure) for figure in figures],
    }


def _entry(figure: Figure) -> dict[str, Any]:
    wanted = figure.wanted
    bound = {"relation": wanted.bound.relation, "value": wanted.bound.value} if wanted.bound else None
    return {
        "name": wanted.name,
        "asked": wanted.asked,
        "unit": wanted.unit,
        "value": figure.value,
        "bound": bound,
        "holds": figure.holds,
        "state": figure.state,
        "why": figure.why,
        "detail": figure.detail,
    }
