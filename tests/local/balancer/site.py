"""A small site for the load balancer's tests: router, nodes and clients in namespaces, without Kubernetes.

client (Internet, and a connected network) ── router ──┬── node-1 … node-3
vnet   (another subnet of the virtual network) ──┘     └── control-plane
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pyroute2 import IPRoute

from fixtures.azure.balancer import NftBalancer
from fixtures.azure.plan import MemberHealth, Plan
from fixtures.clusters.local.network import UPLINK, Host, Network
from tests.azure_plans import INTERNAL, MEMBERS, NODES, PLAN, PUBLIC, topology
from tests.local.balancer.backends import Backend, Loop, family, inside

PORT = 80
OTHER_PORT = 81
HEALTH_PORT = 8080
"""Where each node's servers are: TCP on all, UDP on the first."""
MINUTE_S = 0.25
"""How long a minute of an idle timeout lasts here."""
ANSWER_TIMEOUT_S = 0.95
"""Less than the second after which a SYN is sent again: a lost packet is seen."""
SILENCE_S = 0.4
"""How long a client waits where nobody should answer; answers take milliseconds."""
BECOMES_TIMEOUT_S = 10.0
INTERNET_CLIENTS = 30


@dataclass(frozen=True)
class Client:
    """Where a connection comes from: a host and its addresses, IPv4 first."""

    host: str
    addresses: tuple[str, ...]


def internet(number: int = 0) -> Client:
    """One of the clients in the Internet, all on the same host."""
    return Client("client", (f"198.51.100.{number + 2}", f"2001:db8:f::{number + 2:x}"))


CONNECTED = Client("client", (str(PLAN.client()[0].ip), str(PLAN.client()[1].ip)))
VNET = Client("vnet", (str(PLAN.vnet()[0].ip), str(PLAN.vnet()[1].ip)))
SEGMENT = Client("control-plane", (str(PLAN.control_plane()[0].ip), str(PLAN.control_plane()[1].ip)))
NODE = Client("node-1", tuple(members[0] for members in MEMBERS))
_INTERNET_GATEWAYS = ("198.51.100.1", "2001:db8:f::1")


def must_become(condition: Callable[[], bool], what: str, timeout_s: float = BECOMES_TIMEOUT_S) -> float:
    """Wait until a condition holds; returns how long that took, in seconds."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() < started + timeout_s, f"{what}: not in {timeout_s:g} s"
        time.sleep(0.005)
    return time.monotonic() - started


@dataclass(frozen=True)
class Answer:
    """What a backend said: its node, and the addresses that it saw."""

    node: str
    peer: str
    local: str


@dataclass
class Conversation:
    """A client's TCP connection or connected UDP socket."""

    socket: socket.socket

    def ask(self, timeout_s: float = ANSWER_TIMEOUT_S) -> Answer:
        """Send a line and read the answer; raises OSError when there is none."""
        self.socket.settimeout(timeout_s)
        self.socket.send(b"who\n")
        if not (data := self.socket.recv(200)):
            raise ConnectionResetError("closed")
        return Answer(*data.decode().split())

    def hears(self, timeout_s: float = SILENCE_S) -> bytes | None:
        """What comes unasked, empty at the end, or None when nothing comes; raises ConnectionResetError."""
        self.socket.settimeout(timeout_s)
        try:
            return self.socket.recv(200)
        except TimeoutError:
            return None

    def close(self) -> None:
        """End it."""
        self.socket.close()


