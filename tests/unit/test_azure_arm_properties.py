"""For all writes: etags change exactly when what is read does, and spelling does not matter."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.azure.arm.errors import ArmError
from fixtures.azure.arm.ids import parse, same
from fixtures.azure.arm.planning import plan_of
from tests.unit.azure_arm import NETWORK, Caller, caller, load_balancer, public_address

LB = f"{NETWORK}/loadBalancers/kubernetes"
PATHS = (
    LB,
    f"{NETWORK}/publicIPAddresses/web",
    f"{NETWORK}/networkSecurityGroups/aks-agentpool-00000000-nsg",
    f"{NETWORK}/virtualNetworks/aks-vnet-00000000",
)


def read(arm: Caller) -> dict[str, Any]:
    """What is read of each resource that is there."""
    return {path: body for path in PATHS if (body := arm.arm.store.read(path))}


def without_etags(value: object) -> object:
    """A body without etags."""
    if isinstance(value, dict):
        return {name: without_etags(member) for name, member in value.items() if name != "etag"}
    return [without_etags(member) for member in value] if isinstance(value, list) else value


def balancer(idle: int, port: int, floating: bool) -> dict[str, Any]:
    """A load balancer that differs in a few places."""
    body = load_balancer()
    rule = body["properties"]["loadBalancingRules"][0]["properties"]
    rule.update(idleTimeoutInMinutes=idle, frontendPort=port, backendPort=port, enableFloatingIP=floating)
    return body


WRITES = st.one_of(
    st.builds(
        lambda idle, port, floating: ("PUT", LB, balancer(idle, port, floating)),
        st.integers(3, 5),
        st.sampled_from([0, 80, 81]),
        st.booleans(),
    ),
    st.builds(lambda tag: ("PUT", PATHS[1], {**public_address(), "tags": {"a": tag}}), st.sampled_from("xy")),
    st.sampled_from([("DELETE", LB, None), ("DELETE", PATHS[1], None), ("PATCH", LB, {"tags": {"a": "b"}})]),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(WRITES, min_size=1, max_size=8))
def test_etags_change_exactly_when_what_is_read_does(writes: list[tuple[str, str, Any]]) -> None:
    arm = caller()
    seen: dict[str, dict[str, str]] = {path: {} for path in PATHS}
    for method, path, body in writes:
        before = read(arm)
        try:
            arm(method, path, copy.deepcopy(body))
        except ArmError:
            assert read(arm) == before
        for place, found in read(arm).items():
            text = json.dumps(without_etags(found), sort_keys=True)
            assert seen[place].setdefault(text, found["etag"]) == found["etag"]
        for etags in seen.values():
            assert len(set(etags.values())) == len(etags)


@settings(max_examples=40, deadline=None)
@given(st.lists(WRITES, min_size=1, max_size=5))
def test_a_put_of_what_is_read_changes_nothing(writes: list[tuple[str, str, Any]]) -> None:
    arm = caller()
    for method, path, body in writes:
        try:
            arm(method, path, copy.deepcopy(body))
        except ArmError:
            continue
    before, plan = read(arm), plan_of(arm.arm.store)
    for path, body in before.items():
        assert arm("PUT", path, copy.deepcopy(body), if_match=body["etag"]).body == body
    assert read(arm) == before
    assert plan_of(arm.arm.store) == plan


@given(st.integers(min_value=0))
def test_spelling_does_not_matter(bits: int) -> None:
    spelled = "".join(c.upper() if bits >> n & 1 else c.lower() for n, c in enumerate(LB))
    assert same(spelled, LB)
    assert parse(spelled).key == parse(LB).key
    assert str(parse(LB)) == LB


@given(st.text(alphabet="/subcriptonsSUBresourceGroupsproviders.a1", max_size=80))
def test_what_is_no_id_is_refused_with_a_value_error(text: str) -> None:
    try:
        place = parse(text)
    except ValueError:
        return
    assert parse(str(place)) == place
