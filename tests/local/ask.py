"""Asks one question from where it is started, by the standard library alone, and prints the answer as JSON.

usage: ask.py http URL [CA [CERTIFICATE KEY]]     {"status": 200, "body": "…"} or {"error": "TimeoutError"}
       ask.py until URL SECONDS                   the same, asked until there is an answer or the time is over
       ask.py dns SERVER NAME A|AAAA              {"rcode": 0, "addresses": ["…"]} or {"error": "…"}
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import sys
import time
import urllib.error
import urllib.request
from ipaddress import ip_address

TIMEOUT_S = 2.0
RETRY_EVERY_S = 0.05
"""kube-proxy gives no event to wait for when it has followed a change."""
TYPES = {"A": 1, "AAAA": 28}
"""RFC 1035 section 3.2.2 and RFC 3596."""


def http(url: str, *tls: str) -> dict[str, object]:
    """One GET; `tls` is nothing, the authority's file, or that and the files of the client's certificate and key."""
    context = ssl.create_default_context(cafile=tls[0]) if tls else None
    if context and len(tls) == 3:
        context.load_cert_chain(tls[1], tls[2])
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(url, timeout=TIMEOUT_S) as response:
            return {"status": response.status, "body": response.read().decode()}
    except urllib.error.HTTPError as answer:
        return {"status": answer.code, "body": answer.read().decode()}
    except urllib.error.URLError as problem:
        return {"error": type(problem.reason).__name__}
    except OSError as problem:
        return {"error": type(problem).__name__}


def until(url: str, timeout_s: str) -> dict[str, object]:
    """GETs until one is answered; the last outcome when none is within `timeout_s`."""
    give_up_at = time.monotonic() + float(timeout_s)
    while "error" in (answer := http(url)) and time.monotonic() < give_up_at:
        time.sleep(RETRY_EVERY_S)
    return answer


def dns(server: str, name: str, kind: str) -> dict[str, object]:
    """One query by UDP (RFC 1035 section 4)."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    query = struct.pack("!6H", 4711, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", TYPES[kind], 1)
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(TIMEOUT_S)
        client.connect((server, 53))
        try:
            client.send(query)
            answer = client.recv(4096)
        except OSError as problem:
            return {"error": type(problem).__name__}
    _, flags, _, count, _, _ = struct.unpack("!6H", answer[:12])
    return {"rcode": flags & 15, "addresses": _addresses(answer, len(query), count, TYPES[kind])}


def _addresses(answer: bytes, at: int, count: int, wanted: int) -> list[str]:
    found = []
    for _ in range(count):
        # A name is a pointer of two bytes, or labels up to an empty one (or up to a pointer).
        while answer[at] and answer[at] < 0xC0:
            at += 1 + answer[at]
        at += 2 if answer[at] else 1
        kind, _, _, length = struct.unpack("!2HIH", answer[at : at + 10])
        at += 10 + length
        if kind == wanted:
            found.append(str(ip_address(answer[at - length : at])))
    return sorted(found)


if __name__ == "__main__":
    question, *words = sys.argv[1:]
    print(json.dumps(until(*words) if question == "until" else dns(*words) if question == "dns" else http(*words)))
