"""Who must answer under a policy, which families a Service gets, which hints its endpoints have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.dual_stack.families import ASKED, expected_families
from conformance.traffic_policy.ending import Endings
from conformance.traffic_policy.policies import (
    Policies,
    must_be_spread_as_processors,
    must_know_distribution,
    must_make_a_difference,
    preferred,
    zones_of,
)
from fixtures.checks.hints import hinted
from fixtures.clusters import IPFamily
from fixtures.clusters.fake import INFO
from fixtures.verdicts import NotObservable, Unsupported, Verdict
from fixtures.workloads.web import Pod

NODES = st.sampled_from(["a", "b", "c", "d"])
ZONES = st.dictionaries(NODES, st.sampled_from(["1", "2", "3"]))


def policies_on(*nodes: str) -> Policies:
    pods = tuple(Pod(f"pod-{number}", f"uid-{number}", node, ()) for number, node in enumerate(nodes))
    return Policies(None, None, pods, {})  # type: ignore[arg-type] # who answers depends on neither cluster nor workload


@given(st.lists(NODES, min_size=1, max_size=5), NODES, ZONES)
def test_the_nearest_pods_are_as_near_as_any(nodes: list[str], client: str, zones: dict[str, str]) -> None:
    policies = policies_on(*nodes)
    node_of = {pod.name: pod.node for pod in policies.pods}
    for distribution in ("PreferSameZone", "PreferSameNode"):

        def distance(pod: str, distribution: str = distribution) -> int:
            if distribution == "PreferSameNode" and node_of[pod] == client:
                return 0
            return 1 if client in zones and zones.get(node_of[pod]) == zones[client] else 2

        nearest = min(map(distance, policies.names))
        assert preferred(policies, client, zones, distribution) == {p for p in policies.names if distance(p) == nearest}


def test_where_all_pods_are_equally_near_nothing_can_be_observed() -> None:
    policies = policies_on("a", "b")
    must_make_a_difference(policies, [policies.names, policies.on("a")])
    with pytest.raises(NotObservable, match="one zone"):
        must_make_a_difference(policies, [policies.names])


@pytest.mark.parametrize(("asked", "expected"), [(None, "46"), (["6"], "64"), (["4"], "46"), (["6", "4"], "64")])
def test_the_first_family_is_the_one_asked_for(asked: list[str] | None, expected: str) -> None:
    offered = [IPFamily.IPV4, IPFamily.IPV6]
    wanted = [IPFamily(f"IPv{number}") for number in asked] if asked else None
    both = [IPFamily(f"IPv{number}") for number in expected]
    assert expected_families("PreferDualStack", wanted, offered) == both
    assert expected_families("SingleStack", wanted, offered) == both[:1]
    assert expected_families(None, None, offered[::-1]) == [IPFamily.IPV6]


def test_every_policy_is_asked_for_with_every_list_that_goes_with_it() -> None:
    assert len(ASKED) == 13
    assert all(len(families or ()) < 2 for policy, families in ASKED.values() if policy == "SingleStack")


def endpoint(node: str, zones: list[str], nodes: list[str]) -> dict[str, Any]:
    hints = {"forZones": [{"name": zone} for zone in zones], "forNodes": [{"name": name} for name in nodes]}
    return {"addresses": ["10.0.0.1"], "nodeName": node, "hints": hints}


@given(st.lists(NODES, min_size=1, max_size=4), ZONES, st.booleans())
def test_own_hints_pass_and_any_other_one_fails(nodes: list[str], zones: dict[str, str], for_nodes: bool) -> None:
    def zone(node: str) -> list[str]:
        return [zones[node]] if node in zones else []

    right = [endpoint(node, zone(node), [node] if for_nodes else []) for node in nodes]
    assert hinted([{"endpoints": right}], zones=zones, for_nodes=for_nodes).verdict is Verdict.PASS
    for wrong in (
        endpoint(nodes[0], ["elsewhere"], [nodes[0]] if for_nodes else []),
        endpoint(nodes[0], zone(nodes[0]), [] if for_nodes else [nodes[0]]),
    ):
        assert hinted([{"endpoints": [*right, wrong]}], zones=zones, for_nodes=for_nodes).verdict is Verdict.FAIL


def test_without_endpoints_hints_cannot_be_judged() -> None:
    assert hinted([{"endpoints": None}], zones={}, for_nodes=False).verdict is Verdict.ERROR


def test_a_zone_is_a_label_of_a_node() -> None:
    labels = {"topology.kubernetes.io/zone": "1"}
    nodes: list[dict[str, Any]] = [{"metadata": {"name": "a", "labels": labels}}, {"metadata": {"name": "b"}}]
    assert zones_of(nodes) == {"a": "1"}


def node(name: str, zone: str | None, cpu: str, *more_labels: str) -> dict[str, Any]:
    labels = {label: "" for label in more_labels} | ({"topology.kubernetes.io/zone": zone} if zone else {})
    return {"metadata": {"name": name, "labels": labels}, "status": {"allocatable": {"cpu": cpu}}}


@pytest.mark.parametrize("control_plane", [[], [node("z", None, "8", "node-role.kubernetes.io/control-plane")]])
def test_pods_in_each_zone_as_it_has_processors_are_for_their_own(control_plane: list[dict[str, Any]]) -> None:
    pods = policies_on("a", "b", "c").pods
    must_be_spread_as_processors(
        pods, [node("a", "1", "2"), node("b", "2", "1900m"), node("c", "3", "2"), *control_plane]
    )
    must_be_spread_as_processors(pods, [node("a", "1", "1"), node("b", "1", "1"), node("c", "2", "1")])


@pytest.mark.parametrize(
    ("nodes", "why"),
    [
        ([node("a", "1", "2"), node("b", "1", "2")], "1 zones, 0 of none"),
        ([node("a", "1", "2"), node("b", "2", "2"), node("c", None, "2")], "2 zones, 1 of none"),
        (
            [node("a", "1", "2"), node("b", "2", "2"), node("d", "3", "2")],
            "0 of 3 .* zone 3, which is due 1.0",
        ),
        (
            [node("a", "1", "8"), node("b", "2", "1"), node("c", "2", "1")],
            "1 of 3 .* zone 1, which is due 2.4",
        ),
    ],
)
def test_pods_that_may_be_for_other_zones_are_refused(nodes: list[dict[str, Any]], why: str) -> None:
    with pytest.raises(NotObservable, match=why):
        must_be_spread_as_processors(policies_on("a", "b", "c").pods, nodes)


def test_while_a_pod_is_no_endpoint_the_others_are_the_nearest() -> None:
    policies, zones = policies_on("a", "b", "c"), {"a": "1", "b": "2", "c": "2"}
    first, second, third = policies.pods
    assert preferred(policies.without(first), "a", zones, "PreferSameNode") == {second.name, third.name}
    assert preferred(policies.without(second), "b", zones, "PreferSameNode") == {third.name}


@pytest.mark.parametrize(("version", "known"), [("v1.34.9", False), ("v1.35.0", True), ("v2.0.0", True)])
def test_distribution_is_known_from_a_version_on(version: str, known: bool) -> None:
    info = INFO.model_copy(update={"kubernetes_version": version})
    if known:
        must_know_distribution(info)
    else:
        with pytest.raises(Unsupported, match=r"v1\.34\.9.*1\.35"):
            must_know_distribution(info)


def test_a_pod_that_serves_long_enough_yet_is_used_again_and_then_another_is_made() -> None:
    left_s, closed = iter([60.0, 40.0, 10.0]), list[int]()

    class Made:
        def __init__(self, number: int) -> None:
            self.number = number

        @property
        def left_s(self) -> float:
            return next(left_s)

    @contextmanager
    def make() -> Iterator[Any]:
        made.append(Made(len(made)))
        yield made[-1]
        closed.append(made[-1].number)

    made = list[Made]()
    endings = Endings(make)
    found = [cast("Any", endings.one()).number for _ in range(4)]
    assert (found, closed) == ([0, 0, 0, 1], [0])
    endings.close()
    assert closed == [0, 1]
