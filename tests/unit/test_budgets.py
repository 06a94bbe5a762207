"""Budgets: what the suite states, what a profile may change, what is refused, and what a run says of them."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import yaml

from fixtures import budgets, profiles
from fixtures.budgets import Budget, Budgets, BudgetUsed
from fixtures.errors import UsageError
from reports.record import Event, RunStarted, read
from reports.results import results
from reports.summary import summary
from tests.unit import records
from tests.unit.frame import HEAD, ROOT, Frame

pytest_plugins = ["pytester"]

FILE = ROOT / budgets.FILE


def changed(tmp_path: Path, name: str, stated: object) -> Path:
    """A copy of budgets.yaml in which one entry is another; None: it is left out."""
    data = yaml.safe_load(FILE.read_text("utf-8")) | {name: stated}
    path = tmp_path / "budgets.yaml"
    path.write_text(yaml.safe_dump({key: entry for key, entry in data.items() if entry is not None}), "utf-8")
    return path


def test_every_budget_is_stated_with_its_reason() -> None:
    used = budgets.chosen(FILE, "full", {})
    assert list(used) == list(Budgets.model_fields)
    assert budgets.values(used).endpoint_removal_s == used["endpoint_removal_s"].value
    assert {budget.profile for budget in used.values()} == {None}


def test_every_budget_says_what_it_means() -> None:
    lines = inspect.getsource(Budgets).splitlines()
    for name in Budgets.model_fields:
        index = next(number for number, line in enumerate(lines) if line.startswith(f"    {name}:"))
        assert lines[index + 1].startswith('    """'), name


def test_a_profile_overrides() -> None:
    used = budgets.chosen(FILE, "mine.yaml", {"endpoint_removal_s": Budget(value=30, reason="many nodes")})
    assert used["endpoint_removal_s"] == BudgetUsed(value=30, reason="many nodes", profile="mine.yaml")
    assert budgets.values(used).endpoint_removal_s == 30
    assert [name for name, budget in used.items() if budget.profile] == ["endpoint_removal_s"]


@pytest.mark.parametrize(
    ("name", "stated", "message"),
    [
        (
            "graceful_outage_s",
            {"value": -1, "reason": "r"},
            "graceful_outage_s.value: .*greater than or equal to 0.* -1",
        ),
        ("graceful_outage_s", {"value": "1", "reason": "r"}, "graceful_outage_s.value: .*valid number; found '1'"),
        ("graceful_outage_s", {"value": True, "reason": "r"}, "graceful_outage_s.value: .*valid number; found True"),
        ("graceful_outage_s", {"value": float("inf"), "reason": "r"}, "graceful_outage_s.value: .*finite"),
        ("graceful_outage_s", {"value": 1}, "graceful_outage_s.reason: Field required"),
        ("graceful_outage_s", {"value": 1, "reason": ""}, "graceful_outage_s.reason: .*at least 1 character"),
        ("graceful_outage_s", 3, "graceful_outage_s: .*found 3"),
        ("graceful_outage_s", None, "graceful_outage_s: missing; it has graceful_outage_s, "),
        ("patience_s", {"value": 1, "reason": "r"}, "patience_s: unknown; it has graceful_outage_s, "),
    ],
)
def test_a_file_that_is_not_one_is_refused(tmp_path: Path, name: str, stated: object, message: str) -> None:
    with pytest.raises(UsageError, match=f"budgets.yaml: {message}"):
        budgets.chosen(changed(tmp_path, name, stated), "full", {})


@pytest.mark.parametrize(("text", "message"), [("[1", "not a YAML mapping"), ("- 1", "not a YAML mapping")])
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "budgets.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(UsageError, match=message):
        budgets.chosen(path, "full", {})


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        (
            "{load_soak_s: {value: 5, reason: r}}",
            "budgets.load_soak_s: found 5; allowed is 10 or more, of which eight seconds are judged",
        ),
        (
            "{endpoint_removal: {value: 1, reason: r}}",
            "budgets.endpoint_removal: unknown; allowed is graceful_outage_s",
        ),
        ("{endpoint_removal_s: {value: -1, reason: r}}", "mine.yaml: budgets.endpoint_removal_s.value: "),
        ("{endpoint_removal_s: {value: 1}}", "mine.yaml: budgets.endpoint_removal_s.reason: "),
        ("{endpoint_removal_s: {value: soon, reason: r}}", "mine.yaml: budgets.endpoint_removal_s.value: "),
    ],
)
@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_a_bad_budget_of_a_profile_is_one_line(frame: Frame, stated: str, message: str, workers: str) -> None:
    frame.write("mine.yaml", f"reason: ours\nlevels: [MUST]\nbudgets: {stated}\n")
    result = frame.run("--profile=mine.yaml", workers)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in result.errlines if line]
    assert message in line
    assert frame.done() == []


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_tests_and_report_have_the_budgets_of_the_users_profile(frame: Frame, workers: str) -> None:
    test = """
    from fixtures.session import BUDGETS_KEY
    @requirement("dns.a", promise="P.", source="s", level=MUST)
    def test_a(request):
        budgets = request.config.stash[BUDGETS_KEY]
        assert (budgets.endpoint_removal_s, budgets.graceful_outage_s) == (30, 0)
    """
    frame.write("conformance/test_all.py", HEAD + test)
    frame.write(
        "mine.yaml", "{reason: ours, levels: [MUST], budgets: {endpoint_removal_s: {value: 30, reason: far}}}\n"
    )
    result = frame.run_apart("--profile=mine.yaml", workers)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "budgets: graceful_outage_s 0, endpoint_removal_s 30, *",
            "  endpoint_removal_s 30 is from the profile mine.yaml: far",
            "profile mine.yaml: conformant",
        ]
    )
    (run,) = [event for event in read(frame.report) if isinstance(event, RunStarted)]
    assert run.budgets["endpoint_removal_s"].profile == "mine.yaml"


def test_a_users_profile_is_not_judged_by_a_part_of_it(frame: Frame) -> None:
    frame.write("mine.yaml", "{reason: ours, levels: [MUST]}\n")
    result = frame.run("--profile=mine.yaml", "--requirement=cluster_ip.kept", "-k", "IPv4")
    result.stdout.fnmatch_lines(["profile mine.yaml: not judged (2 of its cases were not part of this run)"])


def test_a_users_profile_wants_the_whole_folder(frame: Frame) -> None:
    frame.write("mine.yaml", "{reason: ours, levels: [MUST]}\n")
    result = frame.run("--profile=mine.yaml", folder="conformance/test_all.py")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --profile mine.yaml: allowed is the folder conformance as a whole, *"])


def test_a_users_profile_that_is_not_there_is_refused(frame: Frame) -> None:
    result = frame.run("--profile=absent.yaml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --profile: absent.yaml cannot be read: No such file or directory"])


def test_the_committed_profiles_override_what_there_is() -> None:
    for name in profiles.NAMES:
        profile = profiles.load(ROOT / profiles.FOLDER, name)
        assert budgets.chosen(FILE, name, profile.budgets)


def test_a_record_without_budgets_has_no_line_of_them() -> None:
    events: list[Event] = [records.started(), records.collected()]
    assert not [line for line in summary(results(events)) if "budgets" in line.text]
