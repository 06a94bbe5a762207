"""The suite on real kind: a fresh cluster in either proxy mode, one that is kept, and one whose run was killed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from fixtures.verdicts import Verdict
from reports.record import read
from reports.results import results
from tests.kind_host.conftest import RUN_TIMEOUT_S, KindHost

SMOKE = ("--profile=smoke", "-n2")
ONE = ("--requirement=cluster_ip.address_is_from_the_service_range",)
BALANCED = "load_balancer.external_ip_leads_to_two_pods_on_port_80"


def around(host: KindHost) -> list[str]:
    """What there is of emulated Azure: ports on the engine's bridges that are none of Docker's."""
    command = host.engine.inside(["ip", "-oneline", "link", "show", "type", "veth"])
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line for line in said.splitlines() if line.split()[1].startswith("ksc-")]


def must_be_conformant(run: subprocess.Popen[str], report: Path) -> str:
    """What a run said that kept every promise it could look at."""
    said, _ = run.communicate(timeout=RUN_TIMEOUT_S)
    assert run.returncode == 0, said
    total = results(read(report))
    assert total.sound, said
    assert Verdict.PASS in {case.verdict for case in total.cases.values()}
    return said


def test_a_fresh_cluster_keeps_the_promises_and_goes(host: KindHost, tmp_path: Path) -> None:
    options = ("--kind-proxy-mode=nftables", "--azure=off", f"--report-dir={tmp_path / 'report'}")
    said = must_be_conformant(host.suite(*SMOKE, *options), tmp_path / "report")
    assert "offers no load balancers: --azure=off; cloud-provider-kind is not on PATH" in said
    assert host.containers() == set()


def test_a_kept_cluster_is_used_again_and_stays(host: KindHost, tmp_path: Path) -> None:
    first = host.suite(f"--requirement={BALANCED}", "--keep-cluster", f"--report-dir={tmp_path / 'first'}")
    must_be_conformant(first, tmp_path / "first")
    assert around(host) == []
    kept = host.containers()
    assert len(kept) == 4
    name = min(kept).removesuffix("-control-plane")
    second = host.suite(*ONE, f"--cluster-name={name}", f"--report-dir={tmp_path / 'second'}")
    said = must_be_conformant(second, tmp_path / "second")
    assert f"kind cluster {name}, " in said
    assert "are started for fresh clusters only" in said
    assert host.containers() == kept
    host.engine.docker("rm", "--force", "--volumes", *kept)


def test_a_killed_runs_cluster_is_removed_by_the_next_run(host: KindHost, tmp_path: Path) -> None:
    killed = host.suite(*ONE, f"--report-dir={tmp_path / 'killed'}")
    assert killed.stdout is not None
    assert any("3 nodes" in line for line in killed.stdout)
    killed.kill()
    killed.communicate()
    left = host.containers()
    assert len(left) == 4
    assert around(host) != []
    said = must_be_conformant(host.suite(*ONE, f"--report-dir={tmp_path / 'next'}"), tmp_path / "next")
    assert f"removing the kind cluster {min(left).removesuffix('-control-plane')} of a run that was killed" in said
    assert (host.containers(), around(host)) == (set(), [])
