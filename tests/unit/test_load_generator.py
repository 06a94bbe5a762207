"""A load generator that does not come about, or is lost: one line that says so, never a verdict on the cluster."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from fixtures.api import Api, Object
from fixtures.clusters import ClusterInfo
from fixtures.errors import SuiteError
from fixtures.history import History
from fixtures.load import generator
from fixtures.load.generator import Generator, Underway
from fixtures.load.pods import LocustInPods
from fixtures.loads import LoadTarget
from fixtures.verdicts import NotObservable

WORKERS, USERS = 3, 30
PLACE = {"worker": "w1", "node": "node-1", "files": 1024, "ports": 28232}
TARGET = LoadTarget(name="pod a", url="http://192.0.2.1:80/", token="t")  # noqa: S106 - a workload's name


class Desk:
    """An API server behind whose pod proxy Locust's master says what a test wants."""

    def __init__(self, **said: object) -> None:
        """What is answered by the last part of the path."""
        self.said = {"workers": {"workers": WORKERS, "places": [PLACE] * WORKERS, "users": USERS}, "users": {}, **said}

    def create(self, _resource: object, body: Object, _namespace: str) -> Object:
        """All that is asked for is made."""
        return body | {"metadata": {"name": "made"}}

    def wait_until(self, *_: object, **__: object) -> list[Object]:
        """Every pod is ready."""
        return [{"status": {"podIP": "192.0.2.9"}}]

    def open(self, _method: str, path: str, **_: object) -> SimpleNamespace:
        """What the master says."""
        said = self.said[path.rpartition("/")[2]]
        return SimpleNamespace(data=said if isinstance(said, bytes) else json.dumps(said).encode())


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator, "JOIN_WITHIN_S", 0.3)
    monkeypatch.setattr(generator, "ENDED_WITHIN_S", 0.0)


def started(said: dict[str, object] | None = None, *, image: str | None = "locust:1") -> Generator:
    """A generator before such a master."""
    cluster = cast("ClusterInfo", SimpleNamespace(name="local", locust_image=image))
    locusts = LocustInPods(cast("Api", Desk(**(said or {}))), cluster, "locust", workers=WORKERS)
    return Generator(locusts, users=USERS)


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (
            {"workers": {"workers": 1, "places": [PLACE], "users": 0}},
            "Locust: 1 of 3 workers joined their master within 0 s",
        ),
        (
            {"workers": {"workers": 3, "places": [PLACE, PLACE | {"files": 64}, PLACE], "users": USERS}},
            "Locust: the worker on node-1 may open 64 files; 140 are needed for 30 users over 3 workers "
            "(ulimit -n where it runs)",
        ),
        (
            {"workers": {"workers": 3, "places": [PLACE, PLACE, PLACE | {"ports": 2}], "users": USERS}},
            "Locust: the worker on node-1 has 2 ports for connections; 4096 are needed "
            "(net.ipv4.ip_local_port_range where it runs)",
        ),
        (
            {"workers": {"workers": 3, "places": [PLACE] * 3, "users": 7}},
            "Locust: its 30 users were not there within 0 s",
        ),
        ({"workers": b"<html>"}, "Locust: GET load/workers: not JSON: b'<html>'"),
    ],
    ids=[
        "workers that never join",
        "too few file descriptors",
        "too few ports",
        "users that never come",
        "somebody else's answer",
    ],
)
def test_a_generator_that_does_not_come_about_says_why(said: dict[str, object], line: str) -> None:
    with pytest.raises(SuiteError) as raised:
        started(said)
    assert str(raised.value) == line


def test_a_cluster_without_an_image_of_locust_cannot_be_observed() -> None:
    with pytest.raises(NotObservable, match=r"^the cluster local has no image of Locust: "):
        started(image=None)


def test_workers_that_are_lost_are_an_error_of_ours() -> None:
    made = started({"blocks": {"workers": 2}})
    block = made.block("direct", [TARGET], "reused", seconds=1)
    with pytest.raises(SuiteError, match=r"^Locust: 2 of 3 workers are left$"):
        made.begin(block, History())


def test_reports_that_do_not_come_are_an_error_of_ours(tmp_path: Path) -> None:
    made = started({"b1": {"said": [], "workers": WORKERS}})
    block = made.block("direct", [TARGET], "reused", seconds=0.01)
    underway = Underway(made, block, History(tmp_path / "history.jsonl"), 0.0)
    with pytest.raises(SuiteError, match=r"^Locust: 0 of 3 workers ended block b1 in time$"):
        underway.result()
