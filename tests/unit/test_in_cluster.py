"""manifests/in-cluster/: what is applied and built there is sound, and has all that the suite needs."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fixtures.clusters.local.installed import files_with_needs
from fixtures.workloads.namespaces import GONE_FROM_CLOUD_WITHIN_S, LIFETIME
from reports.handover import DEFAULT_REPORT, REPORT_VARIABLE, RESULTS
from tests.local.suite_image import APP, DOCKERFILE, copied, instructions
from tests.unit.frame import ROOT
from tests.unit.restricted import Spec, violations
from tests.unit.test_imports import OURS, imports_of

FOLDER = ROOT / "manifests" / "in-cluster"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def objects(name: str) -> list[Any]:
    """The objects in a file of manifests/in-cluster/."""
    return list(yaml.safe_load_all((FOLDER / name).read_text("utf-8")))


def job(name: str) -> Spec:
    """The spec of the Job in job.yaml, or of those of cronjob.yaml."""
    found = objects(name)[-1]["spec"]
    return dict(found["jobTemplate"]["spec"] if "jobTemplate" in found else found)


def pod(name: str) -> Spec:
    """The spec of the pod that a file leads to, Sonobuoy's plugin put together as Sonobuoy does."""
    if name == "sonobuoy-plugin.yaml":
        (plugin,) = objects(name)
        volumes = [*plugin["podSpec"]["volumes"], {"name": "results", "emptyDir": {}}]
        return {**plugin["podSpec"], "containers": [plugin["spec"]], "volumes": volumes}
    return dict(job(name)["template"]["spec"])


FILES = ("job.yaml", "cronjob.yaml", "sonobuoy-plugin.yaml")


@pytest.mark.parametrize("name", FILES)
def test_a_pod_is_as_restricted_as_can_be(name: str) -> None:
    spec = pod(name)
    assert violations(spec) == []
    assert spec["restartPolicy"] == "Never"
    assert spec["enableServiceLinks"] is False, "a Service of our name would give variables that look like options"
    assert spec["terminationGracePeriodSeconds"] > GONE_FROM_CLOUD_WITHIN_S
    volumes = {volume["name"] for volume in spec["volumes"]}
    for container in spec["containers"]:
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        for limits in ("requests", "limits"):
            assert container["resources"][limits].keys() == {"cpu", "memory"}
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes


@pytest.mark.parametrize("name", FILES)
def test_what_the_suite_writes_to_is_a_volume(name: str) -> None:
    suite = pod(name)["containers"][0]
    mounts = {Path(mount["mountPath"]) for mount in suite["volumeMounts"] if not mount.get("readOnly")}
    written = {variable["name"]: variable["value"] for variable in suite["env"] if "value" in variable}
    given = [word.partition("=")[2] for word in suite["args"] if word.startswith("--report-dir=")]
    for folder in ("/tmp", given[0] if given else DEFAULT_REPORT, *([written[RESULTS]] if RESULTS in written else [])):  # noqa: S108
        assert {Path(folder), *Path(folder).parents} & mounts, folder
    assert suite["image"].rpartition(":")[2] == PROJECT["version"]


@pytest.mark.parametrize("name", ["job.yaml", "cronjob.yaml"])
def test_a_job_runs_once_as_the_service_account_of_the_roles(name: str) -> None:
    base = list(yaml.safe_load_all((ROOT / "manifests" / "rbac" / "base.yaml").read_text("utf-8")))
    namespace, account = base[:2]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {one["metadata"]["namespace"] for one in objects(name)} == {namespace["metadata"]["name"]}
    assert pod(name)["serviceAccountName"] == account["metadata"]["name"]
    assert job(name)["backoffLimit"] == 0
    # After that anybody may delete a run's namespaces.
    assert job(name)["activeDeadlineSeconds"] <= LIFETIME.total_seconds()


def test_nightly_reports_are_on_the_claim_and_runs_do_not_overlap() -> None:
    claim, nightly = objects("cronjob.yaml")
    assert nightly["spec"]["concurrencyPolicy"] == "Forbid"
    (volume,) = (one for one in pod("cronjob.yaml")["volumes"] if one["name"] == "reports")
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]


def test_the_plugin_hands_over_where_sonobuoy_looks() -> None:
    (plugin,) = objects("sonobuoy-plugin.yaml")
    about, spec = plugin["sonobuoy-config"], plugin["spec"]
    assert (about["driver"], about["result-format"]) == ("Job", "junit")
    assert plugin["podSpec"]["containers"] == []
    assert plugin["podSpec"]["serviceAccountName"] == "sonobuoy-serviceaccount"
    mounts = {mount["name"]: mount["mountPath"] for mount in spec["volumeMounts"]}
    assert {"name": RESULTS, "value": mounts["results"]} in spec["env"]
    assert mounts["results"] == "/tmp/sonobuoy/results"  # noqa: S108 - Sonobuoy's
    # Sonobuoy's worker takes all behind the path's first dot for the type of the file.
    assert "." not in mounts["results"]


