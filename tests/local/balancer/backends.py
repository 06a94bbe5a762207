"""Servers on the nodes of the load balancer's test site, and loops that run in a host's network namespace."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pyroute2 import netns

from fixtures.clusters.local.network import Host

CALL_TIMEOUT_S = 20.0
BACKLOG = 1024
IP_FREEBIND, IPV6_FREEBIND = 15, 78
"""linux/in.h, linux/in6.h"""

_T = TypeVar("_T")


@contextmanager
def inside(host: Host) -> Iterator[None]:
    """This thread in a host's network namespace; sockets made there stay there."""
    netns.pushns(str(host.namespace))
    try:
        yield
    finally:
        netns.popns()


def family(address: str) -> socket.AddressFamily:
    """Of an address in text."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Loop:
    """An asyncio loop in a thread of its own, in a host's network namespace or in this process'."""

    def __init__(self, host: Host | None = None) -> None:
        self._host = host
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with inside(self._host) if self._host else contextlib.nullcontext():
            self._loop.run_forever()

    def call(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine there and wait for it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(CALL_TIMEOUT_S)

    def close(self) -> None:
        """Cancel what still runs there, and end the thread."""
        self.call(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@dataclass
class Backend:
    """A node's servers: a line of text is answered with who is there, on TCP and UDP; and health by HTTP.

    Attributes:
        host: the node.
        loop: where they run.
        status: of answers to HTTP requests; 0: none is given.
        probed: who sent each HTTP request, and when in monotonic seconds.
        resets: how many connections were reset.
    """

    host: Host
    loop: Loop
    status: int = 200
    probed: list[tuple[str, float]] = field(default_factory=list)
    resets: int = 0
    _servers: dict[int, asyncio.Server] = field(default_factory=dict)
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    def listen(self, port: int, *, tls: ssl.SSLContext | None = None) -> None:
        """Serve TCP on a port, for every address."""
        with inside(self.host):
            listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG)
        self._servers[port] = self.loop.call(asyncio.start_server(self._serve, sock=listener, ssl=tls))

    def refuse(self, port: int) -> None:
        """Serve a port no longer; connections that are there stay."""

        async def close() -> None:
            self._servers.pop(port).close()

        self.loop.call(close())

    def shout(self) -> None:
        """Send a line on every connection."""

        async def write() -> None:
            for writer in self._open:
                writer.write(b"hello\n")

        self.loop.call(write())

    def listen_udp(self, port: int, *addresses: str) -> None:
        """Serve UDP on a port of some addresses."""
        for address in addresses:
            with inside(self.host):
                sock = socket.socket(family(address), socket.SOCK_DGRAM)
                # A frontend is an address of the node only by a route.
                sock.setsockopt(*((socket.IPPROTO_IPV6, IPV6_FREEBIND) if ":" in address else (0, IP_FREEBIND)), 1)
                sock.bind((address, port))
            self.loop.call(_answer_datagrams(self.host.name, sock))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer, local = (_plain(writer.get_extra_info(name)[0]) for name in ("peername", "sockname"))
        self._open.add(writer)
        try:
            while line := await reader.readline():
                if line.startswith(b"GET "):
                    self.probed.append((peer, time.monotonic()))
                    if self.status:
                        writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: 0\r\n\r\n".encode())
                elif line.startswith(b"who"):
                    writer.write(f"{self.host.name} {peer} {local}\n".encode())
        except ConnectionResetError:
            self.resets += 1
        finally:
            self._open.discard(writer)
            writer.close()


async def _answer_datagrams(name: str, sock: socket.socket) -> None:
    """Answer on a socket as long as its loop runs."""

    class Answering(asyncio.DatagramProtocol):
        def datagram_received(self, _data: bytes, addr: tuple[str, int]) -> None:
            sock.sendto(f"{name} {_plain(addr[0])} {_plain(sock.getsockname()[0])}\n".encode(), addr)

    await asyncio.get_running_loop().create_datagram_endpoint(Answering, sock=sock)


def _plain(address: str) -> str:
    """Without what makes an IPv4 address one of IPv6, and without an interface."""
    return address.removeprefix("::ffff:").partition("%")[0]
