"""The emulated ARM over HTTP: tokens, what a test asks of it, and the command."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from fixtures.azure.__main__ import USAGE_EXIT_CODE, main
from tests.unit.azure_arm import NETWORK, SUBSCRIPTION, load_balancer, public_address, served, topology

ROOT = Path(__file__).resolve().parents[2]


class Client:
    """Asks an emulation over HTTP."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.token = ""
        self.token = self("GET", "/msi/token?resource=x")[1]["access_token"]

    def __call__(self, method: str, path: str, body: object = None) -> tuple[int, Any, dict[str, str]]:
        """Status, parsed body and headers of an answer."""
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        headers = {"X-IDENTITY-HEADER": "x", "Authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(self.origin + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read() or b"null"), dict(answer.headers)
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.loads(refusal.read() or b"null"), dict(refusal.headers)

    def arm(self, method: str, path: str, body: object = None) -> tuple[int, Any, dict[str, str]]:
        """The same with an API version."""
        return self(method, f"{path}?api-version=2026-03-01", body)


@pytest.fixture
def client() -> Iterator[Client]:
    """Of a new emulation."""
    with served() as (origin, _):
        yield Client(origin)


def test_a_token_is_needed(client: Client) -> None:
    good, client.token = client.token, ""
    status, body, headers = client.arm("GET", f"{NETWORK}/loadBalancers")
    assert (status, body["error"]["code"]) == (401, "AuthenticationFailed")
    assert headers["WWW-Authenticate"].startswith("Bearer ")
    client.token = "x" + good
    assert client.arm("GET", f"{NETWORK}/loadBalancers")[1]["error"]["code"] == "InvalidAuthenticationToken"


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/elsewhere", None, "InvalidResourceType"),
        (f"{NETWORK}/loadBalancers/a", b"{", "InvalidRequestContent"),
        (f"{NETWORK}/loadBalancers/a", b"[]", "InvalidRequestContent"),
        (f"{NETWORK}/loadBalancers/a", None, "InvalidRequestContent"),
        (f"{NETWORK}/loadBalancers/a%20b", {}, "InvalidResourceName"),
    ],
)
def test_requests_that_make_no_sense(client: Client, path: str, body: object, code: str) -> None:
    status, answer, _ = client.arm("PUT", path, body)
    assert 400 <= status < 500
    assert answer["error"]["code"] == code


def test_subscription_groups_and_providers(client: Client) -> None:
    subscription = NETWORK.partition("/resourceGroups")[0]
    assert client.arm("GET", subscription)[1]["state"] == "Enabled"
    groups = client.arm("GET", f"{subscription}/resourcegroups")[1]["value"]
    assert [group["name"] for group in groups] == ["rg", "MC_rg_demo_eastus"]
    assert client.arm("GET", f"{subscription}/resourceGroups/RG")[1]["name"] == "rg"
    assert client.arm("GET", f"{subscription}/resourceGroups/none")[1]["error"]["code"] == "ResourceGroupNotFound"
    compute = client.arm("GET", f"{subscription}/providers/Microsoft.Compute")[1]["resourceTypes"]
    machines = next(kind for kind in compute if kind["resourceType"] == "virtualMachines")
    assert machines["zoneMappings"] == [{"location": "eastus", "zones": ["1", "2", "3"]}]
    assert client.arm("PUT", f"{subscription}/resourceGroups/mine", {"location": "eastus"})[0] == 201
    place = NETWORK.replace("MC_rg_demo_eastus", "mine")
    assert client.arm("PUT", f"{place}/publicIPAddresses/own", public_address())[0] == 201
    assert client.arm("GET", f"{subscription}/resourceGroups/mine/resources")[1]["value"][0]["name"] == "own"
    assert client.arm("DELETE", f"{subscription}/resourceGroups/mine")[0] == 200
    assert client.arm("GET", f"{place}/publicIPAddresses/own")[1]["error"]["code"] == "ResourceGroupNotFound"


