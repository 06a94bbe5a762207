"""The suite in a pod of the cluster that it checks, as manifests/in-cluster/ has it, under Pod Security restricted."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as ET

import pytest
import yaml

from fixtures.api import NAMESPACES, Api
from fixtures.clusters.local.cluster import LocalCluster
from fixtures.workloads.namespaces import RUN_ID_LABEL
from tests.local.helpers import NODE_1, kubectl, must_succeed
from tests.local.in_cluster import IN_CLUSTER, NAME, InCluster
from tests.local.runs import differences, inventory
from tests.local.suite_image import image_on

BEGINS_WITHIN_S = 120.0


@pytest.fixture(scope="module")
def image(cluster: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image of the Dockerfile, in the store of the first node."""
    with image_on(cluster, NODE_1, tmp_path_factory.mktemp("image")) as tag:
        yield tag


@pytest.fixture
def suite(cluster: LocalCluster, image: str) -> Iterator[InCluster]:
    """The service account, with rights to read alone; whatever a test does, nothing of it is left in the cluster."""
    before = inventory(Api(cluster.info.kubeconfig))
    made = InCluster(cluster, image)
    made.apply("base")
    yield made
    made.remove()
    assert differences(before, inventory(made.api)) == []


def test_the_job_runs_the_suite_and_hands_its_report_over(suite: InCluster) -> None:
    suite.apply("factory")
    suite.start("--profile=smoke")
    end, codes = suite.wait_until_ended()
    assert (end, codes) == ("Complete", {"suite": 0, "report": 0}), suite.log("suite")[-3000:]
    report = suite.report()
    assert {"conformance.yaml", "junit.xml", "report.html", "run.jsonl", "output.txt"} <= report.keys()
    said = yaml.safe_load(report["conformance.yaml"])
    assert (said["cluster"]["kind"], said["cluster"]["name"]) == ("kubeconfig", "in-cluster")
    assert int(ET.fromstring(report["junit.xml"]).attrib["tests"]) >= 5
    assert "handed over: /results/report.tar.gz" in suite.log("suite")
    assert suite.namespaces_of_runs() == []


def test_a_job_without_a_right_says_so_and_hands_that_over(suite: InCluster) -> None:
    suite.start("--profile=smoke")
    end, codes = suite.wait_until_ended()
    assert (end, codes) == ("Failed", {"suite": 4, "report": 0}), suite.log("suite")[-3000:]
    report = suite.report()
    assert report.keys() == {"output.txt", "junit.xml"}
    assert "the right to list namespaces in the cluster is missing" in report["output.txt"].decode()
    assert ET.fromstring(report["junit.xml"]).attrib["errors"] == "1"


def test_a_job_that_is_deleted_takes_along_what_its_run_has_made(suite: InCluster) -> None:
    suite.apply("factory")
    suite.start("--profile=smoke")
    suite.api.wait_until(bool, NAMESPACES, selector=RUN_ID_LABEL, timeout_s=BEGINS_WITHIN_S, what="a run's namespace")
    suite.delete_job()
    assert suite.namespaces_of_runs() == []


def test_the_nightly_run_is_taken_as_it_stands(suite: InCluster) -> None:
    file = f"--filename={IN_CLUSTER / 'cronjob.yaml'}"
    done = kubectl(suite.cluster, "create", "--dry-run=server", "--validate=strict", file)
    assert must_succeed(done).splitlines() == [
        f"persistentvolumeclaim/{NAME}-reports created (server dry run)",
        f"cronjob.batch/{NAME} created (server dry run)",
    ]
    assert done.stderr == "", "Pod Security warns of what it would refuse"
