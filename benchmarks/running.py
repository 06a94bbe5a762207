"""What the benchmarks' commands share: a local cluster, figures as they come and as a table, exit codes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from rich.console import Console

from benchmarks.figures import Figure, Figures, figures_table
from fixtures.clusters.local import open_cluster
from fixtures.clusters.local.cluster import LocalCluster
from fixtures.errors import SuiteError, UsageError
from fixtures.interrupts import sigterm_as_interrupt

FAILED, BROKE, BAD_INPUT, INTERRUPTED = 1, 3, 4, 130
"""Exit codes: a figure does not hold, a benchmark broke, bad input, Ctrl-C or SIGTERM."""
BREAKAGE = (SuiteError, AssertionError, OSError, subprocess.SubprocessError)
"""What our own tools raise when they fail: `must_succeed` of tests/local/ asserts."""
WIDTH = 150


@contextmanager
def local_cluster(name: str | None, console: Console) -> Iterator[LocalCluster]:
    """A fresh local cluster, removed at the end, or a running one by its name, which stays.

    Raises:
        UsageError: no cluster of that name runs, or this machine lacks something.
        SuiteError: the boot failed.
    """
    cluster = open_cluster(name, keep=False, progress=lambda line: said(console, line))
    try:
        yield cluster
    finally:
        cluster.close()


def said(console: Console, line: str) -> None:
    """Print a line as it is."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def wide_console() -> Console:
    """As wide as the table is."""
    return Console(width=max(Console().width, WIDTH))


def main_of(measured: Callable[[Console], Figures]) -> int:
    """Print the figures of one benchmark; returns 0, FAILED, BROKE, BAD_INPUT or INTERRUPTED.

    Args:
        measured: parses the arguments, and measures.
    """
    console, found = wide_console(), list[Figure]()
    undo = sigterm_as_interrupt()
    try:
        with closing(measured(console)) as figures:
            for figure in figures:
                found.append(figure)
                said(console, figure.line)
        console.print(figures_table(found))
    except UsageError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return BAD_INPUT
    except BREAKAGE as problem:
        print(f"error: {problem}", file=sys.stderr)
        return BROKE
    except KeyboardInterrupt:
        print("interrupted; what was made is removed", file=sys.stderr)
        return INTERRUPTED
    finally:
        undo()
    return FAILED if any(figure.holds is False for figure in found) else 0
