"""Building with a fake go command: whole or not at all, once, and every trouble named."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.clusters.local import build
from fixtures.clusters.local.build import binary_folder, ensure_binaries, missing_binaries
from fixtures.clusters.local.upstreams import upstream
from fixtures.errors import SuiteError, UsageError
from tests.unit.local_fakes import FakeGo, Said, names_in

TOOLS = upstream("tools")
BUILD_TOOLS = """
from fixtures.clusters.local import build, upstreams
from fixtures.clusters.local.progress import PlainProgress
build.UPSTREAMS = (upstreams.upstream("tools"),)
build.ensure_binaries(PlainProgress(lambda text: print(text, flush=True)))
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and one small upstream to build into it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(build, "UPSTREAMS", (TOOLS,))
    return tmp_path / "cache" / "k8s-service-conformance"


@pytest.fixture(autouse=True)
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeGo:
    """The go command."""
    return FakeGo(tmp_path, monkeypatch)


@pytest.fixture
def gate(tmp_path: Path, go: FakeGo) -> Path:
    """A FIFO that builds wait at."""
    os.mkfifo(tmp_path / "gate")
    go.set("GATE", str(tmp_path / "gate"))
    return tmp_path / "gate"


def other_run() -> subprocess.Popen[str]:
    """Another process that builds the same, in a process group of its own."""
    argv = [sys.executable, "-c", BUILD_TOOLS]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True)


def line_with(process: subprocess.Popen[str], text: str) -> str:
    """The first line of a process that has `text` in it."""
    assert process.stdout is not None
    return next(line for line in process.stdout if text in line)


def published(cache: Path) -> list[str]:
    """The folders of programs in the cache, scratch folders included."""
    return names_in(cache / "bin")


def test_programs_are_built_once(go: FakeGo) -> None:
    assert missing_binaries() == [TOOLS]
    said = Said()
    assert ensure_binaries(said) == ensure_binaries(said) == {}
    assert (binary_folder(TOOLS) / "pause").read_text() == "built pause\n"
    assert missing_binaries() == []
    assert go.calls("build") == 1
    assert said.lines[0] == "building 1 of 1 from source: tools"
    assert said.states[0] == "[1/1] tools: fetching its Go modules"
    assert said.states[1].startswith("[1/1] tools: 1 of at most 3 packages, 0:0")


def test_several_upstreams_are_counted(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr(build, "UPSTREAMS", (TOOLS, upstream("etcd")))
    said = Said()
    ensure_binaries(said)
    assert [line.partition(" in ")[0] for line in said.lines] == [
        "building 2 of 2 from source: tools, etcd 3.6.8",
        "[1/2] tools: built",
        "[2/2] etcd 3.6.8: built",
        "all programs built",
    ]
    assert [name.partition("-")[0] for name in published(cache)] == ["etcd", "tools"]


def test_rebuild_builds_what_is_there(go: FakeGo) -> None:
    ensure_binaries(Said())
    ensure_binaries(Said(), rebuild=True)
    assert go.calls("build") == 2


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_build_leaves_nothing(stop: type[BaseException], gate: Path, cache: Path) -> None:
    class Interrupting(Said):
        def status(self, text: str) -> None:
            if "packages" in text:
                raise stop

    assert gate.exists()
    with pytest.raises(stop):
        ensure_binaries(Interrupting())
    assert published(cache) == []


def test_what_a_killed_build_leaves_is_never_used_and_cleared_by_the_next(gate: Path, go: FakeGo, cache: Path) -> None:
    # Opening the gate for writing returns when the build waits at it.
    with other_run() as killed, gate.open("w"):
        (scratch,) = published(cache)
        os.killpg(killed.pid, signal.SIGKILL)
    assert scratch.startswith(".tools-")
    assert (cache / "bin" / scratch / "pause").read_text() == "half\n"
    go.set("GATE", "")
    ensure_binaries(Said())
    assert published(cache) == [binary_folder(TOOLS).name]
    assert go.calls("build") == 2


def test_two_runs_at_once_build_once(gate: Path, go: FakeGo) -> None:
    with other_run() as first:
        with gate.open("w") as release, other_run() as second:
            line_with(second, "[1/1] tools: another run builds it; waiting")
            release.write("go on\n")
            release.close()
            assert second.wait() == 0
        assert first.wait() == 0
    assert go.calls("build") == 1


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda folder: (folder / "pause").write_text("built pauze\n"), "(pause)"),
        (lambda folder: (folder / "pause").write_text("cut"), "(pause)"),
        (lambda folder: (folder / "pause").unlink(), "No such file or directory"),
        (lambda folder: (folder / "manifest.json").write_text('{"pause"'), "(Expecting ':'"),
        (lambda folder: (folder / "manifest.json").unlink(), "No such file or directory"),
    ],
    ids=["other bytes", "shorter", "missing", "torn manifest", "no manifest"],
)
def test_a_damaged_cache_is_built_again_and_that_is_said(damage: object, named: str, go: FakeGo) -> None:
    ensure_binaries(Said())
    assert callable(damage)
    damage(binary_folder(TOOLS))
    said = Said()
    ensure_binaries(said)
    assert said.lines[0].startswith("cache: tools is damaged (")
    assert named in said.lines[0]
    assert said.lines[0].endswith("it is built again")
    assert (binary_folder(TOOLS) / "pause").read_text() == "built pause\n"
    assert go.calls("build") == 2


