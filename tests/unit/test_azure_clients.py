"""What is read of Azure: resources in our models, pool members as nodes, inventories, polling, errors in one line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
)

from fixtures.api import NotInTime
from fixtures.azure.access import words
from fixtures.azure.clients import Azure, Inventory
from fixtures.azure.resources import LoadBalancer, Pool, Rule, SecurityGroup, Subnet
from fixtures.clusters import ArmAccess
from fixtures.errors import SuiteError
from fixtures.history import History

ARM = ArmAccess(
    endpoint="http://127.0.0.1:1",
    emulated=True,
    subscription="S",
    location="eastus",
    cluster_resource_group="group",
    cluster_name="dev",
    node_resource_group="MC_group_dev_eastus",
)
NET = "/subscriptions/S/resourceGroups/MC/providers/Microsoft.Network"
LB = f"{NET}/loadBalancers/kubernetes"
BODY: dict[str, Any] = {
    "id": LB,
    "name": "kubernetes",
    "etag": "e1",
    "sku": {"name": "Standard"},
    "tags": None,
    "properties": {
        "provisioningState": "Succeeded",
        "frontendIPConfigurations": [
            {
                "id": f"{LB}/frontendIPConfigurations/a1",
                "name": "a1",
                "etag": "e1",
                "properties": {"publicIPAddress": {"id": f"{NET}/publicIPAddresses/Pip"}, "privateIPAddress": None},
            }
        ],
        "backendAddressPools": [
            {
                "id": f"{LB}/backendAddressPools/kubernetes",
                "name": "kubernetes",
                "properties": {
                    "backendIPConfigurations": [
                        {"id": f"{NET}/networkInterfaces/nic-1/ipConfigurations/ipconfig1"},
                    ]
                },
            }
        ],
        "loadBalancingRules": [
            {
                "id": f"{LB}/loadBalancingRules/a1-TCP-80",
                "name": "a1-TCP-80",
                "properties": {
                    "protocol": "Tcp",
                    "frontendPort": 80,
                    "backendPort": 80,
                    "enableFloatingIP": True,
                    "frontendIPConfiguration": {"id": f"{LB}/FrontendIPConfigurations/A1"},
                    "backendAddressPool": {"id": f"{LB}/backendAddressPools/Kubernetes"},
                    "probe": None,
                },
            }
        ],
    },
}
SET = "/subscriptions/S/resourceGroups/MC/providers/Microsoft.Compute/virtualMachineScaleSets/aks-vmss"


class Sdk:
    """Answers as the parts of NetworkManagementClient that are asked here do."""

    def __init__(self, **bodies: list[dict[str, Any]]) -> None:
        self._bodies = bodies

    def __getattr__(self, kind: str) -> Sdk:
        """The operations of one kind."""
        return Sdk(own=self._bodies.get(kind, []))

    def list(self, _: str) -> list[Body]:
        """All of a resource group."""
        return [Body(body) for body in self._bodies["own"]]

    def get(self, _: str, name: str) -> Body:
        """One of them."""
        for body in self._bodies["own"]:
            if body["name"] == name:
                return Body(body)
        raise not_found("ResourceNotFound")


class Body(dict[str, Any]):
    """A model of the SDK."""

    def as_dict(self) -> dict[str, Any]:
        """As REST has it."""
        return dict(self)


def not_found(code: str) -> ResourceNotFoundError:
    """What the SDK raises for HTTP 404 with a code."""
    error = ResourceNotFoundError("gone")
    error.error = type("Error", (), {"code": code, "message": "gone"})()
    return error


def azure(**bodies: list[dict[str, Any]]) -> Azure:
    """A reader of these resources."""
    return Azure(ARM, client=Sdk(**bodies))


def test_a_load_balancer_is_read_with_its_children_and_ids_compare() -> None:
    (found,) = azure(load_balancers=[BODY]).load_balancers()
    assert found == azure(load_balancers=[BODY]).load_balancer("kubernetes")
    assert (found.sku_name, found.provisioning_state, found.tags) == ("Standard", "Succeeded", {})
    (rule,) = found.rules
    frontend = found.frontend(rule.frontend_ip_configuration)
    assert (frontend.name, frontend.public_ip_address) == ("a1", f"{NET}/publicIPAddresses/Pip".lower())
    assert found.rules_of(frontend) == (rule,)
    assert found.pool(rule.backend_address_pool).name == "kubernetes"
    with pytest.raises(LookupError):
        found.probe(rule.probe)


def test_a_load_balancer_that_is_not_there_is_none_but_a_missing_group_is_an_error() -> None:
    assert azure().load_balancer("kubernetes") is None
    with pytest.raises(SuiteError, match=r"Azure: LoadBalancer kubernetes .*ResourceGroupNotFound"):
        Azure(ARM, client=_Raising(not_found("ResourceGroupNotFound"))).load_balancer("kubernetes")


class _Raising:
    """Every call fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, kind: str) -> Any:  # noqa: ANN401 - of the SDK
        """Whatever is asked."""
        return self

    def __call__(self, *_: object) -> None:
        raise self._error


