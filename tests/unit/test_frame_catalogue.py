"""The catalogue and the profiles: what is generated is current, and a stale profile is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.cases import Case
from fixtures.errors import UsageError
from fixtures.profiles import FOLDER, NAMES, Entry, Profile, load, resolve
from fixtures.requirements import MUST, SHOULD, Requirement
from tests.unit.frame import ROOT, Frame

pytest_plugins = ["pytester"]

CASES = [
    Case(
        f"conformance/test_a.py::test_{name}[{family}]",
        Requirement(f"dns.{name}", "P.", "s", level),
        {"family": family},
    )
    for name, level in (("a", MUST), ("b", SHOULD))
    for family in ("IPv4", "IPv6")
]


def catalogue(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m fixtures.catalogue` on the project in `root`."""
    command = [sys.executable, "-m", "fixtures.catalogue", f"--root={root}", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_committed_catalogue_and_profiles_are_current() -> None:
    checked = catalogue(ROOT, "--check")
    assert (checked.stdout + checked.stderr, checked.returncode) == ("", 0)


def test_a_new_test_makes_them_out_of_date_until_they_are_generated(frame: Frame) -> None:
    assert catalogue(frame.path, "--check").returncode == 1
    assert not (frame.path / "docs").exists()
    assert catalogue(frame.path).returncode == 0
    assert catalogue(frame.path, "--check").returncode == 0
    resolved = frame.path / FOLDER / "resolved"
    assert (resolved / "smoke.txt").read_text("utf-8") == "conformance/test_all.py::test_kept[IPv4]\n"
    assert len((resolved / "core.txt").read_text("utf-8").splitlines()) == 3
    text = (frame.path / "docs/CATALOG.md").read_text("utf-8")
    assert "### cluster_ip.kept\n\n> It is kept.\n\n- level: MUST\n- profiles: smoke, core, full\n" in text
    assert "- needs: IPv6" in text


def test_a_profile_with_an_entry_that_takes_nothing_is_refused(frame: Frame) -> None:
    frame.write("conformance/profiles/smoke.yaml", "reason: r\ninclude: [{id: dns.gone, reason: r}]\n")
    refused = catalogue(frame.path)
    assert refused.returncode == 4
    assert "profile smoke: the entry dns.gone" in refused.stderr


def test_tests_that_cannot_be_imported_are_refused(frame: Frame) -> None:
    frame.write("conformance/test_bad.py", "import nothing_of_this_name\n")
    refused = catalogue(frame.path)
    assert refused.returncode == 4
    assert "nothing_of_this_name" in refused.stderr


@pytest.mark.parametrize("name", NAMES)
def test_the_profiles_of_the_suite_are_sound(name: str) -> None:
    assert load(ROOT / FOLDER, name).name == name


def test_a_profile_takes_levels_and_entries() -> None:
    entry = Entry(id="dns.b", reason="r", only={"family": ("IPv6",)})
    profile = Profile(name="p", reason="r", levels=(MUST,), include=(entry,))
    assert [case.id[-11:] for case in resolve(profile, CASES)] == [
        "test_a[IPv4]"[1:],
        "test_a[IPv6]"[1:],
        "est_b[IPv6]",
    ]


@pytest.mark.parametrize(
    "entry", [Entry(id="dns.c", reason="r"), Entry(id="dns.a", reason="r", only={"port": ("80",)})]
)
def test_an_entry_for_what_is_not_there_is_refused(entry: Entry) -> None:
    with pytest.raises(UsageError, match=f"the entry {entry.id}"):
        resolve(Profile(name="p", reason="r", include=(entry,)), CASES)


def test_a_promise_of_a_chapter_can_be_left_out() -> None:
    profile = Profile(name="p", reason="r", chapters=("dns",), without={"dns.a": "It takes long."})
    found = {case.requirement.id for case in resolve(profile, CASES)}
    assert found
    assert "dns.a" not in found
    with pytest.raises(UsageError, match=r"^profile p: without: found 'dns\.x'"):
        resolve(profile.model_copy(update={"without": {"dns.x": "It takes long."}}), CASES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read"),
        ("reason: [", "not a YAML mapping"),
        ("- a", "not a YAML mapping"),
        ("levels: [MUST]", "reason: Field required"),
        ("reason: r\nlevels: [MAY]", "levels.0"),
        ("reason: r\ninclude: [{id: dns.a}]", "include.0.reason"),
    ],
)
def test_a_file_that_is_no_profile_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "smoke.yaml").write_text(text, "utf-8")
    with pytest.raises(UsageError, match=message):
        load(tmp_path, "smoke")
