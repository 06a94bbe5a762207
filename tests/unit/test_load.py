"""The throughput stage without a cluster: what it needs, what it travels as, and that each promise has its fault."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fixtures import catalogue
from fixtures.cases import Case
from fixtures.clusters.local import installed
from fixtures.errors import UsageError
from fixtures.faults.seeded import FAULTS
from fixtures.load import needs
from fixtures.load.locusts import LOCUSTFILE
from fixtures.loads import GROWTH, OWN_CLASSES
from fixtures.requirements import SHOULD, Requirement

CONFIG_MAP_BYTES = 1 << 20


def case(chapter: str) -> Case:
    """A case of a chapter."""
    return Case("id", Requirement(f"{chapter}.a", "P.", "s", SHOULD), {})


def test_without_locust_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "find_spec", lambda _name: None)
    with pytest.raises(UsageError, match=r"^--cluster: local makes .* found none; allowed is the extra load: "):
        needs.must_have_locust([case("throughput")], "local", "pods")
    needs.must_have_locust([case("dns")], "local", "here")
    needs.must_have_locust([case("throughput")], "aks", "pods")
    with pytest.raises(UsageError, match=r"^--load-from: here is .* found none; allowed is the extra load: "):
        needs.must_have_locust([case("throughput")], "aks", "here")


def test_the_stage_does_not_patch_this_process() -> None:
    code = "import sys, fixtures.load.stage, fixtures.load.needs; print(*{'gevent', 'locust'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=catalogue.ROOT)
    assert done.stdout.strip() == ""


def test_the_locustfile_fits_a_config_map_and_means_the_same() -> None:
    text = LOCUSTFILE.read_text("utf-8")
    assert len(text) < CONFIG_MAP_BYTES
    assert f"GROWTH = {GROWTH}" in text
    assert all(f'"{name}"' in text for name in OWN_CLASSES)


def test_every_promise_about_load_has_a_fault() -> None:
    promised = {c.requirement.id for c in catalogue.collect() if c.requirement.chapter == needs.CHAPTER}
    assert promised
    assert promised == {name for fault in FAULTS for name in fault.breaks if name.startswith(f"{needs.CHAPTER}.")}


def test_a_distribution_comes_with_what_it_needs() -> None:
    found = installed.files_with_needs("pytest", without=["pluggy"])
    tops = {Path(name).parts[0] for name in found}
    assert {"_pytest", "iniconfig", "packaging"} <= tops
    assert "pluggy" not in tops
    assert all(path.is_file() and path.suffix != ".pyc" for path in found.values())


def test_what_is_not_installed_has_no_files() -> None:
    assert installed.files_with_needs("no-such-distribution") == {}
    assert installed.version_of("no-such-distribution") is None