@dataclass
class Site:
    """All of it, and a load balancer that runs in the router."""

    hosts: dict[str, Host]
    backends: list[Backend]
    outside: Backend
    router: Loop
    balancer: NftBalancer

    def apply(self, plan: Plan) -> float:
        """Have a plan carried out; returns how long it took, in seconds."""
        started = time.monotonic()
        self.router.call(self.balancer.apply(plan))
        return time.monotonic() - started

    def health(self, rule: str) -> list[MemberHealth]:
        """What the load balancer says of a rule."""

        async def read() -> list[MemberHealth]:
            return list(self.balancer.health(rule))

        return self.router.call(read())

    def up(self, rule: str) -> int:
        """How many backends of a rule are up."""
        return sum(member.up for member in self.health(rule))

    def open(
        self, to: str, port: int, client: Client, *, udp: bool = False, timeout_s: float = ANSWER_TIMEOUT_S
    ) -> Conversation:
        """A connection of a client; raises OSError when there is none."""
        with inside(self.hosts[client.host]):
            sock = socket.socket(family(to), socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
        try:
            sock.settimeout(timeout_s)
            sock.bind((client.addresses[":" in to], 0))
            sock.connect((to, port))
        except BaseException:
            sock.close()
            raise
        return Conversation(sock)

    def ask(self, to: str, port: int, client: Client, *, udp: bool = False) -> Answer:
        """One question on a connection of its own."""
        with closing(self.open(to, port, client, udp=udp)) as conversation:
            return conversation.ask()

    def silent(self, to: str, port: int, client: Client, *, udp: bool = False) -> bool:
        """Whether nothing at all comes back: no answer and no refusal."""
        try:
            with closing(self.open(to, port, client, udp=udp, timeout_s=SILENCE_S)) as conversation:
                conversation.ask(SILENCE_S)
        except TimeoutError:
            return True
        except OSError:
            pass
        return False

    def who(self, to: str, port: int, client: Client, connections: int, *, udp: bool = False) -> Counter[str]:
        """How many of some connections each node answered."""
        return Counter(self.ask(to, port, client, udp=udp).node for _ in range(connections))

    def run(self, host: str, *argv: str) -> str:
        """The output of a program in a host's network namespace."""
        command = ["nsenter", f"--net={self.hosts[host].namespace}", "--", *argv]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@contextmanager
def site(*, idle_minute_s: float) -> Iterator[Site]:
    """Make a site whose load balancer has minutes of this length in its idle timeouts, and take it down again."""
    with ExitStack() as stack:
        nodes = [f"node-{number}" for number in range(1, NODES + 1)]
        hosts = {
            name: stack.enter_context(_host(name)) for name in ("router", "client", "vnet", "control-plane", *nodes)
        }
        _lay_out(hosts)
        servers, router = Loop(), Loop(hosts["router"])
        stack.callback(servers.close)
        stack.callback(router.close)
        balancer = NftBalancer(topology(), idle_minute_s=idle_minute_s)
        router.call(balancer.start())
        stack.callback(lambda: router.call(balancer.close()))
        backends = [Backend(hosts[name], servers) for name in (*nodes, "client")]
        yield Site(hosts, backends[:-1], backends[-1], router, balancer)


@contextmanager
def _host(name: str) -> Iterator[Host]:
    """A host with a network namespace of its own."""
    argv = ["unshare", "--net", "--", "sh", "-c", "echo; exec sleep infinity"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        try:
            assert holder.stdout.readline() == b"\n"
            yield Host(name, holder.pid)
        finally:
            holder.kill()


def _lay_out(hosts: dict[str, Host]) -> None:
    network = Network(PLAN, NODES)
    router, client, vnet = hosts["router"], hosts["client"], hosts["vnet"]
    network.attach_router(router, client, vnet)
    network.attach_control_plane(router, hosts["control-plane"])
    for number in range(1, NODES + 1):
        network.attach_node(router, hosts[f"node-{number}"], number)
        _take_frontends(hosts[f"node-{number}"])
    with router.interfaces() as ip:
        _address(ip, "client", *_INTERNET_GATEWAYS)
    with client.interfaces() as ip:
        for number in range(INTERNET_CLIENTS):
            _address(ip, UPLINK, *internet(number).addresses)


def _address(ip: IPRoute, interface: str, *addresses: str) -> None:
    index = ip.link_lookup(ifname=interface)[0]
    ip.link("set", index=index, state="up")
    for address in addresses:
        ip.addr("add", index=index, address=address, prefixlen=64 if ":" in address else 24)


def _take_frontends(node: Host) -> None:
    """A node takes what is sent to a frontend for itself, as kube-proxy makes it, and answers no ARP for it."""
    with inside(node):
        Path("/proc/sys/net/ipv4/conf/all/arp_ignore").write_text("1")
    with node.interfaces() as ip:
        where = {"oif": ip.link_lookup(ifname="lo")[0], "type": "local", "table": 255}
        for v4, v6 in (PUBLIC, INTERNAL):
            ip.route("add", dst=f"{v4}/32", family=int(socket.AF_INET), scope="host", **where)
            ip.route("add", dst=f"{v6}/128", family=int(socket.AF_INET6), **where)
