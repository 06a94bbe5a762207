"""Upstream's own tests of Services beside ours of the same promises: what both say, and how long both take.

    python -m benchmarks.upstream [--cluster-name NAME] [--keep FOLDER]

Upstream's tests (test/e2e/network of the Kubernetes version that the built-in cluster is made of) are built from their
Go module and run in one process, one after another, as their conformance tests are; ours run with -n 3, and on a
cluster that is up already. Which promises are the same is what conformance/coverage.tsv says.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from benchmarks.figures import Figures, Wanted, at_most
from benchmarks.running import local_cluster, main_of, said
from fixtures.clusters.local.build import binary_folder, ensure_binaries
from fixtures.clusters.local.cluster import LocalCluster
from fixtures.clusters.local.images import Image, all_images, shared_libraries, write_archive
from fixtures.clusters.local.pki import CertificateAuthority
from fixtures.clusters.local.progress import terminal_progress
from fixtures.clusters.local.upstreams import Upstream, upstream
from fixtures.commands import CommandParser
from fixtures.errors import SuiteError, UsageError
from tests.local.suite_image import ctr_images

ROOT = Path(__file__).parents[1]
E2E = Upstream(
    "e2e",
    packages=(".",),
    programs=("e2e",),
    module="k8s.io/kubernetes",
    # Kubernetes' flags: what both are made of is compiled once.
    tags=upstream("kubernetes").tags,
    ldflags=upstream("kubernetes").ldflags,
    sources=Path(__file__).parent / "sources",
)
CALLED = {"bin/sh": "dash"} | {
    f"usr/bin/{program}": program for program in ("curl", "dig", "getent", "nc", "nslookup", "seq", "sleep")
}
"""What the tests call in their containers beside agnhost's own commands: path there, and the program here."""
LEFT_OUT = ("dns.go",)
"""Whose tests are not run: they serve from agnhost's command test-webserver, which the one that is built here lacks."""
LONGEST_S = 3600.0
RATIO = Wanted("time to upstream's tests of the same promises", "design 10, issue 10", "", at_most(0.33))
THEIRS = Wanted("upstream's conformance tests of Services that fail on the built-in cluster", "issue 10", "tests", None)


class Row(NamedTuple):
    """A test of upstream's, and our promises of the same."""

    context: str
    test: str
    promises: tuple[str, ...]


def rows(table: Path = ROOT / "conformance" / "coverage.tsv") -> list[Row]:
    """The conformance tests that promises of ours are the same as."""
    with table.open(encoding="utf-8", newline="") as text:
        found = list(csv.DictReader(text, delimiter="\t", quoting=csv.QUOTE_NONE))
    run = [row for row in found if row["file"] not in LEFT_OUT and row["conformance"] == "yes"]
    answered = [row for row in run if re.match(r"\w+\.\w+", row["answer"])]
    return [Row(row["context"], row["test"], tuple(row["answer"].split())) for row in answered]


def _certificate() -> dict[str, bytes]:
    """What agnhost serves TLS with, by its path in the image."""
    with tempfile.TemporaryDirectory() as folder:
        authority = CertificateAuthority(Path(folder) / "pki")
        return {path.name: path.read_bytes() for path in authority.issue("localhost", "localhost", names=["localhost"])}


@contextmanager
def images_on(cluster: LocalCluster) -> Iterator[None]:
    """The images that upstream's tests run from, under their names, in the store of each node."""
    programs = {path: shutil.which(program) for path, program in CALLED.items()}
    if lacking := [CALLED[path] for path, program in programs.items() if program is None]:
        raise UsageError(
            f"programs of this machine: {', '.join(lacking)} not found on PATH; upstream's tests call them"
        )
    called = {path: Path(program).resolve() for path, program in programs.items() if program}
    libraries = {str(path).lstrip("/"): path for path in shared_libraries(called.values())}
    agnhost = {"agnhost": binary_folder(upstream("kubernetes")) / "agnhost"}
    tools = Image("", agnhost | called | libraries, ("/agnhost",), ("pause",), data=_certificate())
    # One image is enough for all that call programs; upstream's for lookups has the same ones.
    kinds = {"agnhost": tools, "glibc-dns-testing": tools}
    kinds["pause"] = next(image for image in all_images() if "/pause" in image.entrypoint)
    listed = subprocess.run([binary_folder(E2E) / "e2e", "--list-images"], capture_output=True, text=True, check=True)
    tags = {tag: re.split("[/:]", tag)[-2] for tag in listed.stdout.split()}
    made = [replace(kinds[kind], tag=tag) for tag, kind in tags.items() if kind in kinds]
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "images.tar"
        write_archive(archive, made)
        for node in cluster.node_names:
            ctr_images(cluster, node, "import", "--digests=false", "--local", str(archive))
    try:
        yield
    finally:
        for node in cluster.node_names:
            ctr_images(cluster, node, "rm", *(image.tag for image in made))


