"""What tests brought into Azure is found by its name and removed, or named with the command that removes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.azure.arm.tokens import Tokens
from fixtures.azure.clients import Azure
from fixtures.azure.leftovers import RUN_ID_TAG, leftovers, new_name, sweep, tags_of
from fixtures.clusters import ArmAccess
from fixtures.errors import SuiteError
from fixtures.session import new_run_id
from tests.unit import azure_arm
from tests.unit.azure_arm import CLUSTER_GROUP, GROUP, NETWORK, SUBSCRIPTION

OLD = "20200101t000000z-abcd"
ADDRESSES, PREFIXES, BALANCER = (
    f"{NETWORK}/{kind}" for kind in ("publicIPAddresses", "publicIPPrefixes", "loadBalancers")
)
RULES = f"{NETWORK}/networkSecurityGroups/aks-agentpool-00000000-nsg/securityRules"
SUBNETS = f"{NETWORK}/virtualNetworks/aks-vnet-00000000/subnets"
RULE = {
    "protocol": "Tcp",
    "access": "Allow",
    "direction": "Inbound",
    "priority": 200,
    "sourceAddressPrefix": "192.0.2.0/28",
    "sourcePortRange": "*",
    "destinationAddressPrefix": "*",
    "destinationPortRange": "22",
}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Azure, azure_arm.Caller]]:
    """A reader of an emulated ARM through the SDK, and the ARM itself."""
    token = tmp_path / "token"
    token.write_text(Tokens(azure_arm.topology().tenant, SUBSCRIPTION).issue("")["access_token"], "utf-8")
    with azure_arm.served() as (endpoint, server):
        arm = ArmAccess(
            endpoint=endpoint,
            emulated=True,
            subscription=SUBSCRIPTION,
            location="eastus",
            cluster_resource_group=CLUSTER_GROUP,
            cluster_name="demo",
            node_resource_group=GROUP,
            token_file=token,
        )
        yield Azure(arm), azure_arm.Caller(server.arm)


def test_names_and_tags_tell_the_run() -> None:
    run_id = new_run_id()
    name = new_name(run_id)
    assert name.startswith(f"service-conformance-{run_id}-")
    assert len(name) <= 80
    assert name != new_name(run_id)
    assert tags_of(run_id) == {RUN_ID_TAG: run_id}


def test_what_a_run_brought_goes_and_what_others_have_stays(served: tuple[Azure, azure_arm.Caller]) -> None:
    azure, call = served
    before = azure.inventory()
    own, other = new_run_id(), new_run_id()
    call("PUT", f"{PREFIXES}/{new_name(own)}", {**azure_arm.public_address(), "properties": {"prefixLength": 30}})
    for run in (own, other, OLD):
        call("PUT", f"{ADDRESSES}/{new_name(run)}", azure_arm.public_address())
    call("PUT", f"{ADDRESSES}/service-conformance-of-mine", azure_arm.public_address())
    call("PUT", f"{RULES}/{new_name(own)}", {"properties": RULE})
    call("PUT", f"{SUBNETS}/{new_name(own)}", {"properties": {"addressPrefix": "198.18.9.0/24"}})
    assert sorted(found.run_id for found in leftovers(azure)) == sorted([own] * 4 + [other, OLD])
    sweep(azure, own)
    assert [found.run_id for found in leftovers(azure)] == [other]
    left = {line.rpartition("/")[2] for line in before.gone_or_new(azure.inventory())}
    assert {name for name in left if other not in name} == {"service-conformance-of-mine"}
    assert len(left) == 2


def test_what_cannot_be_removed_is_named_with_the_command(served: tuple[Azure, azure_arm.Caller]) -> None:
    azure, call = served
    run_id = new_run_id()
    used, free = new_name(run_id), new_name(run_id)
    for name in (used, free):
        call("PUT", f"{ADDRESSES}/{name}", azure_arm.public_address())
    call("PUT", f"{NETWORK}/loadBalancers/kubernetes", azure_arm.load_balancer(public=used))
    with pytest.raises(SuiteError) as failed:
        sweep(azure, run_id)
    (line,) = str(failed.value).splitlines()
    place = f"{ADDRESSES}/{used}".lower()
    assert line.startswith(f"Azure: removal of {place}: HTTP 400 PublicIPAddressCannotBeDeleted: ")
    assert line.endswith(f"; delete it with: az network public-ip delete --ids {place}")
    assert [found.id for found in leftovers(azure)] == [place]
