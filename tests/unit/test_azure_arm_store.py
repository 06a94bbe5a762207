"""The emulated ARM: what is written, and what is read of it."""

from __future__ import annotations

import pytest

from fixtures.azure.arm.errors import ArmError
from fixtures.azure.arm.planning import plan_of
from tests.unit.azure_arm import (
    CLUSTER,
    COMPUTE,
    NETWORK,
    SCALE_SET,
    Caller,
    caller,
    load_balancer,
    public_address,
    topology,
)


@pytest.fixture
def arm() -> Caller:
    """With a public IP address and a load balancer."""
    arm = caller()
    arm("PUT", f"{NETWORK}/publicIPAddresses/web", public_address())
    arm("PUT", f"{NETWORK}/loadBalancers/kubernetes", load_balancer())
    return arm


def test_children_have_ids_and_back_references(arm: Caller) -> None:
    body = arm.get(f"{NETWORK}/loadBalancers/kubernetes")
    place = f"{NETWORK}/loadBalancers/kubernetes"
    frontend = body["properties"]["frontendIPConfigurations"][0]
    assert frontend["id"] == f"{place}/frontendIPConfigurations/fe"
    assert frontend["type"] == "Microsoft.Network/loadBalancers/frontendIPConfigurations"
    assert frontend["etag"] == body["etag"]
    rule = [{"id": f"{place}/loadBalancingRules/fe-TCP-80"}]
    for kind in ("frontendIPConfigurations", "backendAddressPools", "probes"):
        assert body["properties"][kind][0]["properties"]["loadBalancingRules"] == rule
    address = arm.get(f"{NETWORK}/publicIPAddresses/web")
    assert address["properties"]["ipAddress"] == "203.0.113.1"
    assert address["properties"]["ipConfiguration"] == {"id": frontend["id"]}


def test_a_put_of_what_was_read_keeps_every_etag(arm: Caller) -> None:
    collections = ["loadBalancers", "publicIPAddresses", "networkSecurityGroups", "virtualNetworks", "routeTables"]
    paths = [body["id"] for name in collections for body in arm.get(f"{NETWORK}/{name}")["value"]]
    paths += [f"{COMPUTE}/virtualMachineScaleSets/{SCALE_SET}"]
    paths += [f"{COMPUTE}/virtualMachineScaleSets/{SCALE_SET}/virtualMachines/{number}" for number in range(3)]
    before = {path: arm.get(path) for path in paths}
    for path, body in before.items():
        assert arm("PUT", path, body, if_match=body["etag"]).body == body
    assert {path: arm.get(path) for path in paths} == before


def test_ids_are_found_in_any_case_and_keep_their_first_spelling(arm: Caller) -> None:
    read = arm.get(f"{NETWORK}/loadBalancers/kubernetes".upper().replace("/SUBSCRIPTIONS", "/subscriptions"))
    assert read["id"] == f"{NETWORK}/loadBalancers/kubernetes"
    body = load_balancer()
    arm("PUT", f"{NETWORK}/LoadBalancers/KUBERNETES".lower(), body)
    assert [one["id"] for one in arm.get(f"{NETWORK}/loadbalancers")["value"]] == [read["id"]]


def test_if_match_of_an_older_state_is_refused(arm: Caller) -> None:
    path = f"{NETWORK}/loadBalancers/kubernetes"
    etag = arm.get(path)["etag"]
    arm("PUT", path, {**load_balancer(), "tags": {"a": "b"}}, if_match=etag)
    with pytest.raises(ArmError) as refusal:
        arm("PUT", path, load_balancer(), if_match=etag)
    assert (refusal.value.status, refusal.value.code) == (412, "PreconditionFailed")


def test_pool_members_of_a_scale_set(arm: Caller) -> None:
    pool = f"{NETWORK}/loadBalancers/kubernetes/backendAddressPools/kubernetes"
    path = f"{COMPUTE}/virtualMachineScaleSets/{SCALE_SET}/virtualMachines/1"
    networks = arm.get(path)["properties"]["networkProfileConfiguration"]["networkInterfaceConfigurations"]
    networks[0]["properties"]["ipConfigurations"][0]["properties"]["loadBalancerBackendAddressPools"] = [{"id": pool}]
    # As the controller's PUT: nothing but the profile.
    body = {
        "location": "eastus",
        "properties": {"networkProfileConfiguration": {"networkInterfaceConfigurations": networks}},
    }
    arm("PUT", path, body)
    member = f"{path}/networkInterfaces/{SCALE_SET}/ipConfigurations/ipconfig1"
    assert arm.get(pool)["properties"]["backendIPConfigurations"] == [{"id": member}]
    assert [one.members for one in plan_of(arm.arm.store).rules] == [("198.18.0.12",)]
    assert arm.get(path)["properties"]["osProfile"] == {"computerName": f"{SCALE_SET}000001"}


def test_a_public_address_that_was_given_back_comes_last_again(arm: Caller) -> None:
    addresses = []
    for name in ("a", "b", "c", "d"):
        arm("PUT", f"{NETWORK}/publicIPAddresses/{name}", public_address())
        addresses.append(arm.get(f"{NETWORK}/publicIPAddresses/{name}")["properties"]["ipAddress"])
        arm("DELETE", f"{NETWORK}/publicIPAddresses/{name}")
    assert addresses == ["203.0.113.2", "203.0.113.3", "203.0.113.4", "203.0.113.5"]
    # Up to the last of the range.
    for number in range(6, 255):
        arm("PUT", f"{NETWORK}/publicIPAddresses/more-{number}", public_address())
    arm("PUT", f"{NETWORK}/publicIPAddresses/e", public_address())
    assert arm.get(f"{NETWORK}/publicIPAddresses/e")["properties"]["ipAddress"] == "203.0.113.2"


@pytest.mark.parametrize("vm_type", ["vmss", "standard"])
def test_an_outbound_rule_is_there_from_the_start(vm_type: str) -> None:
    arm = caller(outbound_rule=True, vm_type=vm_type)
    balancer = arm.get(f"{NETWORK}/loadBalancers/kubernetes")["properties"]
    (rule,), (pool,) = balancer["outboundRules"], balancer["backendAddressPools"]
    assert (rule["name"], pool["name"]) == ("aksOutboundRule", "aksOutboundBackendPool")
    assert len(pool["properties"]["backendIPConfigurations"]) == len(topology().nodes)
    (public,) = arm.get(f"{NETWORK}/publicIPAddresses")["value"]
    assert public["properties"]["ipConfiguration"] == {"id": balancer["frontendIPConfigurations"][0]["id"]}
    assert arm.get(CLUSTER)["properties"]["networkProfile"]["outboundType"] == "loadBalancer"
    assert plan_of(arm.arm.store).rules == ()
    interfaces = arm.arm.store.links().configurations.values()
    assert {one.address for one in interfaces} == {str(ip) for node in topology().nodes for ip in node.addresses}
    # The next address is another one.
    arm("PUT", f"{NETWORK}/publicIPAddresses/web", public_address())
    second = arm.get(f"{NETWORK}/publicIPAddresses/web")["properties"]["ipAddress"]
    assert [public["properties"]["ipAddress"], second] == ["203.0.113.1", "203.0.113.2"]