def test_programs_that_were_only_touched_are_not_damaged(go: FakeGo) -> None:
    ensure_binaries(Said())
    (binary_folder(TOOLS) / "pause").touch()
    ensure_binaries(Said())
    assert go.calls("build") == 1


@pytest.mark.parametrize(
    "trouble",
    [
        "main.go:9:2: no required module provides package example.org/x; to add it:",
        "example.org/x@v1: verifying module: checksum mismatch",
        'go: example.org/x@v1: Get "https://proxy.example/x": dial tcp: lookup proxy.example: no such host',
        "go: example.org/x@v1: reading https://proxy.example/x: 404 Not Found",
    ],
)
def test_a_module_that_cannot_be_had_is_said_in_one_line(trouble: str, go: FakeGo, cache: Path) -> None:
    go.set("LIST_ERROR", f"go: downloading example.org/x v1\n{trouble}\nmore of it")
    with pytest.raises(UsageError) as raised:
        ensure_binaries(Said())
    assert str(raised.value).startswith(f"Go modules of tools: {trouble}; needed is a module proxy")
    assert "\n" not in str(raised.value)
    assert go.calls("build") == 0
    assert not (cache / "bin").exists()


def test_other_trouble_with_the_sources_is_ours(go: FakeGo) -> None:
    go.set("LIST_ERROR", "main.go:1:1: expected 'package', found 'EOF'")
    with pytest.raises(SuiteError, match=r"go list of tools failed: main\.go:1:1: expected 'package'"):
        ensure_binaries(Said())


def test_a_failing_compiler_is_our_failure_and_leaves_nothing(go: FakeGo, cache: Path) -> None:
    go.set("BUILD_ERROR", "gcc: error: unrecognized option")
    with pytest.raises(SuiteError) as raised:
        ensure_binaries(Said())
    first, *rest = str(raised.value).splitlines()
    assert first == "building tools failed with exit code 1"
    assert rest[-1] == "gcc: error: unrecognized option"
    assert published(cache) == []


@pytest.mark.parametrize("trouble", ["LIST_ERROR", "BUILD_ERROR"])
def test_what_is_optional_and_cannot_be_had_is_said_and_the_rest_is_built(
    trouble: str, go: FakeGo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "UPSTREAMS", (replace(TOOLS, optional=True),))
    go.set(trouble, "go: example.org/x@v1: reading it: 404 Not Found")
    said = Said()
    lacking = ensure_binaries(said)
    assert lacking.keys() == {"tools"}
    assert "404 Not Found" in lacking["tools"]
    assert said.lines[-1].startswith("all programs but tools built in")
    assert not binary_folder(TOOLS).exists()
    assert missing_binaries()[0].name == "tools", "the next run tries again"


def test_what_is_not_needed_is_not_built(go: FakeGo) -> None:
    assert missing_binaries(without=["tools"]) == []
    assert ensure_binaries(Said(), without=["tools"]) == {}
    assert go.calls("build") == 0
