"""Flag before variable before file before default; what is not allowed is refused before anything is made."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from reports.record import RunStarted, read
from tests.unit.frame import HEAD, Frame
from tests.unit.test_frame_options import must_be_refused

pytest_plugins = ["pytester"]


def cases_run(frame: Frame) -> set[str]:
    """The ids, after `::`, of the cases in the record."""
    return set(frame.verdicts())


def read_seed(frame: Frame) -> int | None:
    """The seed in the record."""
    started = read(frame.report)[0]
    assert isinstance(started, RunStarted)
    return started.seed


SMOKE = {"test_kept[IPv4]"}
DNS = {"test_wrong", "test_unseen"}


def test_a_file_gives_options(frame: Frame) -> None:
    frame.write("suite.toml", 'chapter = ["dns"]\nseed = 7\nkeep-cluster = true\n')
    frame.run("--config=suite.toml")
    assert cases_run(frame) == DNS
    assert read_seed(frame) == 7
    assert frame.done()[0] == "opened name=None keep=True"


def test_one_text_stands_for_a_list_of_one(frame: Frame) -> None:
    frame.write("suite.toml", 'chapter = "dns"\n')
    frame.run("--config=suite.toml")
    assert cases_run(frame) == DNS


def test_a_variable_wins_over_the_file_and_a_flag_over_both(frame: Frame, monkeypatch: pytest.MonkeyPatch) -> None:
    frame.write("suite.toml", 'profile = "core"\n')
    monkeypatch.setenv("SERVICE_CONFORMANCE_CONFIG", "suite.toml")
    monkeypatch.setenv("SERVICE_CONFORMANCE_PROFILE", "smoke")
    frame.run()
    assert cases_run(frame) == SMOKE
    frame.report = Path(frame.path / "second")
    frame.run("--profile=full", "--chapter=dns")
    assert cases_run(frame) == DNS


def test_a_flag_that_repeats_the_default_wins_too(frame: Frame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_CONFORMANCE_PROFILE", "smoke")
    frame.run("--profile=full")
    assert len(cases_run(frame)) == 6


def test_workers_have_what_the_file_says(frame: Frame) -> None:
    frame.write("suite.toml", 'profile = "smoke"\n')
    frame.run_apart("-n1", "--config=suite.toml")
    assert cases_run(frame) == SMOKE


def test_workers_draw_from_the_seed_that_the_report_has(frame: Frame) -> None:
    test = (
        "import pathlib, random\ndef test_kept(request):\n    pathlib.Path('drawn').write_text(str(random.random()))\n"
    )
    what = "@requirement('dns.drawn', promise='P.', source='s', level=MUST)\n"
    frame.write("conformance/test_all.py", HEAD + test.replace("def test", f"{what}def test"))
    frame.run_apart("-n1")
    drawn = Path("drawn").read_text("utf-8")
    assert drawn == str(random.Random(f"{read_seed(frame)} conformance/test_all.py::test_kept").random())


def test_a_variable_is_a_list_with_commas(frame: Frame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_CONFORMANCE_CHAPTER", "dns, node_port")
    frame.run()
    assert cases_run(frame) == {*DNS, "test_absent"}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("profil = 'core'", ("suite.toml", "'profil'", "did you mean profile?")),
        ("keep_cluster = true", ("suite.toml", "'keep_cluster'", "did you mean keep-cluster")),
        ("zzz = 1", ("suite.toml", "'zzz'", "allowed is cluster,")),
        ("config = 'other.toml'", ("suite.toml", "'config'", "unknown")),
        ("[azure]\nx = 1", ("suite.toml", "azure", "allowed is a text")),
        ("[aks]\nname = 'x'", ("suite.toml", "'aks'", "unknown")),
        ("profile = 3.5", ("suite.toml: profile", "3.5", "allowed is a text")),
        ("profile = true", ("suite.toml: profile", "True", "allowed is a text")),
        ("chapter = [1]", ("suite.toml: chapter", "[1]", "a text or a list of texts")),
        ("keep-cluster = 'yes'", ("suite.toml: keep-cluster", "'yes'", "allowed is true or false")),
        ("profile = core", ("--config", "suite.toml is not TOML", "line 1")),
        ("profile = 'smke'", ("--profile", "'smke'", "did you mean smoke?", "(from suite.toml)")),
        ("seed = -1", ("--seed", "'-1'", "(from suite.toml)")),
        ("aks-cluster-name = 'x'", ("--aks-cluster-name", "given with --cluster=local", "(from suite.toml)")),
    ],
)
def test_a_file_with_something_wrong_is_refused(frame: Frame, text: str, parts: tuple[str, ...]) -> None:
    frame.write("suite.toml", f"{text}\n")
    must_be_refused(frame, frame.run("--config=suite.toml"), *parts)


@pytest.mark.parametrize(
    ("name", "value", "parts"),
    [
        ("PROFIL", "core", ("SERVICE_CONFORMANCE_PROFIL", "did you mean SERVICE_CONFORMANCE_PROFILE")),
        ("PROFILE", "smke", ("--profile", "'smke'", "(from SERVICE_CONFORMANCE_PROFILE)")),
        ("KEEP_CLUSTER", "perhaps", ("SERVICE_CONFORMANCE_KEEP_CLUSTER", "'perhaps'", "true or false")),
        ("CONFIG", "none.toml", ("--config", "none.toml cannot be read", "No such file")),
    ],
)
def test_a_variable_with_something_wrong_is_refused(
    frame: Frame, monkeypatch: pytest.MonkeyPatch, name: str, value: str, parts: tuple[str, ...]
) -> None:
    monkeypatch.setenv(f"SERVICE_CONFORMANCE_{name}", value)
    must_be_refused(frame, frame.run(), *parts)


def test_an_empty_variable_is_as_one_that_is_not_set(frame: Frame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_CONFORMANCE_PROFILE", "")
    frame.run()
    assert len(cases_run(frame)) == 6


def test_the_catalogue_is_of_all_tests_whatever_is_configured(frame: Frame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_CONFORMANCE_PROFILE", "smoke")
    result = frame.run("--list-requirements", "--profile=full")
    result.stdout.fnmatch_lines(["*dns.wrong*"])


def test_explain_prints_the_plan_and_makes_nothing(frame: Frame, monkeypatch: pytest.MonkeyPatch) -> None:
    frame.write("suite.toml", 'chapter = ["cluster_ip"]\n')
    monkeypatch.setenv("SERVICE_CONFORMANCE_SEED", "7")
    result = frame.run("--explain", "--config=suite.toml", "--cluster=aks", "-n2", "-k", "kept")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "options * --cluster aks  (flag)",
            "*--chapter cluster_ip  (suite.toml)",
            "*--seed 7  (SERVICE_CONFORMANCE_SEED)",
            "tests *promises: 1, cases: 2, of which alone on the cluster: 0",
            "time *about * min*processes: 2;",
            "namespaces *",
            "pods *",
            "rights *list, watch nodes",
            "images *docker.io/library/python:*",
        ]
    )
    assert frame.done() == []
    assert not frame.report.exists()


def test_explain_refuses_what_a_run_would_refuse(frame: Frame) -> None:
    must_be_refused(frame, frame.run("--explain", "--requirement=zzz"), "--requirement", "'zzz'")
