"""A pod that is to be evicted, where kubelets evict nobody."""

from __future__ import annotations

from typing import Any, cast

import pytest

from fixtures.api import Api, NotInTime
from fixtures.clusters.fake import INFO
from fixtures.history import History
from fixtures.verdicts import NotObservable, Unsupported
from fixtures.workloads.doomed import MAY_STORE, STORAGE, Reason, start_doomed_pod


class Cluster:
    """An API server whose nodes have this allocatable, and whose pods become ready, and nothing else."""

    def __init__(self, allocatable: dict[str, str]) -> None:
        self.allocatable = allocatable
        self.created: list[dict[str, Any]] = []
        self.waits = 0

    def list_all(self, _: object) -> dict[str, Any]:
        """The nodes."""
        return {"items": [{"status": {"allocatable": self.allocatable}}]}

    def create(self, _: object, body: dict[str, Any], __: str) -> dict[str, Any]:
        """Take a pod."""
        self.created.append(body)
        return body

    def request(self, *_: object, **__: object) -> None:
        """Tell a pod to exit."""

    patch = request

    def wait_until(self, *_: object, what: str, **__: object) -> list[dict[str, Any]]:
        """The first wait, for a pod to be ready, ends; the next ones do not."""
        self.waits += 1
        if self.waits > 1:
            raise NotInTime(what)
        return [{"metadata": {"uid": "u", **self.created[0]["metadata"]}, "spec": {}, "status": {}}]


def test_without_limits_of_storage_nobody_is_evicted() -> None:
    with pytest.raises(Unsupported, match=STORAGE):
        start_doomed_pod(cast(Api, Cluster({"cpu": "2"})), INFO, "here", "Evicted")


@pytest.mark.parametrize("reason", ["Evicted", "DeadlineExceeded"])
def test_a_pod_that_its_kubelet_lets_run_shows_nothing(reason: Reason) -> None:
    cluster = Cluster({STORAGE: "1Gi"} if reason == "Evicted" else {})
    pod = start_doomed_pod(cast(Api, cluster), INFO, "here", reason)
    (container,) = cluster.created[0]["spec"]["containers"]
    assert container["resources"].get("limits", {}) == ({STORAGE: MAY_STORE} if reason == "Evicted" else {})
    assert cluster.created[0]["metadata"]["labels"] == pod.labels
    with pytest.raises(NotObservable, match=f"{pod.name} failed: {reason}"):
        pod.fail(History())