def test_seeds_are_used_up_in_turn(client: Client) -> None:
    for status in (500, 503):
        assert client("POST", "/_emulation/seeds", {"path": "/loadBalancers$", "status": status})[0] == 201
    answers = [client.arm("GET", f"{NETWORK}/LOADBALANCERS")[0] for _ in range(3)]
    assert answers == [500, 503, 200]
    client("POST", "/_emulation/seeds", {"method": "PUT", "path": "x", "status": 429, "times": None})
    status, body, headers = client.arm("PUT", f"{NETWORK}/publicIPAddresses/x", public_address())
    assert (status, body["error"]["code"], headers["Retry-After"]) == (429, "TooManyRequests", "1")
    assert client("DELETE", "/_emulation/seeds")[0] == 204
    assert client.arm("PUT", f"{NETWORK}/publicIPAddresses/x", public_address())[0] == 201


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("seeds", {"path": "(", "status": 500}),
        ("seeds", {"status": 500}),
        ("seeds", {"path": "x", "status": 99}),
        ("mode", {"asynchronous": "perhaps"}),
        ("mode", {"delay_ms": -1}),
        ("limits", {"rules": -1}),
    ],
)
def test_what_cannot_be_asked_is_refused(client: Client, path: str, body: object) -> None:
    assert client("POST", f"/_emulation/{path}", body)[1]["error"]["code"] == "InvalidRequestFormat"


def test_the_log_and_the_plan(client: Client) -> None:
    client.arm("PUT", f"{NETWORK}/publicIPAddresses/web", public_address())
    client.arm("PUT", f"{NETWORK}/loadBalancers/kubernetes", load_balancer())
    client.arm("PUT", f"{NETWORK}/loadBalancers/kubernetes", {})
    log = client("GET", "/_emulation/requests")[1]
    assert [(one["method"], one["status"], one["code"]) for one in log[1:]] == [
        ("PUT", 201, ""),
        ("PUT", 201, ""),
        ("PUT", 400, "LocationRequired"),
    ]
    assert [one["number"] for one in client("GET", "/_emulation/requests?after=3")[1]] == [4]
    rules = client("GET", "/_emulation/plan")[1]["rules"]
    assert [(rule["frontend"], rule["frontend_port"]) for rule in rules] == [("203.0.113.1", 80)]


def test_all_begins_again(client: Client) -> None:
    before = client.arm("GET", f"/subscriptions/{SUBSCRIPTION}/resources")[1]
    client.arm("PUT", f"{NETWORK}/publicIPAddresses/web", public_address())
    client.arm("PUT", f"{NETWORK}/loadBalancers/kubernetes", load_balancer())
    assert client.arm("GET", f"/subscriptions/{SUBSCRIPTION}/resources")[1] != before
    assert client("POST", "/_emulation/begin-again")[0] == 204
    assert client("POST", "/_emulation/begin-again?outbound=none")[0] == 204
    assert client("POST", "/_emulation/begin-again?outbound=some")[0] == 400
    assert client.arm("GET", f"/subscriptions/{SUBSCRIPTION}/resources")[1] == before
    assert client("GET", "/_emulation/plan")[1]["rules"] == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["serve", "/none.json"], "TOPOLOGY.json: /none.json cannot be read: No such file or directory"),
        (["serve", "TOPOLOGY", "--listen", "here"], "--listen: 'here' is not ADDRESS:PORT"),
        (["serve", "TOPOLOGY", "--listen", "192.0.2.1:1"], "--listen: 192.0.2.1:1 cannot be listened at"),
        (["serve", "BROKEN"], "TOPOLOGY.json: subnet_ranges: Field required"),
        (["serve"], "the following arguments are required: TOPOLOGY.json"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    good, broken = tmp_path / "good", tmp_path / "broken"
    good.write_text(topology().model_dump_json(), "utf-8")
    broken.write_text(json.dumps({**json.loads(good.read_text("utf-8")), "subnet_ranges": None}), "utf-8")
    broken.write_text(re.sub(r'"subnet_ranges": null, ', "", broken.read_text("utf-8")), "utf-8")
    files = {"TOPOLOGY": str(good), "BROKEN": str(broken)}
    assert main([files.get(argument, argument) for argument in arguments]) == USAGE_EXIT_CODE
    out = capsys.readouterr().err
    assert complaint in out
    assert out.count("\n") == 1


@pytest.mark.parametrize("inherited", [False, True])
def test_the_command_serves_until_it_is_told_to_end(tmp_path: Path, inherited: bool) -> None:
    file = tmp_path / "topology.json"
    file.write_text(topology().model_dump_json(), "utf-8")
    command = [sys.executable, "-m", "fixtures.azure", "serve", str(file)]
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as ends:
        command += ["--listen-fd", str(listener.fileno())] if inherited else []
        keep = (listener.fileno(),) if inherited else ()
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, pass_fds=keep, env=environment)
        ends.callback(process.wait)
        ends.callback(process.kill)
        assert process.stdout
        ready, origin = process.stdout.readline().split()
        assert ready == "ready"
        origins = [origin, *([f"http://127.0.0.1:{listener.getsockname()[1]}"] if inherited else [])]
        for one in origins:
            assert Client(one).arm("GET", f"{NETWORK}/loadBalancers")[1] == {"value": []}
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
