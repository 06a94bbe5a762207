"""A cache for these tests alone, and the clusters that they share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.clusters.local.cache import exclusive
from fixtures.clusters.local.cluster import LocalCluster, attach
from fixtures.clusters.local.paths import cache_dir
from fixtures.clusters.local.preflight import check_root
from tests.local.few_rights import Runner
from tests.local.helpers import command, must_succeed
from tests.local.leftovers import Host, changes_since, host_now, remains_of


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--rights-profile NAME`."""
    parser.addoption("--rights-profile", default="smoke", help="what runs under few rights (default smoke)")


@pytest.fixture(scope="session")
def prefix() -> str:
    """What the names of all clusters of this test process start with."""
    return f"t-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"


@pytest.fixture(scope="session", autouse=True)
def own_cache(prefix: str) -> Iterator[Path]:
    """A cache with clusters of its own and the programs and images of the user's.

    So `down --all` and the clearing of remains touch nobody else's clusters. It has one place per test process, where
    the next run finds what a killed one left.
    """
    check_root()
    must_succeed(command("build"))
    shared = cache_dir()
    home = shared / f"tests-{prefix}"
    own = home / shared.name
    with exclusive(shared / "locks" / f"{prefix}.lock"), pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(home))
        if own.exists():
            must_succeed(command("down", "--all"))
            shutil.rmtree(home)
        own.mkdir(parents=True)
        for name in ("bin", "store"):
            (own / name).symlink_to(shared / name)
        yield own
        assert must_succeed(command("down", "--all")) == "", "each test removes its clusters"
        # The logs of a boot that failed explain why.
        if not (own / "logs").exists():
            shutil.rmtree(home)


@pytest.fixture(scope="session")
def cluster(own_cache: Path, prefix: str) -> Iterator[LocalCluster]:
    """A cluster of three nodes that tests only look at, or add namespaces and Services to."""
    assert own_cache == cache_dir()
    before = host_now()
    must_succeed(command("up", "--name", prefix))
    yield attach(prefix)
    must_succeed(command("down", "--name", prefix))
    assert remains_of(prefix) == []
    assert changes_since(before) == []


@pytest.fixture
def before() -> Host:
    """The machine as it is before the test."""
    return host_now()


@pytest.fixture
def runner(cluster: LocalCluster, tmp_path: Path) -> Iterator[Runner]:
    """The service account of manifests/rbac/, with rights to read alone; everything that was applied goes again."""
    made = Runner(cluster, tmp_path)
    made.apply("base.yaml")
    yield made
    made.remove()
