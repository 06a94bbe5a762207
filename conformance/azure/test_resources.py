"""The load balancer and its addresses: which Azure resources a Service gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance.azure.asked import Asked
from conformance.azure.settings import ARM, INTERNAL_BALANCER, PUBLIC_BALANCER, Setting, for_each
from conformance.azure.tables import addresses, links, rules
from fixtures.azure.holdings import CLUSTER_TAG, SERVICE_TAG, base_name
from fixtures.azure.reading import Reading
from fixtures.checks.azure_configuration import pools_hold, rows_are
from fixtures.checks.holding import must_hold
from fixtures.checks.values import equal, lie_in
from fixtures.history import History
from fixtures.requirements import MUST, requirement

if TYPE_CHECKING:
    from fixtures.azure.clients import Azure

pytestmark = pytest.mark.long
AKS_SERVICES = "AKS docs: Services in AKS, LoadBalancer"
INTERNAL_ONE, PUBLIC_ONE = rules.EACH_PORT[:2]


@requirement(
    "azure.a_load_balancer_is_made",
    promise="LoadBalancer creates an Azure load balancer resource: a Standard one, in the node resource group.",
    source=f"seed: Kubernetes services, LoadBalancer; {AKS_SERVICES}",
    level=MUST,
    features=ARM,
)
@for_each([INTERNAL_ONE, PUBLIC_ONE])
def test_a_load_balancer_is_made(asked: Asked, azure: Azure, history: History, setting: Setting) -> None:
    """Fault: `arm_makes_basic_ones`."""
    held = asked.made(setting, history).held
    name, group = PUBLIC_BALANCER if setting.public else INTERNAL_BALANCER, azure.group.lower()
    wanted = {name: {"sku": "Standard", "state": "Succeeded", "resource_group": group}}
    must_hold(history, rows_are("load balancers", wanted, held.load_balancers))


@requirement(
    "azure.the_external_ip_is_a_public_ip_address",
    promise="The external IP is that of a public IP address resource, which is the Service's own and says so.",
    source=f"seed: Kubernetes services, LoadBalancer; {AKS_SERVICES}; cloud-provider-azure: serviceOwnsPublicIP",
    level=MUST,
    features=ARM,
)
@for_each([PUBLIC_ONE])
def test_the_external_ip_is_a_public_ip_address(asked: Asked, history: History, setting: Setting) -> None:
    """Fault: `arm_makes_basic_ones`."""
    made = asked.made(setting, history)
    service, name = made.service, base_name(made.service.uid)
    (address,) = service.external_ips.values()
    tags = {SERVICE_TAG: f"{service.namespace}/{service.name}", CLUSTER_TAG: "kubernetes"}
    public = {
        "address": address,
        "sku": "Standard",
        "state": "Succeeded",
        "frontend": f"{PUBLIC_BALANCER}/{name}",
        "tags": tags,
    }
    frontend = {"load_balancer": PUBLIC_BALANCER, "address": address, "public_ip": f"kubernetes-{name}"}
    must_hold(
        history,
        rows_are("public IP addresses", {f"kubernetes-{name}": public}, made.held.public_ips),
        rows_are("frontends", {name: frontend}, made.held.frontends),
    )


@requirement(
    "azure.an_internal_address_is_of_the_subnet",
    promise="An internal load balancer has an address of the cluster's subnet, which is the Service's external IP.",
    source="AKS docs: Use an internal load balancer, Create an internal load balancer",
    level=MUST,
    features=ARM,
)
@for_each([INTERNAL_ONE])
def test_an_internal_address_is_of_the_subnet(
    asked: Asked, reading: Reading, history: History, setting: Setting
) -> None:
    """Fault: `settings_forgotten`."""
    made = asked.made(setting, history)
    (frontend,) = made.held.frontends
    must_hold(history, rows_are("public IP addresses", {}, made.held.public_ips))
    ranges = reading.subnet_ranges(frontend["subnet"])
    must_hold(
        history,
        equal("the address of the frontend", [frontend["address"]], list(made.service.external_ips.values())),
        lie_in("the external IP", [frontend["address"]], ranges),
    )


@requirement(
    "azure.the_nodes_are_the_backend_pool",
    promise="The backend pool that the rules lead to holds every node of the cluster, and nothing else.",
    source=f"seed: Kubernetes services, LoadBalancer, the diagram; {AKS_SERVICES}",
    level=MUST,
    features=ARM,
)
@for_each([INTERNAL_ONE, PUBLIC_ONE])
def test_the_nodes_are_the_backend_pool(asked: Asked, reading: Reading, history: History, setting: Setting) -> None:
    """Fault: `arm_forgets_a_node`, one node's network interface is not changed."""
    must_hold(history, pools_hold(asked.made(setting, history).held, reading.balanced_nodes()))


@requirement(
    "azure.a_dns_label_is_set",
    promise="The public IP address gets the DNS label that is asked for, and so a name in the region's domain.",
    source="AKS docs: Use a static IP, Apply a DNS label to the Service",
    level=MUST,
    features=ARM,
)
@for_each(addresses.NAMED)
def test_a_dns_label_is_set(asked: Asked, azure: Azure, history: History, setting: Setting) -> None:
    """Fault: `settings_forgotten`."""
    asked.must_be_so(setting, history)
    (public,) = asked.made(setting, history).held.public_ips
    name = f"{setting.annotations[addresses.LABEL]}.{azure.arm.location}.cloudapp.azure.com"
    must_hold(history, equal("the DNS name of the public IP address", name, public["fqdn"]))


@requirement(
    "azure.public_ip_addresses_are_tagged",
    promise="The public IP address gets the tags that are asked for, beside those of the cloud controller.",
    source="cloud-provider-azure docs: Load Balancer, azure-pip-tags",
    level=MUST,
    features=ARM,
)
@for_each(addresses.TAGGED)
def test_public_ip_addresses_are_tagged(asked: Asked, history: History, setting: Setting) -> None:
    """Fault: `settings_forgotten`."""
    asked.must_be_so(setting, history)


@requirement(
    "azure.a_dual_stack_service_has_two_frontends",
    promise="A dual-stack Service has an address and rules of each family; internal ones of IPv6 lead to node ports.",
    source="cloud-provider-azure docs: Load Balancer; AKS issue 2919, cloud-provider-azure PR 1698",
    level=MUST,
    features=(*ARM, "IPv4", "IPv6"),
)
@for_each(addresses.DUAL_STACK)
def test_a_dual_stack_service_has_two_frontends(asked: Asked, history: History, setting: Setting) -> None:
    """Fault: `settings_forgotten`."""
    made = asked.made(setting, history)
    name = base_name(made.service.uid)
    rows = {f"{name}{suffix}": {"address": ip} for suffix, ip in zip(("", "-IPv6"), made.held.addresses, strict=False)}
    must_hold(
        history,
        equal("families of its external IPs", ["IPv4", "IPv6"], sorted(made.service.external_ips)),
        equal("its external IPs", sorted(made.service.external_ips.values()), sorted(made.held.addresses)),
        rows_are("frontends", rows, made.held.frontends),
        *setting.findings(made.service, made.held),
    )


@requirement(
    "azure.a_private_link_service_is_made",
    promise="A private link service is made in front of an internal load balancer, as it is asked for.",
    source="cloud-provider-azure docs: Private Link Service Integration; AKS docs: Use an internal load balancer",
    level=MUST,
    features=ARM,
)
@for_each(links.MADE)
def test_a_private_link_service_is_made(asked: Asked, history: History, setting: Setting) -> None:
    """Fault: `settings_forgotten`."""
    asked.must_be_so(setting, history)
