"""Bad input: one clear line, exit code 4, and nothing opened or written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.frame import HEAD, Frame

pytest_plugins = ["pytester"]


def must_be_refused(frame: Frame, result: pytest.RunResult, *parts: str) -> None:
    """Assert that a run ended with one line of error that has all `parts`, and made nothing."""
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    lines = [line for line in result.errlines if line]
    assert len(lines) == 1, lines
    assert lines[0].startswith("ERROR: ")
    assert [part for part in parts if part not in lines[0]] == []
    assert frame.done() == []
    assert not frame.report.exists()


@pytest.mark.parametrize(
    ("argument", "parts"),
    [
        ("--kind-proxy-mode=ipvs --cluster=kind", ("--kind-proxy-mode", "'ipvs'", "allowed is iptables, nftables")),
        ("--kind-image=x", ("--kind-image", "given with --cluster=local", "allowed is it with kind")),
        ("--cluster=mine", ("--cluster", "'mine'", "allowed is local")),
        ("--aks-cluster-name=x", ("--aks-cluster-name", "given with --cluster=local", "allowed is it with aks")),
        ("--namespace=x", ("--namespace", "given with --cluster=local", "allowed is it with kubeconfig")),
        ("--cluster=kubeconfig --namespace=a -n2", ("--namespace: found 1, and -n 2", "one for each process")),
        ("--list-images --cluster=aks --image=x=y", ("--image", "'x'", "allowed is python")),
        ("--azure=real", ("--azure", "'real'", "allowed is emulated, off")),
        ("--profile=smke", ("--profile", "'smke'", "did you mean smoke?")),
        ("--profile=x", ("--profile", "'x'", "smoke, core, full")),
        ("--chapter=cluster-ip", ("--chapter", "'cluster-ip'", "cluster_ip")),
        ("--requirement=cluster_ip.brokn", ("--requirement", "'cluster_ip.brokn'", "cluster_ip.broken")),
        ("--scenarios-at-once=5", ("--scenarios-at-once", "'5'", "a whole number from 1 to 4")),
        ("--scenarios-at-once=two", ("--scenarios-at-once", "'two'")),
        ("--load-from=hre", ("--load-from", "'hre'", "did you mean here?")),
        ("--load-from=nowhere", ("--load-from", "'nowhere'", "which is unknown")),
        ("--seed=-1", ("--seed", "'-1'", "a whole number from 0 to 4294967295")),
        ("--seed=4294967296", ("--seed", "'4294967296'")),
        ("--job-summary=no/such/file", ("--job-summary", "no/such/file", "is not a folder")),
        ("--requirement=zzz", ("--requirement", "'zzz'", "allowed is", "dns.wrong")),
        ("--rerun-failed=nowhere", ("--rerun-failed", "nowhere", "no record of a run")),
        ("--chapter=azure", ("--chapter", "azure has no promises yet", "cluster_ip, dns")),
        ("--chapter=node_port --profile=smoke", ("none of the 6 collected cases",)),
    ],
)
def test_bad_input_is_refused_before_anything_is_made(frame: Frame, argument: str, parts: tuple[str, ...]) -> None:
    must_be_refused(frame, frame.run(*argument.split()), *parts)


def test_bad_input_is_refused_with_workers_too(frame: Frame) -> None:
    must_be_refused(frame, frame.run("-n2", "--requirement=zzz"), "--requirement", "'zzz'")


def test_an_unknown_cluster_name_is_refused_by_the_cluster(frame: Frame) -> None:
    frame.cluster("failure=UsageError(\"--cluster-name: no cluster is called 'x'; there is none\")")
    must_be_refused(frame, frame.run("--cluster-name=x"), "--cluster-name", "'x'")


def test_a_report_folder_with_a_record_is_refused(frame: Frame) -> None:
    frame.write("report/run.jsonl", "kept\n")
    result = frame.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --report-dir: * already holds the record of a run; *"])
    assert (frame.report / "run.jsonl").read_text("utf-8") == "kept\n"


def test_a_report_folder_below_a_file_is_refused(frame: Frame) -> None:
    frame.report = Path(frame.path / "pyproject.toml" / "report")
    must_be_refused(frame, frame.run(), "--report-dir", "not a writable folder")


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ("def test_a(): pass", "conformance/test_b.py::test_a: a test in conformance/ must name its promise"),
        (
            "@requirement('dns.wrong', promise='P.', source='s', level=MUST)\ndef test_a(): pass",
            "requirement dns.wrong: declared twice, by conformance/test_all.py::test_wrong and by ",
        ),
        (
            "@pytest.mark.skip\n@requirement('dns.x', promise='P.', source='s', level=MUST)\ndef test_a(): pass",
            "conformance/test_b.py::test_a: found the marker skip",
        ),
    ],
)
def test_a_test_that_the_catalogue_cannot_hold_is_refused(frame: Frame, test: str, message: str) -> None:
    frame.write("conformance/test_b.py", HEAD + test)
    must_be_refused(frame, frame.run(), message)


def test_a_profile_that_is_not_one_is_refused(frame: Frame) -> None:
    frame.write("conformance/profiles/smoke.yaml", "reason: quick\nlevel: MUST\n")
    must_be_refused(frame, frame.run("--profile=smoke"), "smoke.yaml: level", "Extra inputs")
