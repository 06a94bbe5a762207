"""The emulated ARM knows every member that Azure's own models of the same resources have, and no other."""

from __future__ import annotations

from typing import Any

import pytest
from azure.mgmt.network import models as sdk
from pydantic import BaseModel

from fixtures.azure.arm.kinds import KINDS, NETWORK
from fixtures.azure.arm.schema import balancing, network

SAME = {
    balancing.LoadBalancer: sdk.LoadBalancer,
    balancing.LoadBalancerProperties: sdk.LoadBalancerPropertiesFormat,
    balancing.Frontend: sdk.FrontendIPConfiguration,
    balancing.FrontendProperties: sdk.FrontendIPConfigurationPropertiesFormat,
    balancing.BackendPool: sdk.BackendAddressPool,
    balancing.BackendPoolProperties: sdk.BackendAddressPoolPropertiesFormat,
    balancing.BackendAddress: sdk.LoadBalancerBackendAddress,
    balancing.BackendAddressProperties: sdk.LoadBalancerBackendAddressPropertiesFormat,
    balancing.LoadBalancingRuleProperties: sdk.LoadBalancingRulePropertiesFormat,
    balancing.ProbeProperties: sdk.ProbePropertiesFormat,
    balancing.OutboundRuleProperties: sdk.OutboundRulePropertiesFormat,
    balancing.InboundNatRuleProperties: sdk.InboundNatRulePropertiesFormat,
    balancing.InboundNatPoolProperties: sdk.InboundNatPoolPropertiesFormat,
    balancing.PrivateLinkService: sdk.PrivateLinkService,
    balancing.PrivateLinkServiceProperties: sdk.PrivateLinkServiceProperties,
    balancing.PrivateLinkConfigurationProperties: sdk.PrivateLinkServiceIpConfigurationProperties,
    network.PublicIPAddress: sdk.PublicIPAddress,
    network.PublicIPAddressProperties: sdk.PublicIPAddressPropertiesFormat,
    network.DnsSettings: sdk.PublicIPAddressDnsSettings,
    network.PublicIPPrefix: sdk.PublicIPPrefix,
    network.PublicIPPrefixProperties: sdk.PublicIPPrefixPropertiesFormat,
    network.NetworkInterface: sdk.NetworkInterface,
    network.NetworkInterfaceProperties: sdk.NetworkInterfacePropertiesFormat,
    network.IPConfigurationProperties: sdk.NetworkInterfaceIPConfigurationPropertiesFormat,
    network.SecurityGroup: sdk.NetworkSecurityGroup,
    network.SecurityGroupProperties: sdk.NetworkSecurityGroupPropertiesFormat,
    network.SecurityRuleProperties: sdk.SecurityRulePropertiesFormat,
    network.VirtualNetwork: sdk.VirtualNetwork,
    network.VirtualNetworkProperties: sdk.VirtualNetworkPropertiesFormat,
    network.SubnetProperties: sdk.SubnetPropertiesFormat,
    network.RouteTable: sdk.RouteTable,
    network.RouteTableProperties: sdk.RouteTablePropertiesFormat,
    network.RouteProperties: sdk.RoutePropertiesFormat,
}
EVERYWHERE = {"systemData", "eTag", "extendedLocation"}
"""Members that we accept of every resource."""


def ours(model: type[BaseModel]) -> set[str]:
    """The members that our model accepts."""
    named = {field.alias or name for name, field in model.model_fields.items()}
    return named | set(getattr(model, "computed", ()))


def theirs(model: Any) -> set[str]:  # noqa: ANN401 - a class of the SDK
    """The members of Azure's model, which it works out when it is first made."""
    model.__new__(model)
    return {field._rest_name for field in model._attr_to_rest_field.values()}


@pytest.mark.parametrize("model", SAME, ids=lambda model: model.__name__)
def test_members_are_those_of_azure(model: type[BaseModel]) -> None:
    assert ours(model) - EVERYWHERE == theirs(SAME[model]) - EVERYWHERE


def test_every_network_kind_is_compared() -> None:
    assert {kind.model for kind in KINDS if kind.provider == NETWORK} <= set(SAME)
