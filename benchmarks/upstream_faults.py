"""Upstream's own tests on a cluster with a seeded fault, and ours: who notices.

    python -m benchmarks.upstream_faults [--fault NAME ...] [--cluster-name NAME] [--keep FOLDER]

For each fault, those conformance tests of upstream's that claim a promise which it breaks, as benchmarks.upstream knows
them by conformance/coverage.tsv. A fault is put in for each side by itself, since some set in once and stay.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figures, Wanted
from benchmarks.running import local_cluster, main_of, said
from benchmarks.upstream import E2E, Row, images_on, kept, rows, run_theirs
from fixtures.api import Api
from fixtures.clusters.local.build import ensure_binaries
from fixtures.clusters.local.cluster import LocalCluster
from fixtures.clusters.local.progress import terminal_progress
from fixtures.commands import CommandParser
from fixtures.errors import unknown
from fixtures.faults.fault import Fault
from fixtures.faults.seeded import FAULTS
from tests.seeded_faults import matrix
from tests.seeded_faults.test_faults import run_under

BY_NAME = {fault.name: fault for fault in FAULTS}
THEIRS = Wanted("faults of what upstream's tests claim that none of them notices", "issue 10", "faults", None)
OURS = Wanted("the same faults that ours do not notice", "issue 9", "faults", None)


class Noticed(NamedTuple):
    """A fault, a test of upstream's that claims what it breaks, and what both sides said."""

    fault: str
    test: str
    theirs: str
    ours: str


def claimed(fault: Fault, known: Sequence[Row]) -> list[Row]:
    """The tests of upstream's that claim something which a fault breaks, with these promises alone."""
    both = [row._replace(promises=tuple(p for p in row.promises if p in fault.breaks)) for row in known]
    return [row for row in both if row.promises]


def under(cluster: LocalCluster, fault: Fault, claims: Sequence[Row], folder: Path) -> Iterator[Noticed]:
    """Both sides on a cluster with a fault; raises SuiteError when one of them cannot be run."""
    promises = tuple(dict.fromkeys(promise for row in claims for promise in row.promises))
    folder.mkdir(parents=True)
    with fault.apply(cluster, Api(cluster.kubeconfig)):
        theirs = run_theirs(cluster, claims, folder)
    ours: dict[str, str] = {}
    for some in [(promise,) for promise in promises] if fault.apart else [promises]:
        with fault.apply(cluster, Api(cluster.kubeconfig)):
            cases = run_under(cluster, some, folder / f"ours-{len(ours)}", fault.budgets)
        judged = [case for case in cases if not case.case.endswith(fault.spares)]
        ours |= {row.guarded_by: row.verdict for row in matrix.rows(fault, some, judged, 0)}
    for row in claims:
        yield Noticed(fault.name, row.test, theirs.of(row), ", ".join(f"{p}: {ours[p]}" for p in row.promises))


def table(found: Sequence[Noticed]) -> Table:
    """All of them, as a person reads them."""
    made = Table("fault", "upstream's test", "it", "ours")
    for one in found:
        made.add_row(*one)
    return made


def measure(cluster: LocalCluster, faults: Sequence[Fault], console: Console, folder: Path) -> Figures:
    """Each fault in turn, then how many went unnoticed."""
    known, found = rows(), list[Noticed]()
    with images_on(cluster):
        for fault in faults:
            if not (claims := claimed(fault, known)):
                said(console, f"{fault.name}: no conformance test of upstream's claims what it breaks")
                continue
            for one in under(cluster, fault, claims, folder / fault.name):
                said(console, f"{one.fault}: {one.test}: {one.theirs}; ours {one.ours}")
                found.append(one)
    console.print(table(found))
    by_fault = {name: [one for one in found if one.fault == name] for name in dict.fromkeys(one.fault for one in found)}
    theirs = [name for name, some in by_fault.items() if all(one.theirs == "passed" for one in some)]
    ours = [name for name, some in by_fault.items() if not any(f": {matrix.Caught.CAUGHT}" in one.ours for one in some)]
    yield THEIRS.measured(len(theirs), f"of {len(by_fault)}: {', '.join(theirs)}")
    yield OURS.measured(len(ours), f"of {len(by_fault)}: {', '.join(ours)}")


def named(names: Sequence[str]) -> list[Fault]:
    """The faults of these names, all where there are none; raises UsageError, with the nearest one, for another."""
    for name in names:
        if name not in BY_NAME:
            raise unknown("--fault", name, BY_NAME)
    return [BY_NAME[name] for name in names or BY_NAME]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code, as `benchmarks.running.main_of` does."""
    parser = CommandParser(prog="python -m benchmarks.upstream_faults", description="Who notices a seeded fault.")
    parser.add_argument("--fault", metavar="NAME", action="append", default=[], help="repeatable (default: all)")
    parser.add_argument("--cluster-name", metavar="NAME", help="a local cluster that is up (default: a fresh one)")
    parser.add_argument("--keep", metavar="FOLDER", type=Path, help="keep what both write, in a new folder")

    def measured(console: Console) -> Figures:
        arguments = parser.parse_args(argv)
        faults = named(arguments.fault)
        with kept(arguments.keep) as folder:
            with terminal_progress() as progress:
                ensure_binaries(progress, upstreams=[E2E])
            with local_cluster(arguments.cluster_name, console) as cluster:
                yield from measure(cluster, faults, console, folder)

    return main_of(measured)


if __name__ == "__main__":
    sys.exit(main())
