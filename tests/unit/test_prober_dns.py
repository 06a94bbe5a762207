"""Look-ups: messages, the resolver's rules, and probes of names against a little server."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.prober.agent import dns
from tests.unit.probing import backend, plan, run_here, target

ZONE = {"web.a.test": b"\x7f\0\0\1", "other.test": b"\x7f\0\0\2", "plain": b"\x7f\0\0\3"}
RESOLVER = "search a.test . test\nnameserver 127.0.0.1\noptions ndots:2\n"


def dns_message(txid: int, flags: int, *answers: bytes) -> bytes:
    """A response to a query for web.test. whose answers point back at that name."""
    question = b"\x03web\x04test\0" + struct.pack("!2H", 1, 1)
    return struct.pack("!6H", txid, flags, 1, len(answers), 0, 0) + question + b"".join(answers)


def rr(kind: int, ttl: int, data: bytes) -> bytes:
    """A resource record with a compressed name."""
    return b"\xc0\x0c" + struct.pack("!2HIH", kind, 1, ttl, len(data)) + data


def test_dns_answers_are_read() -> None:
    query = dns.encode_query(7, "web.test.", "A")
    assert query.startswith(struct.pack("!6H", 7, 0x100, 1, 0, 0, 1) + b"\x03web\x04test\0\0\x01\0\x01")
    reply = dns_message(
        7, 0x8180, rr(5, 9, b"\xc0\x0c"), rr(1, 5, bytes([10, 0, 0, 1])), rr(1, 3, bytes([10, 0, 0, 2]))
    )
    expected = {"rcode": "NOERROR", "answers": ["10.0.0.1", "10.0.0.2"], "ttl_s": 3}
    assert dns.decode_response(reply, 7, "A") == expected
    assert dns.decode_response(reply, 7, "CNAME")["answers"] == ["web.test."]
    srv = dns_message(7, 0x8180, rr(33, 5, struct.pack("!3H", 0, 100, 80) + b"\xc0\x0c"))
    assert dns.decode_response(srv, 7, "SRV")["answers"] == ["0 100 80 web.test."]
    ipv6 = dns_message(7, 0x8180, rr(28, 5, bytes(15) + b"\1"))
    assert dns.decode_response(ipv6, 7, "AAAA")["answers"] == ["::1"]
    assert dns.decode_response(dns_message(7, 0x8183), 7, "A")["rcode"] == "NXDOMAIN"


@pytest.mark.parametrize(
    "reply", [dns_message(8, 0x8180), dns_message(7, 0x0180), dns_message(7, 0x8380), dns_message(7, 0x8180)[:20]]
)
def test_a_dns_answer_to_another_query_or_a_truncated_one_is_wrong(reply: bytes) -> None:
    with pytest.raises(dns.WrongAnswer):
        dns.decode_response(reply, 7, "A")


def test_resolver_settings() -> None:
    assert dns.resolver_settings(RESOLVER) == ("127.0.0.1", ["a.test", ".", "test"], 2)
    assert dns.resolver_settings("") == ("", [], 1)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """The names that a little name server with ZONE is asked for; it says nothing to names in `silent.`."""
    names: list[str] = []
    file = tmp_path / "resolv.conf"
    file.write_text(RESOLVER, "utf-8")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        monkeypatch.setattr(dns, "PORT", server.getsockname()[1])
        monkeypatch.setattr(dns, "RESOLV_CONF", str(file))

        def serve() -> None:
            while True:
                query, client = server.recvfrom(1000)
                name, _ = dns.read_name(query, 12)
                names.append(name.rstrip("."))
                if name == "end.":
                    return
                found = ZONE.get(names[-1])
                head = struct.pack(
                    "!6H", *struct.unpack("!H", query[:2]), 0x8180 if found else 0x8183, 0, bool(found), 0, 0
                )
                if "silent" not in name:
                    server.sendto(head + b"\0" + struct.pack("!2HIH", 1, 1, 5, 4) + (found or bytes(4)), client)

        thread = threading.Thread(target=serve)
        thread.start()
        yield names
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(dns.encode_query(1, "end.", "A"), server.getsockname())
        thread.join()


def test_names_are_asked_for(asked: list[str]) -> None:
    names = ("other", "plain", "none", "none.", "silent.")
    targets = [target(0, "dns", name=name, address=name) for name in names]
    probes = {p.target: p for p in run_here(plan(*targets, count=1, timeout_ms=200))}
    found = {name: (p.outcome, p.detail) for name, p in probes.items()}
    assert found == {
        "other": ("ok", ""),
        "plain": ("ok", ""),
        "none": ("name_error", "NXDOMAIN"),
        "none.": ("name_error", "NXDOMAIN"),
        "silent.": ("timeout", "no name server within 200 ms"),
    }
    answer = probes["other"].dns
    assert answer
    assert (answer.name, answer.rcode, answer.answers, answer.ttl_s) == ("other.test", "NOERROR", ("127.0.0.2",), 5)
    assert probes["plain"].dns
    assert probes["plain"].dns.name == "plain", "completed by the single dot"
    completed = ["plain.a.test", "plain", "other.a.test", "other", "other.test", "none.a.test", "none", "none.test"]
    assert sorted(asked) == sorted([*completed, "none", "none", "silent"])
    assert all(p.sent_s is not None and p.connection == 0 for p in probes.values())


def test_a_name_is_looked_up_for_each_new_connection(asked: list[str]) -> None:
    with backend() as (port, _, _):
        new = target(port, "tcp", address="web")
        kept = target(port, "http", name="kept", address="web", connection="reused")
        udp = target(port, "udp", name="udp", address="web", connection="reused")
        none = target(port, "http", name="none", address="none.")
        probes = run_here(plan(new, kept, udp, none, count=3))
    assert {(p.outcome, p.address) for p in probes if p.target != "none"} == {("ok", "127.0.0.1")}
    assert {(p.outcome, p.detail) for p in probes if p.target == "none"} == {
        ("name_error", "NXDOMAIN: no A record for none.")
    }
    assert asked.count("web.a.test") == 5, "three new connections, and one of each that is kept"


def test_no_name_server_is_a_name_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns, "RESOLV_CONF", "/does/not/exist")
    probes = run_here(
        plan(target(0, "dns", address="web"), target(0, "dns", name="y", address="x" * 70 + "."), count=1)
    )
    assert {p.detail for p in probes} == {"no name server in /does/not/exist"}
    (bad,) = run_here(plan(target(0, "dns", address="x" * 70 + ".", server="127.0.0.1"), count=1))
    assert (bad.outcome, bad.detail.partition(":")[0]) == ("name_error", "not a DNS name")


class Streams(socketserver.BaseRequestHandler):
    """A name server over TCP that answers in pieces; names in `cut.` get half an answer, those in `silent.` none."""

    def handle(self) -> None:
        """One question."""
        query = self.request.recv(2 + int.from_bytes(self.request.recv(2, socket.MSG_PEEK), "big"))[2:]
        name, _ = dns.read_name(query, 12)
        if "silent" in name:
            self.request.recv(1)
            return
        record = b"\0" + struct.pack("!2HIH", 1, 1, 5, 4) + b"\x7f\0\0\3"
        answer = struct.pack("!6H", *struct.unpack("!H", query[:2]), 0x8180, 0, 1, 0, 0) + record
        whole = struct.pack("!H", len(answer)) + answer
        for piece in (whole[:1], whole[1:9], b"" if "cut" in name else whole[9:]):
            self.request.sendall(piece)


def test_names_are_asked_for_over_tcp(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("web.", "cut.", "silent.")
    targets = [target(0, "dns", name=n, address=n, server="127.0.0.1", dns_transport="tcp") for n in names]
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Streams) as server:
        monkeypatch.setattr(dns, "PORT", server.server_address[1])
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        probes = {p.target: p for p in run_here(plan(*targets, count=2, timeout_ms=300))}
        server.shutdown()
    assert {name: (p.outcome, p.detail) for name, p in probes.items()} == {
        "web.": ("ok", ""),
        "cut.": ("wrong_answer", "the connection ended before the DNS answer"),
        "silent.": ("timeout", "no name server within 300 ms"),
    }
    found = probes["web."].dns
    assert found
    assert found.answers == ("127.0.0.3",)
    (refused,) = run_here(plan(targets[0], count=1))
    assert (refused.outcome, refused.dns) == ("refused", None)