def test_members_are_nodes_by_interface_by_scale_set_instance_and_by_address() -> None:
    machine = "/subscriptions/S/resourceGroups/MC/providers/Microsoft.Compute/virtualMachines/node-1"
    interface = {"name": "nic-1", "properties": {"virtualMachine": {"id": machine}}}
    nodes = [node("node-1", machine, "10.0.0.4"), node("node-2", f"{SET}/virtualMachines/7", "10.0.0.5")]
    reader = azure(network_interfaces=[interface])
    instance = f"{SET.lower()}/VirtualMachines/7/networkInterfaces/nic/ipConfigurations/ipconfig1"
    by_interface = LoadBalancer.model_validate(BODY).pools[0]
    assert reader.members(by_interface, nodes) == {"node-1"}
    assert reader.members(pool(backendIPConfigurations=[{"id": instance}]), nodes) == {"node-2"}
    addresses = [{"name": "a", "properties": {"ipAddress": ip}} for ip in ("10.0.0.5", "10.0.0.99")]
    assert reader.members(pool(loadBalancerBackendAddresses=addresses), nodes) == {"node-2", "10.0.0.99"}
    assert reader.members(pool(), nodes) == frozenset()


def node(name: str, machine: str, address: str) -> dict[str, Any]:
    """A Node object."""
    addresses = [{"type": "Hostname", "address": name}, {"type": "InternalIP", "address": address}]
    return {
        "metadata": {"name": name},
        "spec": {"providerID": f"azure://{machine}"},
        "status": {"addresses": addresses},
    }


def pool(**properties: object) -> Pool:
    """A backend pool."""
    return Pool.model_validate({"id": "p", "properties": properties})


def test_an_inventory_tells_what_is_left_gone_and_changed() -> None:
    before = azure(load_balancers=[BODY]).inventory()
    assert before.etags == {LB.lower(): "e1", f"{LB}/frontendIPConfigurations/a1".lower(): "e1"}
    after = Inventory({LB.lower(): "e2", "pip": "e1"})
    assert before.gone_or_new(after) == ["left: pip", f"gone: {LB}/frontendIPConfigurations/a1".lower()]
    assert before.changed(after)[-1] == f"changed: {LB.lower()}"
    assert before.changed(before) == before.gone_or_new(before) == []


def test_states_are_recorded_once_each() -> None:
    history = History()
    reader = azure(load_balancers=[BODY]).recording(history)
    for _ in range(3):
        reader.load_balancers()
    (seen,) = history.observations("azure LoadBalancer", "kubernetes")
    assert seen.body["etag"] == "e1"


def test_observing_ends_with_the_state_or_with_the_time() -> None:
    states: Iterator[int] = iter(range(100))
    seen = azure().observe(lambda: next(states), lambda state: state == 3, timeout_s=10)
    assert (seen.state, seen.held) == (3, True)
    assert not azure().observe(lambda: 0, bool, timeout_s=0.05).held
    with pytest.raises(NotInTime, match=r"a rule: not so within 0 s"):
        azure().wait_until(lambda: 0, bool, timeout_s=0.05, what="a rule")


