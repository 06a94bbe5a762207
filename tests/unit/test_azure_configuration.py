"""What Azure holds for a Service: what belongs to it is found, and what is not as documented is named."""

from __future__ import annotations

from typing import Any, cast

import pytest

from conformance.azure.asked import Asked
from conformance.azure.settings import Setting
from fixtures.azure.holdings import Resources, base_name
from fixtures.azure.resources import LoadBalancer, PublicIp, SecurityGroup
from fixtures.checks.azure_configuration import (
    nothing_left,
    pools_hold,
    probes_are_used,
    rows_are,
    rules_are,
    security_rules_are,
    unchanged,
)
from fixtures.checks.azure_events import names_the_cause
from fixtures.checks.azure_expected import EVERY, NodePort, expected_all_ports_rule, expected_rules
from fixtures.checks.azure_holding import Holding
from fixtures.clusters import IPFamily
from fixtures.history import Finding, History
from fixtures.verdicts import Unsupported, Verdict

UID = "0f1e2d3c-aaaa-bbbb-cccc-0123456789ab"
BASE = base_name(UID)
GROUP = "/subscriptions/s/resourceGroups/MC_g/providers/Microsoft.Network"
LB = f"{GROUP}/loadBalancers/kubernetes"
IP = "203.0.113.7"


def service(*ports: dict[str, Any], **spec: Any) -> dict[str, Any]:  # noqa: ANN401
    """A Service as the API gives it."""
    found = ports or ({"port": 80, "nodePort": 30080, "protocol": "TCP"},)
    metadata = {"name": "web", "namespace": "n", "uid": UID}
    status = {"loadBalancer": {"ingress": [{"ip": IP}]}}
    return {"metadata": metadata, "spec": {"ports": [*found], **spec}, "status": status}


def child(kind: str, name: str, **properties: Any) -> dict[str, Any]:  # noqa: ANN401
    """A child of the load balancer."""
    return {"id": f"{LB}/{kind}/{name}", "name": name, "properties": properties}


def resources(**rule: Any) -> Resources:  # noqa: ANN401
    """What Azure holds for the Service, with changes of its one rule, and for another Service."""
    name = f"{BASE}-TCP-80"
    about = {
        "protocol": "Tcp",
        "frontendPort": 80,
        "backendPort": 80,
        "enableFloatingIP": True,
        "enableTcpReset": True,
        "idleTimeoutInMinutes": 4,
        "loadDistribution": "Default",
        "probe": {"id": f"{LB}/probes/{name}"},
        "frontendIPConfiguration": {"id": f"{LB}/frontendIPConfigurations/{BASE}"},
        "backendAddressPool": {"id": f"{LB}/backendAddressPools/kubernetes"},
        **rule,
    }
    public = {"id": f"{GROUP}/publicIPAddresses/kubernetes-{BASE}"}
    probe = {"protocol": "Tcp", "port": 30080, "intervalInSeconds": 5, "probeThreshold": 2}
    balancer = {
        "id": LB,
        "name": "kubernetes",
        "sku": {"name": "Standard"},
        "properties": {
            "provisioningState": "Succeeded",
            "frontendIPConfigurations": [
                child("frontendIPConfigurations", BASE, publicIPAddress=public),
                child("frontendIPConfigurations", "aother", privateIPAddress="10.0.0.9"),
            ],
            "loadBalancingRules": [child("loadBalancingRules", name, **about)],
            "probes": [child("probes", name, **probe)],
            "backendAddressPools": [child("backendAddressPools", "kubernetes")],
        },
    }
    ip = {**public, "name": f"kubernetes-{BASE}", "properties": {"ipAddress": IP}}
    security = {
        "direction": "Inbound",
        "access": "Allow",
        "protocol": "Tcp",
        "priority": 500,
        "sourceAddressPrefix": "Internet",
        "destinationAddressPrefixes": ["10.0.0.9", IP],
        "destinationPortRanges": ["80"],
    }
    rules = [{"id": "r", "name": "r", "properties": security}]
    group = {"id": "nsg", "name": "nsg", "properties": {"securityRules": rules}}
    return Resources(
        load_balancers=[LoadBalancer.model_validate(balancer)],
        public_ips=[PublicIp.model_validate(ip)],
        security_groups=[SecurityGroup.model_validate(group)],
        members={f"{LB}/backendAddressPools/kubernetes".lower(): ["n1", "n2"]},
    )


def held(**rule: Any) -> Holding:  # noqa: ANN401
    """What is held for the Service."""
    return resources(**rule).holding(service())


def text(found: Finding) -> str:
    """A finding with its rows, for `in`."""
    return " ".join([found.verdict, found.sentence, *found.details])


def test_what_belongs_to_a_service_is_found() -> None:
    found = held()
    assert [row["address"] for row in found.frontends] == [IP]
    assert [row["name"] for row in found.rules] == [f"{BASE}-TCP-80"]
    assert [row["address"] for row in found.public_ips] == [IP]
    assert [row["destinations"] for row in found.security_rules] == [[IP]]
    assert found.load_balancers[0] | {"name": "kubernetes"} == found.load_balancers[0]


def test_an_address_that_somebody_else_has_by_now_is_not_left() -> None:
    gone = service() | {"metadata": {"name": "gone", "namespace": "n", "uid": "f" * 36}, "status": {}}
    assert nothing_left(resources().holding(gone, addresses=["10.0.0.9"])).verdict is Verdict.PASS
    assert nothing_left(resources().holding(gone)).verdict is Verdict.PASS
    left = nothing_left(held())
    assert left.verdict is Verdict.FAIL
    assert all(word in text(left) for word in ("frontend", "rule", "probe", "public IP address", "security rule"))


