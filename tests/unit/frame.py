"""A small project around the real root conftest.py, for tests of the frame with a fake cluster."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from fixtures import budgets
from fixtures.verdicts import Verdict
from reports.record import read
from reports.results import Results, results

ROOT = Path(__file__).resolve().parents[2]

FAKE = """
from pathlib import Path
import pytest
from fixtures.clusters import IPFamily, registry
from fixtures.clusters.fake import INFO, FakeOpener
from fixtures.errors import SuiteError, UsageError
from fixtures.session import CLUSTER_INFO_KEY

registry.OPENERS["local"] = FakeOpener(Path({journal!r}), {arguments})

@pytest.fixture(scope="session")
def cluster(request):
    return request.config.stash[CLUSTER_INFO_KEY]
"""

HEAD = """
import pytest
from fixtures.errors import BrokenPromise, SuiteError
from fixtures.requirements import MUST, SHOULD, requirement
from fixtures.verdicts import NotObservable, Unsupported
"""

TESTS = (
    HEAD
    + """
@requirement("cluster_ip.kept", promise="It is kept.", source="seed", level=MUST)
@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_kept(cluster, family):
    assert cluster.name == "fake-1"

@requirement("cluster_ip.broken", promise="It answers.", source="seed", level=MUST)
def test_broken():
    raise BrokenPromise(expected="an answer", observed="a timeout", vantage="node-1", details=("at 3 s",))

@requirement("dns.wrong", promise="It resolves.", source="seed", level=SHOULD)
def test_wrong():
    raise SuiteError("the prober did not start")

@requirement("dns.unseen", promise="It is seen.", source="seed", level=SHOULD)
def test_unseen():
    raise NotObservable("no vantage")

@requirement("node_port.absent", promise="It is there.", source="seed", level=SHOULD, features=("IPv6",))
def test_absent():
    raise AssertionError("must not run")
"""
)

PROFILES = {
    "full": "reason: everything\nlevels: [MUST, SHOULD]\n",
    "core": "reason: binding\nlevels: [MUST]\n",
    "throughput": "reason: load\nchapters: [throughput]\n",
    "soak": "reason: long\nchapters: [throughput]\n",
    "smoke": "reason: quick\ninclude: [{id: cluster_ip.kept, reason: first, only: {family: [IPv4]}}]\n",
}


class Frame:
    """The project and what came of running it."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.path = pytester.path
        self.journal = self.path / "journal"
        self.report = self.path / "report"
        pytester.makeconftest((ROOT / "conftest.py").read_text("utf-8"))
        options = "-p no:cacheprovider -p no:hypothesispytest --import-mode=importlib"
        pytester.makepyprojecttoml(f'[tool.pytest.ini_options]\naddopts = "{options}"\n')
        self.write(str(budgets.FILE), (ROOT / budgets.FILE).read_text("utf-8"))
        for name, text in PROFILES.items():
            self.write(f"conformance/profiles/{name}.yaml", text)
        self.cluster()
        self.write("conformance/test_all.py", TESTS)

    def write(self, path: str, text: str) -> None:
        """Write a file of the project."""
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        head, body = text.partition(HEAD)[1:] if text.startswith(HEAD) else ("", text)
        file.write_text(head + textwrap.dedent(body), "utf-8")

    def cluster(self, arguments: str = 'info=INFO.model_copy(update={"families": (IPFamily.IPV4,)})') -> None:
        """Set the fake cluster's further arguments (of FakeOpener), as Python source."""
        self.write("conformance/conftest.py", FAKE.format(journal=str(self.journal), arguments=arguments))

    def run(self, *arguments: str, folder: str = "conformance") -> pytest.RunResult:
        """Run pytest in this process, with the reports in `report`."""
        return self.pytester.runpytest_inprocess(folder, f"--report-dir={self.report}", *arguments)

    def run_apart(self, *arguments: str) -> pytest.RunResult:
        """Run pytest in a process of its own, with the reports in `report`."""
        return self.pytester.runpytest_subprocess("conformance", f"--report-dir={self.report}", *arguments)

    def done(self) -> list[str]:
        """What was done to the cluster, in order."""
        return self.journal.read_text("utf-8").split("\n")[:-1] if self.journal.exists() else []

    def results(self) -> Results:
        """The record, added up."""
        return results(read(self.report))

    def verdicts(self) -> dict[str, Verdict]:
        """The verdict of each case, by what follows `::` in its id."""
        return {case.partition("::")[2]: finished.verdict for case, finished in self.results().cases.items()}
