"""What tests ask the API server for in words of the code is among the rights of their roles, or known to be beyond."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import fixtures.api
from fixtures.api import Resource
from fixtures.clusters.rights import CLEARING, DRAINS, FACTORY, READER, WORKLOADS, Right, rights_of

ROOT = Path(__file__).parents[2]
ROOMS = ("conformance", "fixtures/workloads", "fixtures/scenarios", "fixtures/load")
VERBS = {"get": "get", "list_all": "list", "create": "create", "delete": "delete", "delete_all": "deletecollection"}
VERBS |= {"patch": "patch", "replace": "patch", "watch": "watch"}
ASKED = re.compile(rf"\bapi\.({'|'.join(VERBS)})\(\s*([A-Z_]+)\b")
BEYOND = {
    "get ipaddresses.networking.k8s.io": "not observable without it",
    "delete servicecidrs.networking.k8s.io": "a range is added to clusters that are the run's own",
}


def asked() -> Iterator[tuple[str, str]]:
    """Each right that a line of the code asks for, and where."""
    for file in sorted(file for room in ROOMS for file in (ROOT / room).rglob("*.py")):
        for verb, name in ASKED.findall(file.read_text("utf-8")):
            resource = getattr(fixtures.api, name, None)
            if isinstance(resource, Resource):
                group = resource.group_version.rpartition("/")[0]
                yield str(Right(VERBS[verb], group, resource.plural)), str(file.relative_to(ROOT))


def test_roles_give_what_tests_ask_for() -> None:
    roles = (READER, WORKLOADS, FACTORY, CLEARING, DRAINS)
    given = {str(right._replace(name="")) for role in roles for right in rights_of(role)}
    found = list(asked())
    assert len(found) > 40
    assert [f"{right}, {file}" for right, file in found if right not in given | BEYOND.keys()] == []
