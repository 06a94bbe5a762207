"""Seeded faults that set in when a Service loses an endpoint close that Service, and no other."""

from __future__ import annotations

from typing import Any, cast

import pytest

from fixtures.api import Api, Object, Resource
from fixtures.faults import losses
from fixtures.faults.losses import _Closer

NODE_PORT = 31234


class Known:
    """An API of one Service of type NodePort."""

    def get(self, _resource: Resource, name: str, namespace: str) -> Object:
        """The Service of that name."""
        return {
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"type": "NodePort", "clusterIPs": [], "ports": [{"port": 80, "nodePort": NODE_PORT}]},
        }


def slice_of(service: str) -> Object:
    """An EndpointSlice of a Service, with one pod."""
    labels = {"kubernetes.io/service-name": service}
    return {
        "metadata": {"namespace": "n", "labels": labels},
        "endpoints": [{"targetRef": {"name": f"{service}-pod"}}],
    }


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What rules a node was given, the newest last."""
    monkeypatch.setattr(losses, "NEW_S", 0.0)
    return []


def test_a_service_is_closed_when_it_loses_an_endpoint_and_open_again_for_the_next_one(put: list[str]) -> None:
    api = cast(Any, Known())
    closer = _Closer(cast(Api, api), [put.append], [])
    closer.see_slice(slice_of("old"), frozenset())
    assert put == []
    closer.see_slice(slice_of("old"), frozenset({"10.0.0.1"}))
    assert f"proto-dst {NODE_PORT}" in put[-1]
    closer.see_end(api.get(None, "other", "n"))
    assert len(put) == 1
    closer.see_end(api.get(None, "old", "n"))
    assert put[1:] == [""], "the next Service may be given its node port"


def test_a_container_that_was_restarted_is_a_loss_of_its_service_alone(put: list[str]) -> None:
    closer = _Closer(cast(Api, Known()), [put.append], [])
    closer.see_slice(slice_of("web"), frozenset())
    for name, restarts in (("web-pod", 0), ("other-pod", 0), ("other-pod", 1)):
        closer.see_pod(pod(name, restarts))
    assert put == []
    closer.see_pod(pod("web-pod", 1))
    assert len(put) == 1


def pod(name: str, restarts: int) -> Object:
    """A pod whose container was restarted so often."""
    return {
        "metadata": {"name": name, "namespace": "n"},
        "status": {"containerStatuses": [{"restartCount": restarts}]},
    }
