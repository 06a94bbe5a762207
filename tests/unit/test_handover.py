"""What the container image starts: a run, whatever becomes of it, and its report handed over."""

from __future__ import annotations

import base64
import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from fixtures.errors import UsageError
from reports import handover
from reports.__main__ import main as reports_main
from reports.handover import DONE, TARBALL, Ended, collect, hand_over, main, report_folder, results_folder
from tests.unit.frame import ROOT
from tests.unit.local_fakes import names_in

CONFTEST = """
import pathlib
import pytest

def pytest_addoption(parser):
    parser.addoption("--cluster")
    parser.addoption("--report-dir")
    parser.addoption("--profile")

def pytest_configure(config):
    if config.getoption("profile") == "unknown":
        raise pytest.UsageError("--profile: found 'unknown'")
"""
TEST = """
import os, pathlib, signal

def test_it(request):
    option = request.config.option
    folder = pathlib.Path(option.report_dir)
    (folder / "history").mkdir(parents=True)
    (folder / "history" / "a.jsonl").write_text("{}")
    (folder / ".reserve").write_text("x" * 4096)
    (folder / "junit.xml").write_text(f"<testsuites cluster='{option.cluster}'/>")
    if option.profile == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    assert option.profile != "failing"
"""


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A suite of one test in place of ours; the environment of its container."""
    root = tmp_path / "app"
    (root / "conformance").mkdir(parents=True)
    (root / "conftest.py").write_text(CONFTEST, "utf-8")
    (root / "conformance" / "test_it.py").write_text(TEST, "utf-8")
    (root / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider", "utf-8")
    monkeypatch.setattr(handover, "ROOT", root)
    return {
        "RESULTS_DIR": str(tmp_path / "results"),
        "SERVICE_CONFORMANCE_REPORT_DIR": str(tmp_path / "report"),
    }


def handed_over(environment: Mapping[str, str]) -> dict[str, bytes]:
    """The files of the tarball that `done` names; nothing else is in the results folder."""
    results = Path(environment["RESULTS_DIR"])
    assert names_in(results) == [DONE, TARBALL]
    assert (results / DONE).read_bytes() == str(results / TARBALL).encode(), "the path, without a line's end"
    with tarfile.open(results / TARBALL) as tar:
        return {one.name: stream.read() for one in tar if (stream := tar.extractfile(one))}


@pytest.mark.parametrize(
    ("profile", "code", "said"),
    [("core", 0, "1 passed"), ("failing", 1, "1 failed"), ("killed", 128 + signal.SIGKILL, "collected 1 item")],
)
def test_a_report_is_handed_over_whatever_the_run_came_to(
    suite: dict[str, str], capfdbinary: pytest.CaptureFixture[bytes], profile: str, code: int, said: str
) -> None:
    assert main([f"--profile={profile}"], suite) == code
    files = handed_over(suite)
    assert files.keys() == {"history/a.jsonl", "junit.xml", "output.txt"}
    assert files["junit.xml"] == b"<testsuites cluster='kubeconfig'/>"
    assert said in files["output.txt"].decode()
    shown = capfdbinary.readouterr().out
    assert files["output.txt"] in shown
    assert shown.endswith(f"handed over: {suite['RESULTS_DIR']}/{TARBALL}\n".encode())


def test_a_suite_that_could_not_begin_says_so_as_junit(suite: dict[str, str]) -> None:
    assert main(["--profile=unknown"], suite) == 4
    files = handed_over(suite)
    assert files.keys() == {"junit.xml", "output.txt"}
    root = ET.fromstring(files["junit.xml"])
    (error,) = root.iter("error")
    assert (root.attrib["errors"], error.attrib["message"]) == ("1", "the suite left no report: exit code 4")
    assert "--profile: found 'unknown'" in (error.text or "")


def test_without_a_results_folder_nothing_is_handed_over(suite: dict[str, str], tmp_path: Path) -> None:
    del suite["RESULTS_DIR"]
    assert main([], suite) == 0
    assert names_in(tmp_path) == ["app", "report"]


INTERRUPTED = """
import sys
from pathlib import Path
from reports import handover

