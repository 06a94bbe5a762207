"""Source ports: none is used again before all others, whichever plan of a place takes them."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from fixtures.history import History
from fixtures.prober.agent.ports import BLOCK, SOURCE_PORTS, SourcePorts
from fixtures.prober.plan import Protocol
from fixtures.probes import Decoder, Probe, parse_line
from tests.unit.probing import HERE, agent, asked, backend, free_port, plan, target


def taken(ports: SourcePorts, count: int) -> list[int]:
    """The ports of so many sockets, each open until all have theirs."""
    with ExitStack() as opened:
        socks = [opened.enter_context(socket.socket()) for _ in range(count)]
        for sock in socks:
            ports.bind(sock)
        return [sock.getsockname()[1] for sock in socks]


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A sequence that is about to begin anew."""
    (tmp_path / "next").write_bytes((len(SOURCE_PORTS) - 2 * BLOCK).to_bytes(8, "big"))
    return str(tmp_path / "next")


def test_who_shares_a_file_takes_no_port_twice(file: str) -> None:
    both = SourcePorts(file), SourcePorts(file)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(taken, both, [3 * BLOCK] * 2)
    assert set(first) & set(second) == set()
    assert len({*first, *second}) == 6 * BLOCK
    assert {*first, *second} <= set(SOURCE_PORTS)


def test_a_port_that_is_in_use_is_passed_over() -> None:
    ports = SourcePorts()
    (first,) = taken(ports, 1)
    after = SOURCE_PORTS[(SOURCE_PORTS.index(first) + 1) % len(SOURCE_PORTS)]
    with socket.socket() as busy:
        busy.bind(("", after))
        busy.listen()
        assert taken(ports, 1) != [after]


def test_without_the_file_it_is_for_oneself(tmp_path: Path) -> None:
    assert taken(SourcePorts(str(tmp_path / "none")), 1)[0] in SOURCE_PORTS


def window(decoders: Iterable[Iterable[Probe]]) -> int:
    """How many ports in a row hold those of all probes, each of which has one of its own."""
    places = sorted(SOURCE_PORTS.index(probe.local_port or 0) for probes in decoders for probe in probes)
    assert len(set(places)) == len(places)
    gaps = [(after - place) % len(SOURCE_PORTS) for place, after in pairwise([*places, places[0]])]
    return len(SOURCE_PORTS) - max(gaps) + 1


def test_plans_of_processes_share_their_sequence() -> None:
    with backend() as (port, _, _):
        runs = [HERE.start(plan(target(port), count=40, rate_per_s=200), History()) for _ in range(3)]
        assert window(run.finish().probes for run in runs) <= 120 + 4 * BLOCK


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_plans_of_a_listener_share_their_sequence(protocol: Protocol) -> None:
    listening, decoders = free_port(), [Decoder("x"), Decoder("x")]
    with backend() as (port, _, _), agent("listen", "--port", str(listening)):
        url = f"http://127.0.0.1:{listening}/plans"
        for number in range(2):
            wire = plan(target(port, protocol), count=40, rate_per_s=200).wire("pod", str(number))
            assert asked(url, wire)[0] == 200
        for number, decoder in enumerate(decoders):
            for line in asked(f"{url}/{number}")[1].splitlines(keepends=True):
                decoder.feed(parse_line(line, "x"))
    assert window(decoder.probes for decoder in decoders) <= 80 + BLOCK
