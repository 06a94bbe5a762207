"""The checks of DNS answers and of EndpointSlices over made-up records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.directory import ALL_SLICES, SLICE_SIZE, unready
from fixtures.checks.endpoints import Endpoint, endpoints, of_family, ports
from fixtures.checks.names import asked_as, lives_at_most, no_data, srv_lead_to
from fixtures.clusters import IPFamily
from fixtures.history import Finding
from fixtures.probes import DNSAnswer, Probe, ProbeBatch
from fixtures.verdicts import Verdict
from tests.unit.made_probes import PROVEN, batch, named, probe

Check = Callable[[list[ProbeBatch]], Finding]
SRV = ("0 50 80 a.web.test.", "0 50 80 b.web.test.")


def named_for(ttl_s: int | None) -> Probe:
    """An answer that lives for so long."""
    answer = DNSAnswer(name="web.test.", rcode="NOERROR", answers=("10.0.0.1",), ttl_s=ttl_s)
    return probe("ok", dns=answer)


@pytest.mark.parametrize(
    ("check", "right", "wrong"),
    [
        (no_data, named(), [named("10.0.0.1"), named(rcode="NXDOMAIN"), named(rcode="SERVFAIL"), probe("timeout")]),
        (lambda b: lives_at_most(b, 5), named("10.0.0.1"), [probe("timeout"), named_for(6), named_for(None)]),
        (lambda b: asked_as(b, "web.test"), named("10.0.0.1"), [named(rcode="NXDOMAIN"), probe("timeout")]),
        (
            lambda b: srv_lead_to(b, 80, ["a.web.test.", "b.web.test."]),
            named(*SRV),
            [named(), named(SRV[0]), named(*SRV, SRV[0]), named(SRV[0], SRV[1].replace("80", "81")), probe("timeout")],
        ),
    ],
    ids=["no data", "lifetime", "search list", "SRV"],
)
def test_each_wrong_answer_is_found(check: Check, right: Probe, wrong: list[Probe]) -> None:
    assert check([batch([right]), batch([right], "b")]).verdict is Verdict.PASS
    for bad in wrong:
        assert check([batch([right, bad]), batch([right], "b")]).verdict is Verdict.FAIL
    assert check([]).verdict is Verdict.ERROR


def test_another_name_is_another_search_list() -> None:
    assert asked_as([batch([named("10.0.0.1")])], "web.other.").verdict is Verdict.FAIL


conditions = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from([True, False, None]) for name in ("ready", "serving", "terminating")}
)


@PROVEN
@given(st.lists(conditions, max_size=5))
def test_absent_conditions_mean_what_the_api_says(given_: list[dict[str, bool | None]]) -> None:
    items = [{"addresses": [f"10.0.0.{n}"], "conditions": said} for n, said in enumerate(given_)]
    found = endpoints([{"addressType": "IPv4", "endpoints": items}])
    assert len(found) == len(given_)
    for said, one in zip(given_, found, strict=True):
        ready = said.get("ready")
        assert one.ready is (True if ready is None else ready)
        serving = said.get("serving")
        assert one.serving is (one.ready if serving is None else serving)
        assert one.terminating is bool(said.get("terminating"))


def test_an_endpoint_says_where_it_is() -> None:
    target = {"kind": "Pod", "name": "web-a"}
    item = {"addresses": ["10.0.0.1"], "nodeName": "n", "zone": "z", "targetRef": target}
    whole = {"addressType": "IPv4", "endpoints": [item]}
    empty: dict[str, Any] = {"addressType": "IPv6", "endpoints": None, "ports": None}
    assert endpoints([empty, whole]) == [Endpoint(("10.0.0.1",), "n", "z", "Pod/web-a", True, True, False)]
    assert endpoints([whole, whole]) == endpoints([whole]) * 2
    assert of_family([empty, whole], "IPv4") == [whole]
    assert ports([empty]) == []


def test_ports_are_those_of_all_slices_each_once() -> None:
    http = {"name": "http", "port": 80, "protocol": "TCP", "appProtocol": "http"}
    slices = [{"ports": [http, {"port": 53, "protocol": "UDP"}]}, {"ports": [http]}]
    assert ports(slices) == [("", "UDP", 53, ""), ("http", "TCP", 80, "http")]


@pytest.mark.parametrize("family", list(IPFamily))
def test_unready_endpoints_are_distinct_and_fill_their_slices(family: IPFamily) -> None:
    made = [item for number in range(ALL_SLICES) for item in unready(family, number)]
    assert len({item["addresses"][0] for item in made}) == len(made) == ALL_SLICES * (SLICE_SIZE - 1)
    assert not any(one.ready or one.serving for one in endpoints([{"endpoints": made}]))