def test_one_value_and_several_of_a_security_rule_read_alike() -> None:
    rule = {"id": "r", "priority": 500, "access": "Allow", "direction": "Inbound", "protocol": "Tcp"}
    one = {"sourceAddressPrefix": "Internet", "destinationPortRange": "80", "destinationAddressPrefixes": ["1.2.3.4"]}
    many = {"sourceAddressPrefixes": ["Internet"], "destinationPortRanges": ["80"], "sourceAddressPrefix": ""}
    group = SecurityGroup.model_validate({"id": "g", "properties": {"securityRules": [{"properties": rule | one}]}})
    assert group.rules[0].sources == ("Internet",)
    assert group.rules[0].destinations == ("1.2.3.4",)
    again = SecurityGroup.model_validate({"id": "g", "securityRules": [rule | many]}).rules[0]
    assert (again.sources, again.destination_ports) == (("Internet",), ("80",))


def test_a_subnet_has_ranges_in_either_spelling() -> None:
    assert Subnet.model_validate({"id": "s", "properties": {"addressPrefix": "10.0.0.0/24"}}).ranges == ("10.0.0.0/24",)
    assert Subnet.model_validate({"id": "s", "addressPrefixes": ["a", "b"]}).ranges == ("a", "b")


def test_health_is_asked_by_the_rules_id() -> None:
    asked: list[tuple[str, ...]] = []

    class Rules(_Raising):
        def __call__(self, *path: object) -> Any:  # noqa: ANN401 - of the SDK
            asked.append(tuple(map(str, path)))
            addresses = [{"ipAddress": "10.0.0.4", "state": "Up", "reason": "Up_Probe_Success"}]
            addresses += [{"ipAddress": "10.0.0.5", "state": "Down", "reason": "Down_Probe_TcpProbeTimeout"}]
            body = Body({"up": 1, "down": 1, "loadBalancerBackendAddresses": addresses})
            return type("Poller", (), {"result": lambda _: body})()

    rule = Rule.model_validate(BODY["properties"]["loadBalancingRules"][0])
    found = Azure(ARM, client=Rules(Exception())).health(rule)
    assert found.up == {"10.0.0.4"}
    assert found.backends["10.0.0.5"] == ("Down", "Down_Probe_TcpProbeTimeout")
    assert asked == [("mc", "kubernetes", "a1-tcp-80")]


@pytest.mark.parametrize(
    ("code", "message", "said"),
    [
        (
            "AuthorizationFailed",
            "The client 'x' with object id 'y' does not have authorization to perform action "
            "'Microsoft.Network/loadBalancers/read' over scope '/subscriptions/S' or the scope is invalid.",
            "AuthorizationFailed: the action Microsoft.Network/loadBalancers/read is not allowed on /subscriptions/S",
        ),
        ("TooManyRequests", "Slow down.\nDetails", "TooManyRequests: Slow down."),
    ],
)
def test_an_error_is_one_line_that_names_what_is_missing(code: str, message: str, said: str) -> None:
    error = HttpResponseError(message)
    error.error = type("Error", (), {"code": code, "message": message})()
    assert words(error) == said


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (
            "Authentication failed: AADSTS7000222: The client secret has expired.",
            "EnvironmentCredential: Authentication",
        ),
        ("EnvironmentCredential authentication unavailable.", "no login was found, of 2 ways that were tried"),
    ],
)
def test_a_login_that_failed_is_told_from_none(outcome: str, said: str) -> None:
    tried = f"\tEnvironmentCredential: {outcome}\nVisit https://x\n\tAzureCliCredential: Azure CLI not found on path\n"
    line = words(
        ClientAuthenticationError(f"DefaultAzureCredential failed.\nAttempted credentials:\n{tried}To mitigate")
    )
    assert line.startswith(said)
    assert "\n" not in line


def test_an_endpoint_that_does_not_answer_is_one_line() -> None:
    assert words(ServiceRequestError("Connection refused\nmore")) == "ServiceRequestError: Connection refused"