LOOSER: list[tuple[str, Callable[[Spec], object]]] = [
    ("hostNetwork", lambda p: p.update(hostNetwork=True)),
    ("volume a: hostPath", lambda p: p["volumes"].append({"name": "a", "hostPath": {"path": "/"}})),
    ("container suite: runAsNonRoot", lambda p: p["securityContext"].pop("runAsNonRoot")),
    ("container suite: runAsUser", lambda p: p["containers"][0]["securityContext"].update(runAsUser=0)),
    ("container suite: seccompProfile", lambda p: p["securityContext"].pop("seccompProfile")),
    ("container suite: capabilities.drop", lambda p: p["containers"][0]["securityContext"].pop("capabilities")),
    (
        "container suite: allowPrivilegeEscalation",
        lambda p: p["containers"][0]["securityContext"].pop("allowPrivilegeEscalation"),
    ),
    ("container suite: hostPort", lambda p: p["containers"][0].update(ports=[{"hostPort": 80}])),
]


@pytest.mark.parametrize(("line", "loosen"), LOOSER, ids=[case[0] for case in LOOSER])
def test_a_looser_pod_is_seen(line: str, loosen: Callable[[Spec], object]) -> None:
    spec = copy.deepcopy(pod("job.yaml"))
    loosen(spec)
    assert line in violations(spec)


def reached() -> dict[Path, set[str]]:
    """The files that a run imports, from where it starts, and the names that each imports from elsewhere."""
    waiting = [ROOT / "conftest.py", *(ROOT / "conformance").rglob("*.py"), *(ROOT / "reports").glob("*.py")]
    found: dict[Path, set[str]] = {}
    while waiting:
        file = waiting.pop()
        if file not in found:
            names = {name for _, name in imports_of(file, ".".join(file.relative_to(ROOT).parent.parts))}
            found[file] = {name for name in names if name.partition(".")[0] not in OURS}
            waiting += [path for name in names - found[file] for path in _files_of(name)]
    return found


def _files_of(name: str) -> Iterator[Path]:
    """The files of a module of ours and of the packages that it is in; of a name in a module, the module's."""
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        path = ROOT.joinpath(*parts[:count])
        yield from (file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file())


def test_the_image_has_every_file_that_a_run_needs() -> None:
    for words in instructions("COPY"):
        assert all((ROOT / source).exists() for source in words[:-1]), words
    has = {file: name for name, file in copied().items()}
    assert [str(file) for file in reached() if file not in has] == []
    assert {ROOT / "pyproject.toml", *(ROOT / "manifests").rglob("*.yaml")} <= has.keys()
    assert all(has[file] == f"{APP}/{file.relative_to(ROOT)}" for file in has)
    assert not any(name.startswith((f"{APP}/tests", f"{APP}/benchmarks")) for name in has.values())
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert {f"!{source.rstrip('/')}" for words in instructions("COPY") for source in words[:-1]} == {
        line for line in ignored if line.startswith("!")
    }


def test_what_a_run_imports_of_others_is_a_dependency_and_no_extra() -> None:
    named = {Requirement(text).name for text in PROJECT["dependencies"]}
    extras = PROJECT["optional-dependencies"]
    installed = {path.partition("/")[0].partition(".")[0] for name in named for path in files_with_needs(name)}
    # Imported where the user asked for what needs them: other kinds of clusters, load.
    optional = {canonicalize_name(Requirement(text).name) for name in ("kind", "aks", "load") for text in extras[name]}
    of = packages_distributions()
    for file, names in reached().items():
        for name in {name.partition(".")[0] for name in names}:
            dists = {canonicalize_name(dist) for dist in of.get(name, ())}
            assert name in installed or not dists or dists & optional or file.name == "locustfile.py", (file, name)


def test_the_image_starts_the_handover_as_nobody() -> None:
    text = DOCKERFILE.read_text("utf-8")
    base, start = re.findall(r"^(ARG .+|FROM .+)$", text, re.M)
    assert (base, start) == ("ARG PYTHON=docker.io/library/python:3.13-slim", "FROM ${PYTHON}")
    assert list(instructions("USER")) == [["65532:65532"]]
    assert 'ENTRYPOINT ["python3", "-m", "reports.handover"]' in text
    assert f"{REPORT_VARIABLE}={DEFAULT_REPORT}" in next(instructions("ENV"))
    assert "--editable ." in text
    assert ".[" not in text, "no extras"


def test_what_the_page_says_to_paste_names_files_that_there_are() -> None:
    page = (ROOT / "docs" / "in-cluster.md").read_text("utf-8")
    commands = "\n".join(re.findall(r"^```sh\n(.*?)^```$", page, re.M | re.S))
    named = set(re.findall(r"manifests/[\w./-]+\w", commands))
    assert {f"manifests/in-cluster/{name}" for name in (*FILES, "Dockerfile")} <= named
    assert [name for name in named if not (ROOT / name.removesuffix("/")).exists()] == []
    (container,) = set(re.findall(r"-c (\w+) \| base64", commands))
    assert container in {one["name"] for one in pod("job.yaml")["containers"]}
