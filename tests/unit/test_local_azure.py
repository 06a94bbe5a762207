"""What Azure holds of a local cluster."""

from pathlib import Path

import pytest

from fixtures.azure.topology import Topology, VmType
from fixtures.clusters.local import azure
from fixtures.clusters.local.addresses import MAX_NODES, AddressPlan


def topology(vm_type: VmType = "vmss", *, block: int = 0) -> Topology:
    """Of a cluster with as many nodes as there can be."""
    return azure.topology("dev", AddressPlan(block), MAX_NODES, (vm_type, "nodeIP"), Path("/admin.yaml"))


@pytest.mark.parametrize(
    ("number", "digits"), [(1, "000000"), (10, "000009"), (11, "00000a"), (36, "00000z"), (37, "000010")]
)
def test_nodes_are_named_as_instances_of_a_scale_set(number: int, digits: str) -> None:
    name = azure.node_name(number)
    assert name == f"aks-nodepool1-00000000-vmss{digits}"
    # cloud-provider-azure, azure_vmss.go: the instance id is the last six characters to base 36.
    assert int(name[-6:], 36) == number - 1


def test_a_node_is_found_by_its_provider_id() -> None:
    group = (
        "azure:///subscriptions/00000000-0000-0000-0000-000000000001"
        "/resourceGroups/MC_service-conformance_dev_eastus/providers/Microsoft.Compute"
    )
    scale_set = f"{group}/virtualMachineScaleSets/aks-nodepool1-00000000-vmss"
    assert azure.provider_id(topology(), 3) == f"{scale_set}/virtualMachines/2"
    assert azure.provider_id(topology("standard"), 3) == f"{group}/virtualMachines/aks-nodepool1-00000000-vmss000002"


def test_every_network_of_azure_is_the_clusters_own() -> None:
    of = topology()
    subnets = [of.subnet_ranges, *of.other_subnets.values()]
    assert {network for ranges in subnets for network in ranges} == set(of.virtual_network_ranges)
    apart = [*of.virtual_network_ranges, *of.public_ranges, *of.connected_ranges]
    for index, network in enumerate(apart):
        assert not any(network.overlaps(other) for other in apart[index + 1 :] if other.version == network.version)
    for node in of.nodes:
        for place, address in enumerate(node.addresses):
            assert address in of.subnet_ranges[place]
            assert int(address) - int(of.subnet_ranges[place][0]) < of.first_free_host


def test_zones_are_taken_in_turn() -> None:
    assert [azure.zone(number) for number in (1, 2, 3, 4)] == ["1", "2", "3", "1"]
    labels = azure.node_labels("MC_a_b_eastus")
    assert azure.zone_label(2) == {"topology.kubernetes.io/zone": "eastus-2"}
    assert labels["kubernetes.azure.com/cluster"] == "MC_a_b_eastus"


def test_one_load_balancer_needs_no_configuration() -> None:
    assert azure.placement(1, shared_probe=False) == {}
    assert azure.placement(1, shared_probe=True) == {"clusterServiceLoadBalancerHealthProbeMode": "shared"}


def test_of_several_load_balancers_each_but_the_first_has_the_nodes_of_a_zone() -> None:
    configured = azure.placement(3, shared_probe=False)["multipleStandardLoadBalancerConfigurations"]
    assert isinstance(configured, list)
    assert [one["name"] for one in configured] == ["kubernetes", "kubernetes-2", "kubernetes-3"]
    assert [one.get("nodeSelector", {}).get("matchLabels") for one in configured] == [
        None,
        azure.zone_label(2),
        azure.zone_label(3),
    ]
    # cloud-provider-azure, azure.go: checkEnableMultipleStandardLoadBalancers wants one for each, all different.
    assert len({one["primaryVMSet"] for one in configured} | {topology().scale_set}) == 4
