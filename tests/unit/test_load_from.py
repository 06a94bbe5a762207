"""Where load is sent from, and what is reached from there."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from fixtures.clusters import ClusterInfo
from fixtures.clusters.fake import INFO
from fixtures.load import needs, stage
from fixtures.load.stage import LoadStage
from fixtures.scenarios.ground import Ground
from fixtures.verdicts import NotObservable, Unsupported

BALANCED = INFO.model_copy(update={"load_balancer": "somebody"})


def made(info: ClusterInfo, load_from: str) -> LoadStage:
    """A stage that nothing is asked of."""
    return LoadStage(cast("Ground", SimpleNamespace(cluster=info)), Path("nowhere"), load_from=load_from)


@pytest.mark.parametrize(
    ("info", "load_from", "kinds"),
    [
        (BALANCED, "pods", ("ClusterIP", "NodePort", "LoadBalancer")),
        (INFO, "pods", ("ClusterIP", "NodePort")),
        (BALANCED, "here", ("NodePort", "LoadBalancer")),
        (BALANCED.model_copy(update={"public_node_ports": False}), "here", ("LoadBalancer",)),
        (INFO.model_copy(update={"public_node_ports": False}), "here", ()),
        (BALANCED.model_copy(update={"outside": None}), "here", ()),
    ],
)
def test_what_is_reached_is_called(info: ClusterInfo, load_from: str, kinds: tuple[str, ...]) -> None:
    found = made(info, load_from)
    assert found.kinds == kinds
    if kinds:
        assert found.front == kinds[0]
    else:
        with pytest.raises(NotObservable, match=r"^load is sent from outside .* where Services cannot be reached$"):
            _ = found.front


def test_what_is_not_reached_says_why() -> None:
    with pytest.raises(NotObservable, match=r"--load-from here\), where ClusterIPs cannot be reached$"):
        made(INFO, "here").must_reach("ClusterIP")
    with pytest.raises(Unsupported, match=r"^the cluster fake-1 offers no load balancers$"):
        made(INFO, "here").must_reach("LoadBalancer")
    with pytest.raises(NotObservable, match=r"where 10\.96\.0\.11, a ClusterIP, cannot be reached$"):
        made(INFO, "here").must_reach_address("10.96.0.11")


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7", "ingress.example"])
def test_another_address_is_tried_from_here(address: str) -> None:
    made(INFO, "here").must_reach_address(address)
    made(INFO, "pods").must_reach_address("10.96.0.11")


def test_without_a_place_or_a_locust_nothing_is_sent_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotObservable, match=r"^there is no vantage outside the cluster fake-1$"):
        made(INFO.model_copy(update={"outside": None}), "pods").generator_at("outside")
    monkeypatch.setattr(stage, "is_installed", lambda: False)
    with pytest.raises(NotObservable, match=r"^Locust is not installed on this machine"):
        made(INFO, "here").generator_at("outside")
    assert needs.is_installed()
