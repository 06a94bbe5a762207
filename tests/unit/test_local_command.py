"""The command: bad input is one line and exit code 4, and nothing is made."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from fixtures.clusters.local import __main__ as command
from fixtures.clusters.local import boot, open_cluster, preflight
from fixtures.clusters.local.boot import MANIFESTS, Options
from fixtures.clusters.local.cluster import attach
from fixtures.clusters.local.paths import cluster_dir
from fixtures.clusters.local.state import Owner, State
from fixtures.errors import SuiteError, UsageError
from tests.unit.local_fakes import Said


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache, and a user who may do everything."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(command, "check_root", lambda: None)
    handler = signal.getsignal(signal.SIGTERM)
    yield tmp_path / "cache"
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def ready_to_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine where everything is built, and no cluster can be booted."""
    monkeypatch.setattr(preflight, "check", lambda *_, **__: None)
    for name in ("ensure_binaries", "ensure_store", "_boot"):
        monkeypatch.setattr(boot, name, lambda *_, **__: {})


def refusal(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """The one line on standard error that the command refuses with."""
    assert command.main(argv) == 4
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert printed.err.startswith("error: ")
    return printed.err.removeprefix("error: ").strip()


def running(name: str, block: int = 0) -> None:
    """Write down a cluster that this process owns."""
    state = State(name=name, block=block, nodes=1, proxy_mode="nftables", api_port=1, owner=Owner.this_process())
    cluster_dir(name).mkdir(parents=True)
    state.save()


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        ([], "the following arguments are required: VERB"),
        (["frob"], "argument VERB: invalid choice: 'frob'"),
        (["up", "--frob"], "unrecognized arguments: --frob"),
        (["up", "--nodes", "three"], "argument --nodes: invalid int value: 'three'"),
        (["up", "--nodes", "0"], "--nodes: found 0; allowed is 1 to 20"),
        (["up", "--nodes", "21"], "--nodes: found 21; allowed is 1 to 20"),
        (["up", "--name", "Dev"], "--name: found 'Dev'; allowed are 1 to 30 lower-case letters"),
        (["up", "--name", "../x"], "--name: found '../x'; allowed are"),
        (["up", "--proxy-mode", "ipvs"], "argument --proxy-mode: invalid choice: 'ipvs'"),
        (["up", "--azure", "real"], "argument --azure: invalid choice: 'real' (choose from 'emulated', 'off')"),
        (["up", "--ingress", "nginx"], "argument --ingress: invalid choice: 'nginx' (choose from 'traefik', 'off')"),
        (["up", "--azure-vm-type", "aci"], "argument --azure-vm-type: invalid choice: 'aci'"),
        (["up", "--azure-backend-pool", "podIP"], "argument --azure-backend-pool: invalid choice: 'podIP'"),
        (["up", "--address-block", "64"], "--address-block: found 64; allowed is 0 to 63"),
        (["up", "--api-port", "65536"], "--api-port: found 65536; allowed is 0 (any free port) to 65535"),
        (["up", "--api-port", "-1"], "--api-port: found -1; allowed is 0"),
        (["up", "--azure-load-balancers", "4"], "--azure-load-balancers: found 4; allowed is 1 to 3"),
        (
            ["up", "--azure-load-balancers", "2"],
            "--azure-backend-pool: found nodeIPConfiguration; allowed is nodeIP, which several load balancers need",
        ),
        (["down", "--name", "../x"], "--name: found '../x'; allowed are"),
        (["down"], "--name: there is no cluster 'local'; there are none"),
        (["status", "--name", "x"], "--name: there is no cluster 'x'; there are none"),
        (["status", "--output", "xml"], "argument --output: invalid choice: 'xml'"),
        (["shell", "--name", "x"], "--name: no local cluster 'x' is running; start it with: python -m"),
        (["stop-node", "node-1", "--name", "x"], "--name: no local cluster 'x' is running"),
        (["start-node", "node-1", "--name", "X"], "--name: found 'X'; allowed are"),
    ],
    ids=" ".join,
)
def test_bad_input_is_one_line(capsys: pytest.CaptureFixture[str], cache: Path, argv: list[str], line: str) -> None:
    assert refusal(capsys, *argv).startswith(line)
    assert not (cache / "k8s-service-conformance" / "clusters").exists()


def test_the_process_exits_with_4_and_without_a_traceback(cache: Path) -> None:
    argv = [sys.executable, "-m", "fixtures.clusters.local", "up", "--nodes", "0"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert not cache.exists()


def test_a_user_who_is_not_root_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "check_root", preflight.check_root)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for verb in (["up"], ["down"], ["status"], ["shell"], ["build"], ["stop-node", "n"], ["start-node", "n"]):
        assert "needs root to make namespaces, found user id 1000" in refusal(capsys, *verb)
    with pytest.raises(UsageError, match="needs root"):
        open_cluster(None, keep=False, progress=print)


