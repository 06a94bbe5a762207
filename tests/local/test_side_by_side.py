"""Two runs on one cluster at once do not disturb each other, and both leave it as it was."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from fixtures.api import NAMESPACES, Api
from fixtures.clusters.local.cluster import LocalCluster
from fixtures.workloads.namespaces import RUN_ID_LABEL
from reports.results import load
from tests.local.runs import begin_run, differences, inventory, run_id_of

ENDED_WITHIN_S = 400.0


def test_two_runs_at_once_are_both_well(cluster: LocalCluster, tmp_path: Path) -> None:
    api = Api(cluster.info.kubeconfig)
    before, reports = inventory(api), [tmp_path / "first", tmp_path / "second"]
    with ExitStack() as both:
        processes = [both.enter_context(begin_run(cluster, report)) for report in reports]
        ids = [run_id_of(report, process) for report, process in zip(reports, processes, strict=True)]
        together = api.wait_until(
            lambda items: {item["metadata"]["labels"][RUN_ID_LABEL] for item in items} >= set(ids),
            NAMESPACES,
            selector=RUN_ID_LABEL,
            timeout_s=ENDED_WITHIN_S,
            what="namespaces of both runs at the same time",
        )
        assert len(together) >= 2
        codes = [process.wait(ENDED_WITHIN_S) for process in processes]
    bad = [f"{one.case}: {one.first_line}" for report in reports for one in load(report).bad()]
    assert (codes, bad) == ([0, 0], [])
    assert [load(report).profile_verdict for report in reports] == ["conformant", "conformant"]
    assert differences(before, inventory(api)) == []
