"""What is done to a cluster is recorded, and undone whatever happens in between."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from fixtures.api import Api
from fixtures.clusters import registry
from fixtures.clusters.fake import INFO, FakeDisruptor
from fixtures.errors import SuiteError
from fixtures.faults.disruptions import Disruptions
from fixtures.history import Fault, History
from fixtures.workloads.web import BY_TEST


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeDisruptor:
    """What the disruptions of a fake cluster end up at."""
    fake = FakeDisruptor()
    monkeypatch.setitem(registry.DISRUPTORS, "fake", lambda _info: fake)
    return fake


@pytest.fixture
def disruptions() -> Disruptions:
    """Of the fake cluster."""
    return Disruptions(Api(Path("fake.kubeconfig")), INFO, "run-1", History())


Disturb = Callable[[Disruptions], AbstractContextManager[None]]


def faults(history: History) -> list[tuple[str, str, str]]:
    """Moment, what, and by whom."""
    events = [line.event for line in history.lines if isinstance(line.event, Fault)]
    return [(fault.moment, fault.what, fault.by) for fault in events]


@pytest.mark.parametrize(
    ("disturb", "what", "done"),
    [
        (lambda d: d.failed_node("node-2"), "node-2 has no power", ["fail node-2", "return node-2"]),
        (lambda d: d.api_server_outage(), "the API server does not run", ["api server away", "api server back"]),
    ],
)
def test_what_is_done_for_a_while_is_undone_when_the_test_is_broken_off(
    fake: FakeDisruptor, disruptions: Disruptions, disturb: Disturb, what: str, done: list[str]
) -> None:
    with pytest.raises(KeyboardInterrupt), disturb(disruptions):
        raise KeyboardInterrupt
    assert fake.done == done
    assert faults(disruptions.history) == [("start", what, BY_TEST), ("end", what, BY_TEST)]


def test_restarts_are_recorded(fake: FakeDisruptor, disruptions: Disruptions) -> None:
    disruptions.restart_kube_proxy("node-1")
    disruptions.restart_kubelet("node-1")
    assert fake.done == ["kube-proxy node-1", "kubelet node-1"]
    assert [what for _, what, _ in faults(disruptions.history)] == [
        *["kube-proxy of node-1 is restarted"] * 2,
        *["kubelet of node-1 is restarted"] * 2,
    ]


def test_a_kind_of_cluster_without_a_disruptor_is_ours_to_report(disruptions: Disruptions) -> None:
    with pytest.raises(SuiteError, match="nothing can be done to a fake cluster beyond its API"):
        disruptions.restart_kubelet("node-1")
