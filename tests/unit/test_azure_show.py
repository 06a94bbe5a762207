"""Azure's load balancers as tables."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest

from fixtures.azure.__main__ import SUITE_ERROR_EXIT_CODE, USAGE_EXIT_CODE, main
from fixtures.azure.arm.applying import NoDataPlane
from fixtures.azure.plan import MemberHealth
from tests.unit.azure_arm import COMPUTE, NETWORK, SCALE_SET, load_balancer, public_address, served
from tests.unit.test_azure_arm_http import Client


class Plane(NoDataPlane):
    """A data plane that sees one backend up and one down."""

    def health(self, rule: str) -> list[MemberHealth]:
        """Of the first two nodes."""
        super().health(rule)
        return [
            MemberHealth("198.18.0.11", True, "Up_Probe_Success"),
            MemberHealth("198.18.0.12", False, "Down_Probe_TcpProbeTimeout"),
        ]


@pytest.fixture
def origin(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An emulation with a load balancer and a member."""
    monkeypatch.setenv("COLUMNS", "220")
    with served(plane=Plane()) as (origin, _):
        client = Client(origin)
        client.arm("PUT", f"{NETWORK}/publicIPAddresses/web", public_address())
        client.arm("PUT", f"{NETWORK}/loadBalancers/kubernetes", load_balancer())
        machine = f"{COMPUTE}/virtualMachineScaleSets/{SCALE_SET}/virtualMachines/1"
        body = copy.deepcopy(client.arm("GET", machine)[1])
        interface = body["properties"]["networkProfileConfiguration"]["networkInterfaceConfigurations"][0]["properties"]
        pool = f"{NETWORK}/loadBalancers/kubernetes/backendAddressPools/kubernetes"
        interface["ipConfigurations"][0]["properties"]["loadBalancerBackendAddressPools"] = [{"id": pool}]
        assert client.arm("PUT", machine, body)[0] == 200
        yield origin


@pytest.mark.parametrize(
    ("table", "cells"),
    [
        ("Load balancers", ["kubernetes", "Standard", "Succeeded", "fe", "203.0.113.1", "public IP web"]),
        ("Load-balancing rules", ["kubernetes", "fe-TCP-80", "203.0.113.1 Tcp 80", "80", "kubernetes", "yes"]),
        ("Backend pools", ["kubernetes", "kubernetes", "interfaces", f"{SCALE_SET}/1"]),
        ("Health probes", ["fe-TCP-80", "Tcp 31080", "2 x 5 s", "198.18.0.11", "Up", "Up_Probe_Success"]),
        ("Health probes", ["fe-TCP-80", "Tcp 31080", "2 x 5 s", "198.18.0.12", "Down", "Down_Probe_TcpProbeTimeout"]),
        ("Public IP addresses", ["web", "203.0.113.1", "fe", "default/web", "-"]),
        ("Inbound security rules", ["65500", "DenyAllInBound", "Deny", "*", "*", "*", "*"]),
    ],
)
def test_show(origin: str, capsys: pytest.CaptureFixture[str], table: str, cells: list[str]) -> None:
    assert main(["show", "--endpoint", origin]) == 0
    text = capsys.readouterr().out.partition(table)[2]
    assert any(all(cell in line for cell in cells) for line in text.splitlines())


@pytest.mark.parametrize(
    ("options", "code", "complaint"),
    [
        (["--endpoint", "http://127.0.0.1:1"], SUITE_ERROR_EXIT_CODE, "no emulated ARM answers at http://127.0.0.1:1"),
        (["--endpoint", "ORIGIN", "--resource-group", "none"], SUITE_ERROR_EXIT_CODE, "ResourceGroupNotFound"),
        (["--endpoint", "ORIGIN", "--subscription", "none"], USAGE_EXIT_CODE, "no subscription 'none'"),
        (["--endpoint", "ORIGIN", "--cluster-name", "x"], USAGE_EXIT_CODE, "--cluster-name: not together"),
    ],
)
def test_what_cannot_be_shown(
    origin: str, capsys: pytest.CaptureFixture[str], options: list[str], code: int, complaint: str
) -> None:
    assert main(["show", *(origin if option == "ORIGIN" else option for option in options)]) == code
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1
