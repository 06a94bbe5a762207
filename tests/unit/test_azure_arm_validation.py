"""What the emulated ARM refuses, and with which code."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from fixtures.azure.arm.errors import ArmError
from fixtures.azure.arm.ids import parse
from fixtures.azure.arm.kinds import check_api_version
from fixtures.azure.arm.limits import Limits
from tests.unit.azure_arm import (
    COMPUTE,
    GROUP,
    NETWORK,
    SCALE_SET,
    SUBSCRIPTION,
    Caller,
    caller,
    load_balancer,
    public_address,
)

LB = f"{NETWORK}/loadBalancers/kubernetes"
VNET = f"{NETWORK}/virtualNetworks/aks-vnet-00000000"
SUBNET = f"{VNET}/subnets/aks-subnet"
NSG = f"{NETWORK}/networkSecurityGroups/aks-agentpool-00000000-nsg"
ROUTES = f"{NETWORK}/routeTables/aks-agentpool-00000000-routetable"
Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def arm() -> Caller:
    """With two public IP addresses."""
    arm = caller()
    for name in ("web", "second"):
        arm("PUT", f"{NETWORK}/publicIPAddresses/{name}", public_address())
    return arm


def refusal(arm: Caller, method: str, path: str, body: object = None, **options: str) -> ArmError:
    """What a request is refused with."""
    with pytest.raises(ArmError) as caught:
        arm(method, path, body, **options)
    return caught.value


def setting(where: str, value: object) -> Edit:
    """Sets a property of the first child of a collection, `collection.property`, or of the balancer itself."""
    collection, _, name = where.rpartition(".")

    def edit(body: dict[str, Any]) -> None:
        target = body["properties"][collection][0]["properties"] if collection else body
        target[name] = value

    return edit


def another(collection: str, **properties: object) -> Edit:
    """Adds a copy of the first child of a collection, named `other` unless it says otherwise."""

    def edit(body: dict[str, Any]) -> None:
        copied = copy.deepcopy(body["properties"][collection][0])
        copied["name"] = properties.pop("name", "other")
        copied["properties"] = {**copied.get("properties", {}), **properties}
        body["properties"][collection].append(copied)

    return edit


def without_frontends(body: dict[str, Any]) -> None:
    """Leaves the pool alone."""
    body["properties"] = {"backendAddressPools": body["properties"]["backendAddressPools"]}


RULE, PROBE, FRONTEND = "loadBalancingRules", "probes", "frontendIPConfigurations"


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (setting(f"{RULE}.frontendPort", 0), "LoadBalancingRuleInvalidPort"),
        (setting(f"{RULE}.frontendPort", 65536), "LoadBalancingRuleInvalidPort"),
        (setting(f"{RULE}.backendPort", 0), "LoadBalancingRuleInvalidPort"),
        (setting(f"{RULE}.protocol", "All"), "LoadBalancingRuleInvalidPortForProtocolAll"),
        (setting(f"{RULE}.protocol", "Sctp"), "InvalidRequestFormat"),
        (setting(f"{RULE}.idleTimeoutInMinutes", 3), "LoadBalancingRuleInvalidIdleTimeout"),
        (setting(f"{RULE}.idleTimeoutInMinutes", 101), "LoadBalancingRuleInvalidIdleTimeout"),
        (setting(f"{RULE}.colour", "red"), "InvalidRequestFormat"),
        (setting(f"{RULE}.probe", {"id": f"{LB}/probes/none"}), "InvalidResourceReference"),
        (setting(f"{RULE}.backendAddressPool", {"id": f"{LB}/backendAddressPools/x"}), "InvalidResourceReference"),
        (setting(f"{RULE}.frontendIPConfiguration", None), "LoadBalancingRuleMissingFrontend"),
        (another(RULE), "RulesUseSameFrontendPortProtocolAndIPConfig"),
        (another(RULE, name="FE-tcp-80"), "DuplicateResourceName"),
        (another(RULE, name="a/b"), "InvalidResourceName"),
        (setting(f"{PROBE}.port", 0), "ProbeInvalidPort"),
        (setting(f"{PROBE}.port", 65536), "ProbeInvalidPort"),
        (setting(f"{PROBE}.intervalInSeconds", 4), "ProbeInvalidInterval"),
        (setting(f"{PROBE}.probeThreshold", 0), "ProbeInvalidThreshold"),
        (setting(f"{PROBE}.probeThreshold", 101), "ProbeInvalidThreshold"),
        (setting(f"{PROBE}.requestPath", "/"), "ProbeInvalidRequestPath"),
        (setting(f"{PROBE}.protocol", "Http"), "ProbeInvalidRequestPath"),
        (setting(f"{FRONTEND}.subnet", {"id": SUBNET}), "InvalidFrontendIPConfiguration"),
        (setting(f"{FRONTEND}.publicIPAddress", None), "InvalidFrontendIPConfiguration"),
        (setting(f"{FRONTEND}.publicIPAddress", {"id": "web"}), "LinkedInvalidPropertyId"),
        (another(FRONTEND), "PublicIPReferencedByMultipleIPConfigs"),
        (setting("sku", {"name": "Basic"}), "DifferentSkuLoadBalancersAndPublicIPAddressNotAllowed"),
        (setting("location", None), "LocationRequired"),
        (setting("tags", {"a/b": "c"}), "InvalidTagNameCharacters"),
        (setting("tags", {"a": "c" * 257}), "InvalidTagValueLength"),
        (without_frontends, "LoadBalancerWithoutFrontendIPCantHaveChildResources"),
    ],
)
def test_load_balancers(arm: Caller, edit: Edit, code: str) -> None:
    body = load_balancer()
    arm("PUT", LB, body)
    before = arm.get(LB)
    arm("DELETE", LB)
    edit(body)
    assert refusal(arm, "PUT", LB, body).code == code
    arm("PUT", LB, load_balancer())
    assert arm.get(LB) == before


def test_ha_ports_need_an_internal_frontend(arm: Caller) -> None:
    internal, public = load_balancer("internal", public=None), load_balancer()
    for body in (internal, public):
        rule = body["properties"][RULE][0]["properties"]
        rule.update(protocol="All", frontendPort=0, backendPort=0)
    assert refusal(arm, "PUT", LB, public).code == "LoadBalancingRuleProtocolAllRequiresInternalFrontend"
    assert arm("PUT", f"{NETWORK}/loadBalancers/internal", internal).status == 201


def test_rules_without_floating_ip_share_no_backend_port(arm: Caller) -> None:
    body = load_balancer()
    another(RULE, frontendPort=81, enableFloatingIP=False)(body)
    another(RULE, name="third", frontendPort=82, enableFloatingIP=False)(body)
    assert refusal(arm, "PUT", LB, body).code == "RulesUseSameBackendPortProtocolAndPool"


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("198.18.1.20", "PrivateIPAddressNotInSubnet"),
        ("198.18.0.3", "PrivateIPAddressInReservedRange"),
        ("198.18.0.255", "PrivateIPAddressInReservedRange"),
        ("198.18.0.11", "PrivateIPAddressIsAllocated"),
        ("fd00:18::99", "PrivateIPAddressVersionMismatch"),
        ("198.18.0.300", "InvalidIPAddressFormat"),
        (None, "PrivateIPAddressMissing"),
    ],
)
def test_static_private_addresses(arm: Caller, address: str | None, code: str) -> None:
    body = load_balancer("internal", public=None)
    frontend = body["properties"][FRONTEND][0]["properties"]
    frontend.update(privateIPAllocationMethod="Static", privateIPAddress=address)
    found = refusal(arm, "PUT", f"{NETWORK}/loadBalancers/internal", body)
    assert (found.status, found.code) == (400, code)
    frontend["privateIPAddress"] = "198.18.0.50"
    arm("PUT", f"{NETWORK}/loadBalancers/internal", body)
    other = refusal(arm, "PUT", f"{NETWORK}/loadBalancers/other", body_of_other(body))
    assert other.code == "PrivateIPAddressIsAllocated"


def body_of_other(body: dict[str, Any]) -> dict[str, Any]:
    """The same frontend alone, for another load balancer."""
    return {**body, "properties": {FRONTEND: body["properties"][FRONTEND]}}


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"publicIPAllocationMethod": "Dynamic"}, "StandardSkuPublicIPAddressMustBeStatic"),
        ({"idleTimeoutInMinutes": 31}, "PublicIPAddressInvalidIdleTimeout"),
        ({"publicIPAddressVersion": "IPv6"}, "PropertyChangeNotAllowed"),
        ({"dnsSettings": {"domainNameLabel": "No_label"}}, "InvalidDomainNameLabel"),
        ({"dnsSettings": {"domainNameLabel": "taken"}}, "DnsRecordInUse"),
        ({"publicIPPrefix": {"id": f"{NETWORK}/publicIPPrefixes/none"}}, "InvalidResourceReference"),
    ],
)
def test_public_addresses(arm: Caller, properties: dict[str, Any], code: str) -> None:
    taken = public_address(dnsSettings={"domainNameLabel": "taken"})
    made = arm("PUT", f"{NETWORK}/publicIPAddresses/second", taken).body
    assert made["properties"]["dnsSettings"]["fqdn"] == "taken.eastus.cloudapp.azure.com"
    assert refusal(arm, "PUT", f"{NETWORK}/publicIPAddresses/web", public_address(**properties)).code == code


def security_rule(name: str = "r", **properties: object) -> dict[str, Any]:
    """An inbound rule."""
    written = {
        "protocol": "Tcp",
        "sourcePortRange": "*",
        "destinationPortRange": "80",
        "sourceAddressPrefix": "Internet",
        "destinationAddressPrefix": "203.0.113.1",
        "access": "Allow",
        "priority": 500,
        "direction": "Inbound",
    }
    return {"name": name, "properties": {**written, **properties}}


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (security_rule("other"), "SecurityRuleConflict"),
        (security_rule(priority=99), "SecurityRuleInvalidPriority"),
        (security_rule(priority=4097), "SecurityRuleInvalidPriority"),
        (security_rule(destinationPortRange="80-70"), "SecurityRuleInvalidPortRange"),
        (security_rule(destinationPortRange="65536"), "SecurityRuleInvalidPortRange"),
        (security_rule(destinationPortRange=None), "SecurityRuleMissingPortRange"),
        (security_rule(sourceAddressPrefix="10.0.0.1/8"), "SecurityRuleInvalidAddressPrefix"),
        (security_rule(sourceAddressPrefix="NoSuchTag"), "SecurityRuleInvalidAddressPrefix"),
        (security_rule(sourceAddressPrefix=None), "SecurityRuleMissingAddressPrefix"),
        (security_rule(sourceAddressPrefixes=["10.0.0.0/8", "*"]), "SecurityRuleParameterContainsUnsupportedValue"),
        (security_rule(sourceAddressPrefix="2001:db8::/64"), "SecurityRuleAddressPrefixesOfDifferentFamilies"),
        (security_rule(access="Maybe"), "InvalidRequestFormat"),
    ],
)
def test_security_rules(arm: Caller, rule: dict[str, Any], code: str) -> None:
    path = NSG
    body = arm.get(path)
    body = {**body, "properties": {"securityRules": [security_rule("first")]}}
    arm("PUT", path, body)
    rules = [security_rule("first"), rule] if code == "SecurityRuleConflict" else [rule]
    assert refusal(arm, "PUT", path, {**body, "properties": {"securityRules": rules}}).code == code
    assert refusal(arm, "PUT", f"{path}/securityRules/second", {"properties": rule["properties"]}).code in (
        code,
        "SecurityRuleConflict",
    )


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("DELETE", f"{NETWORK}/publicIPAddresses/web", 400, "PublicIPAddressCannotBeDeleted"),
        ("DELETE", LB, 400, "LoadBalancerInUseByVirtualMachineScaleSet"),
        ("DELETE", f"{LB}/backendAddressPools/kubernetes", 400, "InvalidResourceReference"),
        ("DELETE", NSG, 400, "InUseNetworkSecurityGroupCannotBeDeleted"),
        ("DELETE", ROUTES, 400, "InUseRouteTableCannotBeDeleted"),
        ("DELETE", VNET, 400, "InUseVirtualNetworkCannotBeDeleted"),
        ("DELETE", SUBNET, 400, "InUseSubnetCannotBeDeleted"),
        ("GET", f"{NETWORK}/loadBalancers/other", 404, "ResourceNotFound"),
        ("GET", f"{LB}/probes/other", 404, "NotFound"),
        ("GET", f"{NETWORK}/natGateways/other", 404, "InvalidResourceType"),
        ("PUT", f"{LB}/probes/other", 405, "MethodNotAllowed"),
        ("GET", NETWORK.replace(GROUP, "other") + "/loadBalancers", 404, "ResourceGroupNotFound"),
        ("GET", NETWORK.replace(SUBSCRIPTION, "other") + "/loadBalancers", 404, "SubscriptionNotFound"),
    ],
)
def test_what_is_in_use_or_not_there(arm: Caller, method: str, path: str, status: int, code: str) -> None:
    arm("PUT", LB, load_balancer())
    join(arm, 0)
    found = refusal(arm, method, path, {})
    assert (found.status, found.code) == (status, code)


def join(arm: Caller, number: int) -> None:
    """Make an instance of the scale set a member of the pool."""
    path = f"{COMPUTE}/virtualMachineScaleSets/{SCALE_SET}/virtualMachines/{number}"
    profile = copy.deepcopy(arm.get(path)["properties"]["networkProfileConfiguration"])
    one = profile["networkInterfaceConfigurations"][0]["properties"]["ipConfigurations"][0]["properties"]
    one["loadBalancerBackendAddressPools"] = [{"id": f"{LB}/backendAddressPools/kubernetes"}]
    arm("PUT", path, {"location": "eastus", "properties": {"networkProfileConfiguration": profile}})


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"frontends": 0}, "LoadBalancerFrontendIPConfigurationCountLimitReached"),
        ({"rules": 0}, "LoadBalancerRuleCountLimitReached"),
        ({"rules_per_interface": 1}, "LoadBalancerRuleCountLimitReachedForNic"),
    ],
)
def test_quotas_of_load_balancers(arm: Caller, limits: dict[str, int], code: str) -> None:
    arm("PUT", LB, load_balancer())
    join(arm, 0)
    arm.arm.store.limits = Limits.model_validate(limits)
    body = load_balancer()
    another(RULE, frontendPort=81)(body)
    assert refusal(arm, "PUT", LB, body).code == code


def test_quota_and_exhaustion_of_public_addresses() -> None:
    arm = caller(public_ranges=["203.0.113.0/29"])
    for number in range(6):
        arm("PUT", f"{NETWORK}/publicIPAddresses/a{number}", public_address())
    path = f"{NETWORK}/publicIPAddresses/more"
    assert refusal(arm, "PUT", path, public_address()).code == "PublicIPAddressesExhausted"
    arm.arm.store.limits = Limits(public_addresses=6)
    assert refusal(arm, "PUT", path, public_address()).code == "PublicIPCountLimitReached"


@pytest.mark.parametrize("version", ["", "2024-05-01"])
def test_api_versions(version: str) -> None:
    place = parse(f"{NETWORK}/loadBalancers")
    expected = "NoRegisteredProviderFound" if version else "MissingApiVersionParameter"

    with pytest.raises(ArmError) as caught:
        check_api_version(place, version)
    assert caught.value.code == expected