@pytest.mark.usefixtures("ready_to_claim")
def test_a_port_in_use_is_named(capsys: pytest.CaptureFixture[str], cache: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refusal(capsys, "up", "--api-port", str(port))
    assert line == f"--api-port: 127.0.0.1:{port} cannot be used: Address already in use; 0: any free"
    assert not (cache / "k8s-service-conformance" / "clusters").exists()


@pytest.mark.usefixtures("ready_to_claim")
def test_a_name_in_use_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    running("one")
    assert refusal(capsys, "up", "--name", "one") == (
        "--name: cluster 'one' is there already (starting); choose another name"
    )


@pytest.mark.usefixtures("ready_to_claim")
def test_a_block_in_use_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    running("one", block=5)
    line = refusal(capsys, "up", "--name", "two", "--address-block", "5")
    assert line == "--address-block: 5 is in use by cluster 'one'"
    assert not cluster_dir("two").exists()


@pytest.mark.usefixtures("ready_to_claim")
@pytest.mark.parametrize(
    ("options", "lacking", "why"),
    [
        (Options(), {}, ""),
        (Options(azure=False), {}, "--azure=off"),
        (Options(), {"cloud-provider-azure": "no module"}, "no module"),
    ],
    ids=["emulated", "off", "cannot be had"],
)
def test_a_cluster_says_why_it_has_no_azure(
    options: Options, lacking: dict[str, str], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boot, "ensure_binaries", lambda *_, **__: lacking)
    state = boot.create("one", options, Said(), keep=False).state
    assert (state.azure is None, state.no_azure_because) == (bool(why), why)


@pytest.mark.usefixtures("ready_to_claim")
@pytest.mark.parametrize(
    ("options", "lacking", "why"),
    [
        (Options(), {}, ""),
        (Options(ingress=False), {}, "--ingress=off"),
        (Options(), {"traefik": "no module"}, "no module"),
    ],
    ids=["traefik", "off", "cannot be had"],
)
def test_a_cluster_says_why_it_has_no_ingress_controller(
    options: Options, lacking: dict[str, str], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boot, "ensure_binaries", lambda *_, **__: lacking)
    state = boot.create("one", options, Said(), keep=False).state
    assert (state.ingress, state.no_ingress_because) == (not why, why)


@pytest.mark.usefixtures("ready_to_claim")
def test_the_first_free_block_is_taken_and_there_are_not_more_than_64() -> None:
    running("one", block=0)
    running("two", block=2)
    assert boot.create("three", Options(), Said(), keep=False).state.block == 1
    for block in range(3, 64):
        running(f"more-{block}", block)
    with pytest.raises(UsageError, match="all 64 address blocks are in use"):
        boot.create("too-many", Options(), Said(), keep=False)
    assert not cluster_dir("too-many").exists()


@pytest.mark.usefixtures("ready_to_claim")
@pytest.mark.parametrize("problem", [SuiteError("etcd ended"), KeyboardInterrupt()], ids=["failure", "Ctrl-C"])
def test_a_boot_that_does_not_end_removes_the_cluster(
    problem: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], cache: Path
) -> None:
    def failing(*_: object) -> None:
        assert cluster_dir("one").exists()
        (cluster_dir("one") / "log").mkdir()
        (cluster_dir("one") / "log" / "etcd.log").write_text("why")
        raise problem

    monkeypatch.setattr(boot, "_boot", failing)
    failed = isinstance(problem, SuiteError)
    assert command.main(["up", "--name", "one"]) == (3 if failed else 130)
    assert not cluster_dir("one").exists()
    kept = list((cache / "k8s-service-conformance").glob("logs/*"))
    assert len(kept) == failed, "logs are kept of failures, not of what a person stopped"
    if failed:
        assert (kept[0] / "control-plane" / "etcd.log").read_text() == "why"
        assert f"error: etcd ended\nlogs of all components: {kept[0]}" in capsys.readouterr().err


def test_only_a_running_cluster_can_be_attached_to() -> None:
    running("one")
    with pytest.raises(UsageError, match="no local cluster 'one' is running"):
        attach("one")


def test_the_manifest_of_dns_has_what_the_boot_patches() -> None:
    objects = {item["kind"]: item for item in yaml.safe_load_all((MANIFESTS / "coredns.yaml").read_text())}
    assert objects["Service"]["metadata"] == {
        "name": "kube-dns",
        "namespace": "kube-system",
        "labels": {"k8s-app": "kube-dns", "kubernetes.io/name": "CoreDNS"},
    }
    assert "clusterIP" in objects["Service"]["spec"]
    (container,) = objects["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["image"].startswith("localhost/coredns")
    assert objects["Service"]["spec"]["selector"] == objects["Deployment"]["spec"]["selector"]["matchLabels"]


def test_the_manifest_of_the_ingress_controller_has_what_the_boot_patches() -> None:
    objects = {item["kind"]: item for item in yaml.safe_load_all((MANIFESTS / "traefik.yaml").read_text())}
    assert "clusterIP" in objects["Service"]["spec"]
    (container,) = objects["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["image"].startswith("localhost/traefik")
    assert container["args"][0] == "-listen=:8080"
    assert objects["Service"]["spec"]["selector"] == objects["Deployment"]["spec"]["selector"]["matchLabels"]
    assert objects["IngressClass"]["metadata"] == {"name": "traefik"}, "no default class"
