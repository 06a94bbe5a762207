"""What is built: the pins, and the key that decides whether it is built again."""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.clusters.local import upstreams
from fixtures.clusters.local.paths import SOURCES
from fixtures.clusters.local.upstreams import UPSTREAMS, Upstream, upstream

VERSIONS = {
    "tools": "",
    "cni": "1.9.1",
    "runc": "1.4.3",
    "etcd": "3.6.8",
    "containerd": "2.3.4",
    "coredns": "1.14.7",
    "kubernetes": "1.36.3",
    "cloud-provider-azure": "1.36.5",
    "traefik": "3.7.13",
}


@pytest.fixture
def etcd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Upstream:
    """An upstream whose sources, in the folder `etcd` of `tmp_path`, a test may change."""
    shutil.copytree(SOURCES / "etcd", tmp_path / "etcd")
    monkeypatch.setattr(upstreams, "SOURCES", tmp_path)
    return upstream("etcd")


def test_the_versions_are_those_of_the_documents() -> None:
    assert {entry.name: entry.version for entry in UPSTREAMS} == VERSIONS


def test_each_folder_of_sources_is_built() -> None:
    assert {path.parent.name for path in SOURCES.glob("*/go.mod")} == set(VERSIONS)


def test_every_module_with_dependencies_has_checksums() -> None:
    for go_mod in SOURCES.glob("*/go.mod"):
        required = re.findall(r"^\s*(?:require )?[\w./~-]+ v\S+", go_mod.read_text(), re.MULTILINE)
        sums = go_mod.with_name("go.sum")
        lines = sums.read_text().splitlines() if sums.exists() else []
        assert bool(lines) == bool(required), go_mod
        assert [line for line in lines if not re.fullmatch(r"\S+ v\S+ h1:\S+=", line)] == [], sums


def test_no_replacement_leads_out_of_the_checksums() -> None:
    for go_mod in SOURCES.glob("*/go.mod"):
        local = re.findall(r"=>\s+([./]\S*)", go_mod.read_text())
        # A folder elsewhere has no checksum; of one beside go.mod all is in the key.
        assert [path for path in local if not re.fullmatch(r"\./[a-z]+", path)] == [], go_mod


def _unpin(folder: Path) -> None:
    text = (folder / "go.mod").read_text()
    (folder / "go.mod").write_text(text.replace("v3.6.8", "v3.6.9", 1))


@pytest.mark.parametrize(
    "change",
    [
        _unpin,
        lambda folder: (folder / "go.sum").write_text((folder / "go.sum").read_text() + "x v1.0.0 h1:0=\n"),
        lambda folder: (folder / "main.go").write_text((folder / "main.go").read_text() + "// changed\n"),
        lambda folder: (folder / "more.go").write_text("package main\n"),
        lambda folder: (folder / "main.go").rename(folder / "other.go"),
    ],
    ids=["pin", "checksum", "source", "new source", "renamed source"],
)
def test_the_key_changes_with_what_is_built(etcd: Upstream, tmp_path: Path, change: Callable[[Path], object]) -> None:
    before = etcd.key()
    change(tmp_path / "etcd")
    assert etcd.key() != before


@pytest.mark.parametrize(
    "changed",
    [
        {"tags": "other"},
        {"cgo": True},
        {"ldflags": lambda _version: "-s"},
        {"packages": ("./x",)},
        {"programs": ("x",)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_the_key_changes_with_the_flags(etcd: Upstream, changed: dict[str, object]) -> None:
    assert dataclasses.replace(etcd, **changed).key() != etcd.key()  # type: ignore[arg-type]


def test_the_key_stays_when_files_are_only_copied(etcd: Upstream, tmp_path: Path) -> None:
    before = etcd.key()
    shutil.move(tmp_path / "etcd", tmp_path / "moved")
    shutil.copytree(tmp_path / "moved", tmp_path / "etcd", copy_function=shutil.copyfile)
    assert etcd.key() == before


def test_a_pin_that_is_missing_is_named(etcd: Upstream, tmp_path: Path) -> None:
    (tmp_path / "etcd" / "go.mod").write_text("module local/etcd\n\ngo 1.26.0\n")
    with pytest.raises(LookupError, match=r"sources/etcd/go.mod does not require go.etcd.io/etcd/server/v3"):
        assert etcd.version


def test_the_cloud_controller_is_built_for_this_kubernetes() -> None:
    libraries = [
        re.findall(r"^\s*k8s\.io/(?:api|client-go|component-base) v\S+", (SOURCES / name / "go.mod").read_text(), re.M)
        for name in ("kubernetes", "cloud-provider-azure")
    ]
    assert sorted(libraries[0]) == sorted(libraries[1])
    assert len(libraries[0]) == 3


def test_kubernetes_reports_the_version_that_it_is() -> None:
    flags = upstream("kubernetes").ldflags("1.36.3")
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        assert f"-X {package}.gitVersion=v1.36.3" in flags
        assert f"-X {package}.gitMajor=1 " in flags
        assert f"-X {package}.gitMinor=36 " in flags
