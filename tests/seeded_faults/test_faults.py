"""Each seeded fault is caught by the tests that guard against it; without the faults everything passes.

A promise counts as guarded when every case of its tests has the verdict `fail`: an `error` would mean
that the suite broke, not that it noticed. Run with `--cluster-name NAME` on a local cluster that is up,
or without on one of its own; not with workers, since the faults would meet.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from fixtures.api import Api
from fixtures.clusters.local.cluster import LocalCluster
from fixtures.faults.seeded import FAULTS, Fault
from fixtures.verdicts import Verdict
from reports.record import read
from reports.results import results

ROOT = Path(__file__).parents[2]
MANY = 4
"""Promises that are worth a second process."""


def verdicts(
    cluster: LocalCluster, promises: Sequence[str], folder: Path, *, spared: str | None = None
) -> dict[str, Counter[str]]:
    """Run the tests of promises on a cluster; how many cases of each promise have each verdict, but for spared ones."""
    wanted = [argument for promise in promises for argument in ("--requirement", promise)]
    wanted += ["-n", "2"] if len(promises) > MANY else []
    command = [sys.executable, "-m", "pytest", "conformance", "--cluster=local", f"--report-dir={folder}", *wanted]
    done = subprocess.run(
        [*command, f"--cluster-name={cluster.state.name}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found: dict[str, Counter[str]] = {promise: Counter() for promise in promises}
    for name, case in results(read(folder)).cases.items():
        if spared is None or not name.endswith(spared):
            found[case.requirement][str(case.verdict)] += 1
    return found


def applications() -> list[ParameterSet]:
    """Each fault with the promises that are tried while it lasts: all that it breaks, or one when they are apart."""
    return [
        pytest.param(fault, promises, id=f"{fault.name}-{promises[0]}" if fault.apart else fault.name)
        for fault in FAULTS
        for promises in ([(promise,) for promise in fault.breaks] if fault.apart else [fault.breaks])
    ]


@pytest.mark.parametrize(("fault", "promises"), applications())
def test_a_fault_is_caught(fault: Fault, promises: tuple[str, ...], cluster: LocalCluster, tmp_path: Path) -> None:
    """Every case of the promises that the fault breaks is `fail` while it lasts."""
    with fault.apply(cluster, Api(cluster.kubeconfig)):
        found = verdicts(cluster, promises, tmp_path / "run", spared=fault.spares)
    assert all(set(counts) == {Verdict.FAIL} for counts in found.values()), found


def test_the_healed_cluster_is_healthy(cluster: LocalCluster, tmp_path: Path) -> None:
    """Every case of a promise that each fault broke is `pass` when no fault is left."""
    found = verdicts(cluster, [fault.breaks[0] for fault in FAULTS], tmp_path / "run")
    assert all(set(counts) == {Verdict.PASS} for counts in found.values()), found


def test_every_promise_has_a_fault() -> None:
    """No promise is checked by a test that was never seen to fail."""
    listing = subprocess.run(
        [sys.executable, "-m", "pytest", "conformance", "--list-requirements"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    promised = {word for line in listing.splitlines() for word in line.split()[:1] if "." in word}
    assert promised == {promise for fault in FAULTS for promise in fault.breaks}
