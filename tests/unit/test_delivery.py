"""What users copy is sound: workflows, examples for CI systems, the list of licences."""

from __future__ import annotations

import configparser
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures import configuration
from tests.unit.frame import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "docs" / "ci.md").read_text("utf-8"), re.M | re.S)
TEXTS = [*(file.read_text("utf-8") for file in WORKFLOWS), *EXAMPLES]


def environments() -> set[str]:
    """The environments of tox.ini."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "tox.ini")
    return {section.removeprefix("testenv:") for section in parser.sections() if section.startswith("testenv:")}


def workflow(name: str) -> dict[Any, Any]:
    """A workflow, parsed."""
    parsed: dict[Any, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text("utf-8"))
    return parsed


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_to_be_copied_is_yaml_and_names_what_there_is(text: str) -> None:
    assert isinstance(yaml.safe_load(text), dict)
    named = set(re.findall(r"SERVICE_CONFORMANCE_[A-Z_]+", text))
    assert named <= {setting.shown_variable for setting in configuration.SETTINGS.values()}
    used = set(re.findall(r"tox -qe ([\w,-]+)", text)) | set(re.findall(r"environment: ([a-z][\w-]*)\b(?!:)", text))
    assert {name for names in used for name in names.split(",")} <= environments()


def test_jobs_have_limits_rights_and_pinned_actions() -> None:
    assert WORKFLOWS
    for file in WORKFLOWS:
        parsed = workflow(file.name)
        for name, job in parsed["jobs"].items():
            assert "permissions" in job or "permissions" in parsed, (file.name, name)
            assert "uses" in job or "timeout-minutes" in job, (file.name, name)
            for step in job.get("steps", ()):
                assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step.get("uses", "a/b@v1")), step


def test_the_reusable_workflow_is_called_with_its_inputs() -> None:
    # YAML 1.1 reads the key `on` as true.
    inputs = workflow("conformance.yml")[True]["workflow_call"]["inputs"]
    required = {name for name, about in inputs.items() if about.get("required")}
    for job in workflow("nightly.yml")["jobs"].values():
        assert (ROOT / job["uses"]).is_file()
        assert required <= job["with"].keys() <= inputs.keys()
        needed = workflow("conformance.yml")["jobs"]["conformance"]["permissions"]
        assert job["permissions"] == needed, "a called workflow gets no more than its caller has"


def test_expressions_in_scripts_go_through_variables() -> None:
    for file in WORKFLOWS:
        for job in workflow(file.name)["jobs"].values():
            for step in job.get("steps", ()):
                assert "${{" not in step.get("run", ""), f"{file.name}: text of others would become part of the script"


def test_every_dependency_has_its_licence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    stated = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    names = {re.split(r"[\[<>=]", text)[0] for text in stated} - {project["name"]}
    listed = re.findall(r"^\| ([\w.-]+) \| \S", (ROOT / "docs" / "licences.md").read_text("utf-8"), re.M)
    assert set(listed) - {"package"} == names
    assert "pytest-kind | **GPL-3.0" in Path(ROOT / "docs" / "licences.md").read_text("utf-8")