class Theirs(NamedTuple):
    """What came of upstream's tests."""

    took_s: float
    states: dict[str, str]
    """By test: `passed`, or what else ginkgo says of it."""
    broken: list[str]
    """What failed beside tests, as what is done before all of them."""

    @property
    def failed(self) -> list[str]:
        """What did not pass."""
        return [*self.broken, *(test for test, state in self.states.items() if state != "passed")]

    def of(self, row: Row) -> str:
        """What came of one; ginkgo's name of it may have more words behind it."""
        return next((state for test, state in self.states.items() if test.startswith(row.test)), "not run")


def run_theirs(cluster: LocalCluster, chosen: Sequence[Row], folder: Path) -> Theirs:
    """Run tests of upstream's; what they print and report is in `folder`.

    Raises:
        SuiteError: they could not be run.
    """
    report = folder / "upstream.json"
    focus = "|".join(f"{re.escape(row.test)}( |$)" for row in chosen)
    command = [
        str(binary_folder(E2E) / "e2e"),
        f"--kubeconfig={cluster.kubeconfig}",
        f"--kubectl-path={binary_folder(upstream('kubernetes')) / 'kubectl'}",
        "--provider=skeleton",
        "--ginkgo.label-filter=Conformance",
        f"--ginkgo.focus={focus}",
        f"--ginkgo.json-report={report}",
    ]
    with (folder / "upstream.log").open("w", encoding="utf-8") as log:
        subprocess.run(command, stdout=log, stderr=log, timeout=LONGEST_S, check=False)
    if not report.is_file():
        raise SuiteError(f"upstream's tests left no report; see {log.name}")
    (suite,) = json.loads(report.read_text("utf-8"))
    ran = [
        spec for spec in suite["SpecReports"] if spec["State"] not in ("skipped", "pending") and spec["LeafNodeText"]
    ]
    states = {spec["LeafNodeText"]: spec["State"] for spec in ran if spec["LeafNodeType"] == "It"}
    broken = [s["LeafNodeText"] for s in ran if s["LeafNodeType"] != "It" and s["State"] != "passed"]
    return Theirs(suite["RunTime"] / 1e9, states, broken)


def run_ours(cluster: LocalCluster, chosen: Sequence[Row], folder: Path) -> float:
    """Seconds that our tests of the same promises take; all must pass.

    Raises:
        SuiteError: some do not.
    """
    promises = dict.fromkeys(promise for row in chosen for promise in row.promises)
    command = [sys.executable, "-m", "pytest", "conformance", f"--cluster-name={cluster.state.name}", "-n", "3"]
    command += [f"--report-dir={folder / 'ours'}", *(f"--requirement={promise}" for promise in promises)]
    began = time.monotonic()
    with (folder / "ours.log").open("w", encoding="utf-8") as log:
        done = subprocess.run(command, cwd=ROOT, stdout=log, stderr=log, timeout=LONGEST_S, check=False)
    if done.returncode:
        raise SuiteError(f"our tests of the same promises ended with {done.returncode}; see {log.name}")
    return time.monotonic() - began


def measure(cluster: LocalCluster, console: Console, folder: Path) -> Figures:
    """Upstream's tests, then ours."""
    chosen = rows()
    with images_on(cluster):
        theirs = run_theirs(cluster, chosen, folder)
    for name in theirs.failed:
        said(console, f"upstream's test failed: {name}")
    ran = len(theirs.states)
    yield THEIRS.measured(len(theirs.failed), f"of {ran}, in {theirs.took_s:.0f} s")
    if theirs.failed or ran != len(chosen):
        # One that fails has waited for what did not come.
        yield RATIO.unmeasured(f"{len(theirs.failed)} of upstream's tests failed, {ran} of {len(chosen)} ran")
        return
    ours_s = run_ours(cluster, chosen, folder)
    promises = len({promise for row in chosen for promise in row.promises})
    how = f"{promises} promises in {ours_s:.0f} s, {ran} tests in {theirs.took_s:.0f} s"
    yield RATIO.measured(ours_s / theirs.took_s, how)


@contextmanager
def kept(folder: Path | None) -> Iterator[Path]:
    """A new folder of the user's, or one that goes at the end.

    Raises:
        UsageError: it is there already, or cannot be made.
    """
    with tempfile.TemporaryDirectory(prefix="upstream-") as made:
        try:
            (folder or Path(made)).mkdir(parents=True, exist_ok=folder is None)
        except OSError as problem:
            raise UsageError(f"--keep: {folder}: {problem.strerror}; allowed is a folder that is made") from problem
        yield folder or Path(made)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code, as `benchmarks.running.main_of` does."""
    parser = CommandParser(prog="python -m benchmarks.upstream", description="Upstream's tests of Services, and ours.")
    parser.add_argument("--cluster-name", metavar="NAME", help="a local cluster that is up (default: a fresh one)")
    parser.add_argument("--keep", metavar="FOLDER", type=Path, help="keep what both write, in a new folder")

    def measured(console: Console) -> Figures:
        arguments = parser.parse_args(argv)
        with kept(arguments.keep) as folder:
            with terminal_progress() as progress:
                ensure_binaries(progress, upstreams=[E2E])
            with local_cluster(arguments.cluster_name, console) as cluster:
                yield from measure(cluster, console, folder)

    return main_of(measured)


if __name__ == "__main__":
    sys.exit(main())
