"""Each seeded fault is caught by the tests that guard against it; without the faults everything passes.

A promise counts as guarded when every case of its tests has the verdict `fail`: an `error` would mean
that the suite broke, not that it noticed. The matrix of faults and promises is printed at the end and written into
the report folder (--report-dir, runs/faults-TIME without it): faults.json, faults.html.

Run with `--cluster-name NAME` on a local cluster that is up, and then without workers, since the faults would meet; or
without it: each worker has a cluster of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
import yaml
from _pytest.mark import ParameterSet

from fixtures.api import Api
from fixtures.clusters.local.cluster import LocalCluster
from fixtures.faults.fault import Fault
from fixtures.faults.seeded import FAULTS
from fixtures.prober.underway import NOT_QUIET
from fixtures.verdicts import Verdict
from reports.record import CaseFinished, read
from reports.results import results
from tests.seeded_faults import matrix

ROOT = Path(__file__).parents[2]
MANY = 4
"""Promises that are worth a second process."""


def everything(profile: Path, budgets: Mapping[str, float]) -> Path:
    """A profile that has every promise, those about load as well, with these budgets."""
    stated = {name: {"value": value, "reason": "A fault is not waited for."} for name, value in budgets.items()}
    text = {"reason": "A seeded fault.", "levels": ["MUST", "SHOULD"], "budgets": stated}
    profile.write_text(yaml.safe_dump(text), "utf-8")
    return profile


def run_under(
    cluster: LocalCluster, promises: Sequence[str], folder: Path, budgets: Mapping[str, float] | None = None
) -> list[CaseFinished]:
    """Run the tests of promises on a cluster and give the cases."""
    wanted = [argument for promise in promises for argument in ("--requirement", promise)]
    # Beside another cluster the processors are busy already.
    alone = "PYTEST_XDIST_WORKER" not in os.environ
    wanted += ["-n", "2"] if alone and len(promises) > MANY else []
    wanted += ["--profile", str(everything(folder.with_suffix(".yaml"), budgets or {}))]
    command = [sys.executable, "-m", "pytest", "conformance", "--cluster=local", f"--report-dir={folder}", *wanted]
    done = subprocess.run(
        [*command, f"--cluster-name={cluster.state.name}", "--namespaces-may-linger"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return list(results(read(folder)).cases.values())


def marks(promises: Sequence[str]) -> list[pytest.MarkDecorator]:
    """What takes longest is started first; load is measured last and alone, for the sake of the processors."""
    if any(promise.startswith("throughput.") for promise in promises):
        return [pytest.mark.disruptive]
    return [pytest.mark.long] if len(promises) > MANY else []


def applications() -> list[ParameterSet]:
    """Each fault with the promises that are tried while it lasts: all that it breaks, or one when they are apart."""
    return [
        pytest.param(
            fault,
            promises,
            id=f"{fault.name}-{promises[0]}" if fault.apart else fault.name,
            marks=marks(promises),
        )
        for fault in FAULTS
        for promises in ([(promise,) for promise in fault.breaks] if fault.apart else [fault.breaks])
    ]


@pytest.mark.parametrize(("fault", "promises"), applications())
def test_a_fault_is_caught(
    *,
    fault: Fault,
    promises: tuple[str, ...],
    cluster: LocalCluster,
    others: Callable[[str, Sequence[str]], list[str]],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Every case of the promises that the fault breaks is `fail` while it lasts."""
    cases: list[CaseFinished] = []
    began, tests_s = time.monotonic(), 0.0
    try:
        with fault.apply(cluster, Api(cluster.kubeconfig)):
            tried = [*promises, *others(fault.name, promises)]
            applied = time.monotonic()
            try:
                cases = run_under(cluster, tried, tmp_path / "run", fault.budgets)
            finally:
                tests_s = time.monotonic() - applied
    finally:
        cost_s = time.monotonic() - began - tests_s
        kept = [case for case in cases if not case.case.endswith(fault.spares)]
        found = matrix.rows(fault, promises, kept, cost_s)
        record_property(matrix.PROPERTY, matrix.as_property(found))
    for case in kept:
        # A Service that was not well to begin with fails too, and shows nothing of what the test is about.
        assert case.requirement not in promises or NOT_QUIET not in case.first_line, f"{case.case}: {case.first_line}"
    assert [row for row in found if row.verdict is not matrix.Caught.CAUGHT] == [], Counter(
        f"{case.requirement}: {case.verdict}" for case in kept
    )


@pytest.mark.long
def test_the_healed_cluster_is_healthy(cluster: LocalCluster, tmp_path: Path) -> None:
    """Every case of a promise that each fault broke is `pass` when no fault is left.

    But for what Services carry: beside another cluster no processor is left to show it with (`tox -e throughput`).
    """
    first = dict.fromkeys(fault.breaks[0] for fault in FAULTS)
    cases = run_under(cluster, [one for one in first if not one.startswith("throughput.")], tmp_path / "run")
    assert cases
    assert [f"{case.case}: {case.first_line}" for case in cases if case.verdict is not Verdict.PASS] == []


def test_every_promise_has_a_fault(tmp_path: Path) -> None:
    """No promise is checked by a test that was never seen to fail."""
    listing = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "conformance",
            "--list-requirements",
            f"--profile={everything(tmp_path / 'all.yaml', {})}",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    promised = {word for line in listing.splitlines() for word in line.split()[:1] if "." in word}
    assert promised == {promise for fault in FAULTS for promise in fault.breaks}
