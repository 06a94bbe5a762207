"""Stability: what a Service keeps, over every state and every DNS answer of a record."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.checks.stability import addresses_kept, names_kept
from fixtures.history import History, Observation
from fixtures.verdicts import Verdict
from tests.unit.made_probes import batch, named, probe


def state(change: str = "MODIFIED", version: int = 1, ingress: list[dict[str, str]] | None = None, **spec: Any) -> Any:  # noqa: ANN401
    """One state of a Service."""
    ports = [{"name": "web", "port": 80, "nodePort": 31000, "protocol": "TCP"}]
    metadata = {"uid": spec.pop("uid", "u"), "resourceVersion": str(version)}
    body = {
        "metadata": metadata,
        "spec": {"type": "NodePort", "clusterIPs": ["10.0.0.1"], "ports": ports, **spec},
        "status": {"loadBalancer": {"ingress": ingress} if ingress else {}},
    }
    return {"change": change, "resource": "services", "name": "web", "namespace": "n", "body": body}


def seen(*states: Any) -> History:  # noqa: ANN401
    """A history of one Service, and of another one that changes all the time."""
    history = History()
    for number, one in enumerate(states):
        history.add(Observation.model_validate(one))
        history.add(Observation.model_validate({**state(clusterIPs=[f"10.0.1.{number}"]), "name": "other"}))
    return history


def test_what_may_change() -> None:
    history = seen(state("READ"), state(version=7, sessionAffinity="ClientIP"), state(ingress=[{"ip": "20.0.0.1"}]))
    found = addresses_kept(history, "web")
    assert (found.verdict, found.sentence) == (Verdict.PASS, "3 states, the same in all of them")


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (state(clusterIPs=["10.0.0.2"]), "clusterIPs ['10.0.0.2'] in place of ['10.0.0.1']"),
        (state(uid="v"), "uid v in place of u"),
        (state(type="ClusterIP"), "type ClusterIP in place of NodePort"),
        (state(ports=[{"name": "web", "port": 80, "nodePort": 31001, "protocol": "TCP"}]), "node ports [31001]"),
        (
            state(ports=[{"name": "web", "port": 81, "nodePort": 31000, "protocol": "TCP"}]),
            "ports [('web', 81, 'TCP')]",
        ),
        (state(healthCheckNodePort=32000), "healthCheckNodePort 32000 in place of None"),
        (state("DELETED"), "Service web was deleted"),
    ],
)
def test_what_must_stay_even_if_it_comes_back(changed: Any, says: str) -> None:  # noqa: ANN401
    found = addresses_kept(seen(state("READ"), changed, state("READ")), "web")
    assert found.verdict is Verdict.FAIL
    assert says in found.sentence


@pytest.mark.parametrize("then", [None, [{"ip": "20.0.0.2"}], [{"ip": "20.0.0.1"}, {"ip": "20.0.0.2"}]])
def test_a_load_balancers_address_stays_once_it_is_there(then: list[dict[str, str]] | None) -> None:
    states = [state("READ"), state(ingress=[{"ip": "20.0.0.1"}]), state(ingress=then)]
    assert addresses_kept(seen(*states[:2], states[1]), "web").verdict is Verdict.PASS
    found = addresses_kept(seen(*states), "web")
    assert found.verdict is Verdict.FAIL
    assert "load balancer" in found.sentence


def test_one_state_says_nothing() -> None:
    found = addresses_kept(seen(state("READ")), "web")
    assert (found.verdict, found.sentence) == (Verdict.ERROR, "1 states of Service web were seen, 2 are needed")


def test_a_name_keeps_its_addresses() -> None:
    unanswered = [probe("timeout"), named(rcode="SERVFAIL")]
    assert names_kept([batch([named("10.0.0.1"), *unanswered])], ["10.0.0.1"]).verdict is Verdict.PASS
    assert names_kept([batch(unanswered)], ["10.0.0.1"]).verdict is Verdict.ERROR
    for bad in (named("10.0.0.2"), named(), named(rcode="NXDOMAIN"), named("10.0.0.1", "10.0.0.2")):
        assert names_kept([batch([named("10.0.0.1"), bad])], ["10.0.0.1"]).verdict is Verdict.FAIL