def test_the_documented_defaults_are_what_is_expected() -> None:
    assert rules_are(held(), expected_rules(service(), {})).verdict is Verdict.PASS
    assert probes_are_used(held()).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"idleTimeoutInMinutes": 30}, "idle_timeout_in_minutes 30 in place of 4"),
        ({"backendPort": 30080}, "backend_port 30080 in place of 80"),
        ({"enableFloatingIP": False}, "enable_floating_ip False in place of True"),
        ({"loadDistribution": "SourceIP"}, "load_distribution SourceIP in place of Default"),
        ({"frontendPort": 81}, "rule TCP 80 is missing"),
        ({"frontendPort": 81}, "TCP 81 does not belong there"),
        ({"probe": None}, "rule TCP 80 probe: there is none"),
    ],
)
def test_a_rule_that_is_otherwise_is_named(rule: dict[str, Any], said: str) -> None:
    found = rules_are(held(**rule), expected_rules(service(), {}))
    assert found.verdict is Verdict.FAIL
    assert said in text(found)


def test_a_probe_without_a_rule_is_named() -> None:
    assert "probe" in text(probes_are_used(held(probe=None)))
    assert probes_are_used(held(probe=None)).verdict is Verdict.FAIL


def test_what_is_asked_for_replaces_defaults() -> None:
    ports = ({"port": 80, "nodePort": 1, "protocol": "TCP"}, {"port": 53, "nodePort": 2, "protocol": "UDP"})
    asked = {EVERY: {"idle_timeout_in_minutes": 9}, "UDP 53": None, "TCP 80": {"backend_port": NodePort(53)}}
    found = expected_rules(service(*ports), asked)
    assert list(found) == ["TCP 80"]
    assert (found["TCP 80"]["idle_timeout_in_minutes"], found["TCP 80"]["backend_port"]) == (9, 2)


def test_policies_and_families_decide_probes_and_ports() -> None:
    local = service(externalTrafficPolicy="Local", healthCheckNodePort=31000, sessionAffinity="ClientIP")
    rule = expected_rules(local, {}, families=("IPv6",), internal=True)["TCP 80 IPv6"]
    assert rule["probe"] | {"protocol": "Http", "port": 31000, "request_path": "/healthz"} == rule["probe"]
    assert (rule["backend_port"], rule["enable_floating_ip"]) == (30080, False)
    assert rule["load_distribution"] == "SourceIP"
    assert expected_rules(local, {}, families=("IPv6",), internal=False)["TCP 80 IPv6"]["backend_port"] == 80
    udp = service({"port": 53, "nodePort": 1, "protocol": "UDP"})
    assert expected_rules(udp, {})["UDP 53"]["probe"] is None
    assert expected_all_ports_rule(service(), {})["ALL 0"]["frontend_port"] == 0


def test_security_rules_are_exactly_the_expected_ones() -> None:
    right = {"access": "Allow", "protocol": "Tcp", "sources": ["Internet"], "ports": ["80"], "destinations": [IP]}
    assert security_rules_are(held(), [right]).verdict is Verdict.PASS
    assert "too much" in text(security_rules_are(held(), []))
    assert "missing" in text(security_rules_are(held(), [right, {**right, "access": "Deny"}]))


def test_pools_hold_exactly_the_nodes() -> None:
    assert pools_hold(held(), {"n1", "n2"}).verdict is Verdict.PASS
    assert "n3 is missing" in text(pools_hold(held(), {"n1", "n2", "n3"}))
    assert "n2 does not belong there" in text(pools_hold(held(), {"n1"}))
    assert pools_hold(Holding(service="n/web"), {"n1"}).verdict is Verdict.FAIL


def test_rows_and_values_are_compared() -> None:
    assert rows_are("tags", {"a": {"x": {"y": 1}}}, [{"name": "a", "x": {"y": 1, "z": 2}}]).verdict is Verdict.PASS
    assert rows_are("tags", {"a": {"x": {"y": 1}}}, [{"name": "a", "x": {}}]).verdict is Verdict.FAIL
    assert unchanged("etags", {"a": 1}, {"a": 1}).verdict is Verdict.PASS
    assert unchanged("etags", {"a": 1}, {"a": 2}).verdict is Verdict.FAIL
    assert unchanged("etags", {"a": 1}, {"a": 1, "b": 1}).verdict is Verdict.FAIL
    assert unchanged("etags", {}, {}).verdict is Verdict.ERROR


def test_events_name_causes() -> None:
    assert names_the_cause("SyncLoadBalancerFailed", "no such-ip", ["such-ip"]).verdict is Verdict.PASS
    assert names_the_cause("SyncLoadBalancerFailed", "no", ["such-ip"]).verdict is Verdict.FAIL
    assert names_the_cause("EnsuredLoadBalancer", "such-ip", ["such-ip"]).verdict is Verdict.FAIL


def test_what_takes_both_families_is_unsupported_where_services_have_one() -> None:
    setting = Setting("dual-stack", spec={"ipFamilyPolicy": "RequireDualStack"})
    asked = Asked(cast(Any, None), cast(Any, None), [setting], [IPFamily.IPV4])
    with pytest.raises(Unsupported, match="the cluster does not offer IPv4 and IPv6 for one Service"):
        asked.made(setting, History())
