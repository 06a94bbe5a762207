"""What runs left is told from what others have, and goes when it has expired or its run is named."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures import janitor
from fixtures.faults.nodes import CORDONED_BY
from fixtures.workloads.namespaces import EXPIRES_ANNOTATION, LIFETIME, RUN_ID_LABEL
from tests.unit.test_workloads_api import Script, listed

OLD, NEW, STUCK = "20200101t000000z-abcd", "20990101t000000z-0001", "20200101t000000z-ffff"


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    """An API server with prepared replies, which KUBECONFIG names."""
    with Script() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        right, wrong = f"http://127.0.0.1:{server.server_port}", "http://127.0.0.1:1"
        config = {
            "current-context": "other",
            "contexts": [{"name": name, "context": {"cluster": name, "user": "u"}} for name in ("demo", "other")],
            "clusters": [
                {"name": name, "cluster": {"server": url}} for name, url in (("demo", right), ("other", wrong))
            ],
            "users": [{"name": "u", "user": {"token": "planted"}}],
        }
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config), "utf-8")
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        yield server
        server.shutdown()
        thread.join()


def namespace(name: str, run: str, expires: str | None) -> dict[str, Any]:
    """A Namespace of a run."""
    annotations = {EXPIRES_ANNOTATION: expires} if expires else {}
    metadata = {"uid": name, "name": name, "labels": {RUN_ID_LABEL: run}, "annotations": annotations}
    return {"metadata": metadata | {"resourceVersion": "1"}, "status": {}}


def expiry(after: timedelta) -> str:
    """A time from now, as namespaces have it."""
    return (datetime.now(UTC) + after).isoformat(timespec="seconds")


SPACES = "/api/v1/namespaces"
FOUND = (
    namespace("svc-old", OLD, "2020-01-01T02:00:00+00:00"),
    namespace("svc-new", NEW, expiry(LIFETIME - timedelta(minutes=30))),
    namespace("svc-timeless", STUCK, None),
)
NODE = {"metadata": {"name": "node-1", "annotations": {CORDONED_BY: OLD}}, "spec": {"unschedulable": True}}


def prepare(script: Script, *left: dict[str, Any]) -> None:
    """Let the cluster have FOUND and NODE, and of the namespaces those in `left` when it is looked at again."""
    nodes = {"metadata": {"resourceVersion": "1"}, "items": [NODE]}
    script.replies = [
        (f"GET {SPACES}", 200, listed(*FOUND)),
        (f"GET {SPACES}", 200, listed(*left)),
        (f"WATCH {SPACES}", 200, []),
        ("GET /api/v1/nodes", 200, nodes),
        ("PATCH /api/v1/nodes/node-1", 200, {}),
        *((f"GET {SPACES}/{item['metadata']['name']}/services", 200, listed()) for item in FOUND),
        *((f"DELETE {SPACES}/{item['metadata']['name']}", 200, {"kind": "Status"}) for item in FOUND),
    ]


def changed(script: Script) -> list[str]:
    """What was changed, by the last parts of the paths."""
    return [f"{method} {path.rpartition('/')[2]}" for method, path, _ in script.seen if method != "GET"]


def test_by_default_it_is_said_what_there_is_and_nothing_is_changed(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(script)
    assert janitor.main(["--context=demo"]) == 0
    assert changed(script) == []
    said = capsys.readouterr().out.splitlines()
    assert [line.partition("  (")[0] for line in said] == [
        "delete namespace svc-old",
        "keep   namespace svc-new",
        "keep   namespace svc-timeless",
        "delete node node-1: cordoned",
        "nothing was changed: --delete deletes what is marked",
    ]
    assert "expired 2020-01-01T02:00:00Z" in said[0]
    assert "name its run" in said[2]


@pytest.mark.parametrize(
    ("which", "gone"),
    [
        ((), ["DELETE svc-old", "PATCH node-1"]),
        (("--older-than=20m",), ["DELETE svc-old", "DELETE svc-new", "PATCH node-1"]),
        (("--older-than=3h",), ["DELETE svc-old", "PATCH node-1"]),
        ((f"--run-id={NEW}",), ["DELETE svc-new"]),
        ((f"--run-id={STUCK}",), ["DELETE svc-timeless"]),
    ],
)
def test_what_is_chosen_goes_and_the_rest_stays(script: Script, which: tuple[str, ...], gone: list[str]) -> None:
    prepare(script)
    assert janitor.main(["--context=demo", "--delete", *which]) == 0
    assert changed(script) == gone


def test_a_namespace_that_stays_is_named_with_what_keeps_it(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    stuck = namespace("svc-old", OLD, None)
    message = "Some content in the namespace has finalizers remaining: example.com/f in 1 resource instances"
    stuck["status"] = {"conditions": [{"type": "NamespaceFinalizersRemaining", "status": "True", "message": message}]}
    prepare(script, stuck)
    assert janitor.main(["--context=demo", "--delete", "--wait=1s"]) == 1
    assert f"namespace svc-old is still there after 1 s: {message}" in capsys.readouterr().err
    assert "PATCH node-1" in changed(script), "the rest goes all the same"


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--older-than=2"], ("--older-than", "'2'", "90s, 30m, 2h, 1d")),
        (["--wait=soon"], ("--wait", "'soon'")),
        (["--run-id=mine"], ("--run-id", "'mine'", "20260131t235959z-0a1b")),
        ([f"--run-id={OLD}", "--older-than=2h"], ("--older-than", "given with --run-id")),
        (["--list", "--delete"], ("--delete", "not allowed with argument --list")),
        (["--kubeconfig=none"], ("--kubeconfig", "none", "no such file")),
        (["--cluster-name=x", "--context=demo"], ("--cluster-name", "given with another way")),
        (["--context=demo2"], ("--context", "'demo2'", "did you mean demo?")),
        (["--wrong"], ("--wrong",)),
    ],
)
def test_bad_input_is_refused(
    script: Script, capsys: pytest.CaptureFixture[str], arguments: list[str], parts: tuple[str, ...]
) -> None:
    assert janitor.main(arguments) == 4
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert [part for part in parts if part not in said.err] == []
    assert script.seen == []


def test_a_cluster_that_does_not_answer_is_a_failure_of_ours(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    assert janitor.main([]) == 3
    assert "API server" in capsys.readouterr().err
    assert script.seen == []
