"""Pods that have the agent's libraries, and pods that send what comes too late."""

from __future__ import annotations

import base64
import copy
import io
import zipfile

from fixtures.prober.libraries import LIBRARIES
from fixtures.workloads.libraries import FILE, add_libraries, library_map
from fixtures.workloads.libraries import LIBRARIES as NAME
from fixtures.workloads.manifests import load
from tests.unit.restricted import violations


def test_the_archive_is_mounted_where_python_finds_it() -> None:
    before = load("workloads/vantages.yaml")["spec"]["template"]["spec"]
    pod = copy.deepcopy(before)
    add_libraries(pod)
    container = pod["containers"][0]
    (path,) = [variable["value"] for variable in container["env"] if variable["name"] == "PYTHONPATH"]
    (mount,) = [mount for mount in container["volumeMounts"] if mount["name"] == "libraries"]
    assert path == f"{mount['mountPath']}/{FILE}"
    assert {"name": "libraries", "configMap": {"name": NAME}} in pod["volumes"]
    assert container["resources"]["requests"].keys() == before["containers"][0]["resources"]["requests"].keys()
    assert violations(pod) == violations(before)


def test_the_config_map_has_all_libraries() -> None:
    archive = zipfile.ZipFile(io.BytesIO(base64.b64decode(library_map()["binaryData"][FILE])))
    assert {name.partition("/")[0] for name in archive.namelist()} == set(LIBRARIES)


def test_late_packets_take_one_capability_and_a_serving_container_none() -> None:
    web, late = load("workloads/late-web.yaml")["spec"]["containers"]
    assert late["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["NET_RAW"]}
    assert web["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert late["securityContext"]["allowPrivilegeEscalation"] is False