child = "import signal, sys; signal.signal(15, lambda *_: sys.exit(2)); print('ready', flush=True); signal.pause()"
results = Path(sys.argv[1])
ended = handover.run([sys.executable, "-c", child], sys.stdout.buffer)
handover.hand_over(results.parent / "report", results, ended)
sys.exit(ended.code)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_cleans_up_and_is_handed_over(tmp_path: Path, number: int) -> None:
    results = tmp_path / "results"
    results.mkdir()
    argv = [sys.executable, "-c", INTERRUPTED, str(results)]
    with subprocess.Popen(argv, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.wait(30) == 2
    files = handed_over({"RESULTS_DIR": str(results)})
    assert files["output.txt"] == b"ready\n"


def test_secrets_that_were_printed_are_not_handed_over(tmp_path: Path) -> None:
    token = "eyJhbGciOiJSUzI1NiIs.eyJpc3MiOiJrdWJlcm5l.c2lnbmF0dXJl"  # noqa: S105 - of this test
    hand_over(tmp_path / "report", tmp_path, Ended(4, f"Authorization: Bearer {token}\n"))
    with tarfile.open(tmp_path / TARBALL) as tar:
        texts = [stream.read().decode() for one in tar if (stream := tar.extractfile(one))]
    assert len(texts) == 2
    assert all(token not in text and "[redacted]" in text for text in texts)


def test_no_done_without_the_whole_tarball(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "junit.xml").touch()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "add", full)
    with pytest.raises(OSError, match="No space left"):
        hand_over(tmp_path / "report", tmp_path, Ended(0, ""))
    assert names_in(tmp_path) == ["report"]


def test_the_report_folder_is_that_of_the_run() -> None:
    variable = {"SERVICE_CONFORMANCE_REPORT_DIR": "/of/variable"}
    assert report_folder([], {}) == Path("/report")
    assert report_folder([], variable) == Path("/of/variable")
    assert report_folder(["--report-dir=/a", "--report-dir", "/b", "-q"], variable) == Path("/b")
    assert report_folder(["--report-dir=runs/c"], {}) == ROOT / "runs" / "c"
    for arguments in (["--report-dir"], ["--report-dir="]):
        with pytest.raises(UsageError, match="--report-dir: found no value; allowed is a folder"):
            report_folder(arguments, {})


def test_a_results_folder_that_cannot_be_used_is_refused_before_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.touch()
    report = tmp_path / "report"
    bad = {
        str(file): f"{file}: File exists; allowed is a folder to write into",
        str(report / "r"): f"{report}/r, in the report folder {report}; allowed is a folder elsewhere",
    }
    for stated, said in bad.items():
        environment = {"RESULTS_DIR": stated, "SERVICE_CONFORMANCE_REPORT_DIR": str(report)}
        assert main([], environment) == 4
        assert capsys.readouterr().err.startswith(f"ERROR: RESULTS_DIR: found {said}")


def test_done_of_an_earlier_run_is_taken_away_first(tmp_path: Path) -> None:
    (tmp_path / DONE).write_text("/old", "utf-8")
    assert results_folder(Path("/report"), {"RESULTS_DIR": str(tmp_path)}) == tmp_path
    assert names_in(tmp_path) == []


def test_what_is_collected_is_the_tarball_that_done_names(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "LOOK_EVERY_S", 0.01)
    later = threading.Timer(0.05, hand_over, [tmp_path / "report", tmp_path, Ended(4, "said")])
    later.start()
    assert reports_main(["collect", str(tmp_path)]) == 0
    later.join()
    content = base64.b64decode(capfdbinary.readouterr().out)
    assert content == (tmp_path / TARBALL).read_bytes()
    (tmp_path / DONE).write_text("/no/such/tarball", "utf-8")
    with pytest.raises(UsageError, match="done: found '/no/such/tarball': No such file or directory; allowed is the"):
        collect(tmp_path, io.BytesIO())
    assert reports_main(["collect", str(tmp_path / "nowhere")]) == 4
