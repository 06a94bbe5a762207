"""Messages of the kernel's table of flows, and packets that provoke an answer: bytes alone."""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

from hypothesis import given
from hypothesis import strategies as st

from fixtures.azure.balancer.conntrack import Direction, Flow, _attr, _attributes, _established, _messages
from fixtures.azure.balancer.idle import IdleLimit
from fixtures.azure.balancer.provoke import checksum, syn
from tests.azure_plans import INTERNAL, REPEATED, rule

PORTS = st.integers(1, 65535)


def directions(addresses: st.SearchStrategy[str]) -> st.SearchStrategy[Direction]:
    """A direction of a flow between such addresses."""
    return st.builds(Direction, addresses, PORTS, addresses, PORTS)


DIRECTIONS = st.one_of(
    directions(st.integers(0, 2**32 - 1).map(IPv4Address).map(str)),
    directions(st.integers(0, 2**128 - 1).map(IPv6Address).map(str)),
)


def encoded(direction: Direction) -> bytes:
    """A direction as ctnetlink has it."""
    v6 = ":" in direction.source
    addresses = [ip_address(address).packed for address in (direction.source, direction.destination)]
    ip = b"".join(_attr(number + 2 * v6, packed) for number, packed in enumerate(addresses, 1))
    ports = (direction.source_port, direction.destination_port)
    proto = _attr(1, bytes([socket.IPPROTO_TCP])) + b"".join(
        _attr(number, struct.pack(">H", port)) for number, port in enumerate(ports, 2)
    )
    return _attr(1 | 0x8000, ip) + _attr(2 | 0x8000, proto)


def message(original: Direction, reply: Direction, *, state: int, mark: int, timeout_s: int) -> bytes:
    """What the kernel tells of a flow, with attributes that nobody asks for."""
    tcp = _attr(1 | 0x8000, _attr(1, bytes([state])) + _attr(2, b"\7"))
    return b"".join(
        (
            _attr(1 | 0x8000, encoded(original)),
            _attr(2 | 0x8000, encoded(reply)),
            _attr(3, struct.pack(">I", 0x18E)),
            _attr(7, struct.pack(">I", timeout_s)),
            _attr(8, struct.pack(">I", mark)),
            _attr(4 | 0x8000, tcp),
        )
    )


@REPEATED
@given(DIRECTIONS, DIRECTIONS, st.integers(0, 0xFFFFFFFF), st.integers(0, 86400))
def test_an_established_flow_is_read(original: Direction, reply: Direction, mark: int, timeout_s: int) -> None:
    data = memoryview(message(original, reply, state=3, mark=mark, timeout_s=timeout_s))
    key = _attr(1 | 0x8000, encoded(original))
    assert _established(_attributes(data)) == Flow(key, original, reply, mark, timeout_s)


def test_a_flow_in_another_state_is_stepped_over() -> None:
    direction = Direction("192.0.2.1", 1, "192.0.2.2", 2)
    for state in (1, 2, 4, 5, 7, 8):
        assert (
            _established(_attributes(memoryview(message(direction, direction, state=state, mark=0, timeout_s=5))))
            is None
        )
    assert _established({}) is None, "UDP"


@REPEATED
@given(st.lists(st.binary(max_size=30), max_size=6))
def test_messages_of_a_datagram_are_told_apart(contents: list[bytes]) -> None:
    data = b"".join(
        struct.pack("=IHHII", 16 + len(content), 7, 0, number, 0) + content + bytes(-len(content) % 4)
        for number, content in enumerate(contents)
    )
    read = [(number, sequence, bytes(content)) for number, sequence, content in _messages(memoryview(data))]
    assert read == [(7, number, content) for number, content in enumerate(contents)]


@REPEATED
@given(DIRECTIONS)
def test_a_syn_has_the_addresses_of_its_direction_and_a_right_checksum(direction: Direction) -> None:
    packet = syn(direction)
    source, destination = ip_address(direction.source), ip_address(direction.destination)
    tcp = packet[-20:]
    assert struct.unpack(">HH", tcp[:4]) == (direction.source_port, direction.destination_port)
    assert tcp[13] == 0x02
    addresses = source.packed + destination.packed
    assert addresses in packet[:-20]
    assert len(packet) == (60 if source.version == 6 else 40)
    assert checksum(addresses + struct.pack(">II", 20, socket.IPPROTO_TCP) + tcp) == 0


def test_ha_ports_of_internal_load_balancers_alone_are_ended_without_a_reset() -> None:
    assert IdleLimit.of(rule(idle_timeout_min=7)) == IdleLimit(7, reset=True)
    assert not IdleLimit.of(rule(tcp_reset=False)).reset
    assert IdleLimit.of(rule(frontend=INTERNAL[0])).reset
    assert not IdleLimit.of(rule(frontend=INTERNAL[0], protocol="all")).reset
