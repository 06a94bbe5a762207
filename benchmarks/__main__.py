"""python -m benchmarks: every benchmark in one process, each figure as it comes and a table of all at the end."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from rich.console import Console

from benchmarks import azure, boot, footprint, load, prober, reports
from benchmarks.elsewhere import ELSEWHERE
from benchmarks.figures import Figure, Figures, Wanted, as_json, figures_table
from benchmarks.running import BAD_INPUT, BROKE, FAILED, INTERRUPTED, local_cluster, said, wide_console
from fixtures.clusters.local.cluster import LocalCluster, attach
from fixtures.clusters.local.preflight import check_root
from fixtures.commands import CommandParser
from fixtures.errors import SuiteError, UsageError
from fixtures.interrupts import sigterm_as_interrupt

Alone = Callable[[Console], Figures]
OnCluster = Callable[[LocalCluster, Console], Figures]


@dataclass(frozen=True)
class Benchmark:
    """One of them.

    Attributes:
        wanted: the figures that it gives, in order.
        alone: how it is run without a cluster, or with its own.
        on_cluster: how it is run on the cluster that all of these share; exactly one of both is given.
    """

    wanted: tuple[Wanted, ...]
    alone: Alone | None = None
    on_cluster: OnCluster | None = None


BENCHMARKS = {
    "boot": Benchmark((*boot.WANTED.values(), boot.LEFT), alone=boot.figures),
    "smoke": Benchmark((footprint.SMOKE,), alone=footprint.smoke_figures),
    "prober": Benchmark((prober.LATE, prober.COST), alone=prober.figures),
    "reports": Benchmark((reports.RENDER, reports.PEAK, reports.PAGE, reports.USABLE), alone=reports.figures),
    "footprint": Benchmark(footprint.WANTED, on_cluster=footprint.figures),
    "azure": Benchmark(azure.WANTED, on_cluster=azure.figures),
    "load": Benchmark(load.WANTED, on_cluster=load.figures),
}
"""In the order in which they are run: first those that the shared cluster would disturb."""


@dataclass
class Collection:
    """What came of the benchmarks up to now."""

    console: Console
    figures: list[Figure] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    """The reason, by name."""

    def add(self, figure: Figure) -> None:
        """Keep a figure, and print it."""
        self.figures.append(figure)
        said(self.console, figure.line)

    def take(self, name: str, wanted: Iterable[Wanted], measured: Callable[[], Figures]) -> None:
        """Run a benchmark; when it breaks, what it did not come to is not measured, and the others go on."""
        said(self.console, f"== {name}")
        began, had = time.monotonic(), len(self.figures)
        try:
            with closing(measured()) as figures:
                for figure in figures:
                    self.add(figure)
        except Exception as problem:  # whatever it is, it is the benchmark's, and the others have their own
            self.breaks(name, wanted, problem, done=len(self.figures) - had)
        said(self.console, f"== {name} took {time.monotonic() - began:.0f} s")

    def breaks(self, name: str, wanted: Iterable[Wanted], problem: Exception, *, done: int = 0) -> None:
        """Note that a benchmark broke when it had given so many of its figures."""
        kind = "" if isinstance(problem, SuiteError | UsageError | AssertionError) else f"{type(problem).__name__}: "
        said(self.console, f"error: benchmark {name} broke: {kind}{problem}")
        self.broken[name] = kind + (str(problem).strip().partition("\n")[0] or type(problem).__name__)
        for one in list(wanted)[done:]:
            self.add(one.unmeasured(f"benchmark {name} broke: {self.broken[name]}"))

    @property
    def exit_code(self) -> int:
        """BROKE before FAILED: what is missing may not hold either."""
        return BROKE if self.broken else FAILED if any(figure.holds is False for figure in self.figures) else 0


def collect(names: Sequence[str], cluster_name: str | None, collection: Collection) -> None:
    """Run these benchmarks in turn; those on a cluster share one, which is made when the first of them comes."""
    with ExitStack() as ended:
        cluster: LocalCluster | Exception | None = None
        for name in names:
            benchmark = BENCHMARKS[name]
            if benchmark.on_cluster is not None and cluster is None:
                try:
                    cluster = ended.enter_context(local_cluster(cluster_name, collection.console))
                except (SuiteError, UsageError) as problem:
                    cluster = problem
            if benchmark.on_cluster is not None and isinstance(cluster, Exception):
                collection.breaks(name, benchmark.wanted, cluster)
            else:
                collection.take(name, benchmark.wanted, partial(started, benchmark, cluster, collection.console))


def started(benchmark: Benchmark, cluster: LocalCluster | Exception | None, console: Console) -> Figures:
    """The figures of a benchmark, on the shared cluster if it is one of those."""
    if benchmark.alone is not None:
        return benchmark.alone(console)
    assert benchmark.on_cluster is not None
    assert isinstance(cluster, LocalCluster)
    return benchmark.on_cluster(cluster, console)


def selected(only: Sequence[str] | None) -> list[str]:
    """The benchmarks to run, in their order; raises UsageError for an unknown name."""
    if unknown := [name for name in only or () if name not in BENCHMARKS]:
        raise UsageError(f"--only: found {unknown[0]!r}; allowed is {', '.join(BENCHMARKS)}")
    return [name for name in BENCHMARKS if only is None or name in only]


def writable(path: Path | None) -> None:
    """Refuse a file that cannot be written, before anything is measured; raises UsageError."""
    if path is None:
        return
    try:
        with path.open("a"):
            pass
    except OSError as error:
        raise UsageError(f"--json: {path} cannot be written: {error.strerror}; allowed is a file in a folder") from None


def run(names: Sequence[str], cluster_name: str | None, file: Path | None, *, everything: bool) -> int:
    """Run benchmarks, print the table and write the JSON, also after Ctrl-C; returns the exit code."""
    collection, began, started = Collection(wide_console()), datetime.now(UTC), time.monotonic()
    interrupted = False
    try:
        collect(names, cluster_name, collection)
    except KeyboardInterrupt:
        interrupted = True
        print("interrupted; what was made is removed", file=sys.stderr)
    figures = [*collection.figures, *(ELSEWHERE if everything and not interrupted else ())]
    took_s = time.monotonic() - started
    collection.console.print(figures_table(figures))
    said(collection.console, f"took {took_s / 60:.1f} min")
    if file is not None:
        text = json.dumps(as_json(figures, collection.broken, began, took_s), indent=1, ensure_ascii=False)
        file.write_text(text + "\n", "utf-8")
    return INTERRUPTED if interrupted else collection.exit_code


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns 0, 1 (a figure does not hold), 3 (a benchmark broke), 4 (bad input) or 130."""
    parser = CommandParser(prog="python -m benchmarks", description="All figures; about a quarter of an hour.")
    of_which = f"of {', '.join(BENCHMARKS)} (default: all); may be given more than once"
    parser.add_argument("--only", nargs="+", action="extend", metavar="NAME", help=of_which)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument(
        "--cluster-name", metavar="NAME", help="a local cluster that is up, for those that share one; it stays up"
    )
    undo = sigterm_as_interrupt()
    try:
        arguments = parser.parse_args(argv)
        names = selected(arguments.only)
        check_root()
        if arguments.cluster_name is not None:
            attach(arguments.cluster_name, flag="--cluster-name")
        writable(arguments.json)
        return run(names, arguments.cluster_name, arguments.json, everything=arguments.only is None)
    except UsageError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return BAD_INPUT
    finally:
        undo()


if __name__ == "__main__":
    sys.exit(main())
