"""Health probes, and what flows do when backends go down."""

from __future__ import annotations

import ssl
from contextlib import ExitStack, closing
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path

import pytest

from fixtures.azure.balancer.names import PROBE_SOURCE
from fixtures.azure.plan import HealthProbe, Plan
from fixtures.clusters.local.pki import CertificateAuthority
from tests.azure_plans import MEMBERS, OPEN, PUBLIC, probe, rule, security
from tests.local.balancer.site import OTHER_PORT, PORT, Site, internet, must_become

TLS_PORT = 8443
DEAD_PORT = 82
ALL = {"node-1", "node-2", "node-3"}

families = pytest.mark.parametrize("v6", [0, 1], ids=["ipv4", "ipv6"])


@families
def test_a_backend_whose_probe_fails_gets_no_new_flows_until_it_recovers(net: Site, v6: int) -> None:
    web = rule(frontend=PUBLIC[v6], probe=probe())
    net.apply(Plan((web,), (OPEN,)))
    must_become(lambda: net.up(web.id) == 3, "all up")
    net.backends[0].status = 503
    must_become(lambda: net.up(web.id) == 2, "one down")
    assert set(net.who(PUBLIC[v6], PORT, internet(), 60)) == ALL - {"node-1"}
    assert net.health(web.id)[0].reason == "Down_Probe_HttpStatusCodeError"
    net.backends[0].status = 200
    must_become(lambda: net.up(web.id) == 3, "all up again")
    assert set(net.who(PUBLIC[v6], PORT, internet(), 60)) == ALL


@families
def test_probes_come_from_azures_address_at_their_interval_once_for_all_rules(net: Site, v6: int) -> None:
    rules = [rule(f"r{port}", PUBLIC[v6], port, probe=probe()) for port in (PORT, OTHER_PORT, 443)]
    net.apply(Plan(tuple(rules), (OPEN,)))
    probed = net.backends[0].probed
    must_become(lambda: len(probed) == 4, "four probes")
    assert {sender for sender, _ in probed} == {PROBE_SOURCE[6 if v6 else 4]}
    times = [at for _, at in probed]
    assert min(after - before for before, after in pairwise(times)) > 0.9


@families
@pytest.mark.parametrize(
    ("sent", "status", "reason"),
    [
        (probe(protocol="Tcp"), 200, "Up_Probe_Success"),
        (probe(protocol="Tcp", port=DEAD_PORT), 200, "Down_Probe_TcpProbeTimeout"),
        (probe(), 200, "Up_Probe_Success"),
        (probe(), 204, "Down_Probe_HttpStatusCodeError"),
        (probe(port=DEAD_PORT), 200, "Down_Probe_HttpEndpointUnreachable"),
        (probe(), 0, "Down_Probe_HttpNoResponse"),
        (probe(protocol="Https"), 200, "Down_Probe_HttpEndpointUnreachable"),
    ],
)
def test_what_a_probe_finds_is_told_as_azure_tells_it(
    net: Site, v6: int, sent: HealthProbe, status: int, reason: str
) -> None:
    for backend in net.backends:
        backend.status = status
    web = rule(frontend=PUBLIC[v6], probe=sent)
    net.apply(Plan((web,), (OPEN,)))
    must_become(lambda: {member.reason for member in net.health(web.id)} == {reason}, reason)
    assert {member.up for member in net.health(web.id)} == {reason.startswith("Up")}
    assert [member.address for member in net.health(web.id)] == list(MEMBERS[v6])


def test_an_https_probe_takes_any_certificate(net: Site, tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path / "pki")
    certificate, key = authority.issue("node", "node", addresses=[ip_address("192.0.2.1")])
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    for backend in net.backends:
        backend.listen(TLS_PORT, tls=tls)
    try:
        web = rule(probe=probe(protocol="Https", port=TLS_PORT))
        net.apply(Plan((web,), (OPEN,)))
        must_become(lambda: net.up(web.id) == 3, "all up")
    finally:
        for backend in net.backends:
            backend.refuse(TLS_PORT)


def test_with_all_backends_down_new_flows_are_silent_and_tcp_flows_continue(net: Site) -> None:
    web, datagrams = rule(probe=probe()), rule("udp", protocol="udp", probe=probe())
    net.apply(Plan((web, datagrams), (OPEN,)))
    must_become(lambda: net.up(web.id) == 3, "all up")
    with (
        closing(net.open(PUBLIC[0], PORT, internet())) as tcp,
        closing(net.open(PUBLIC[0], PORT, internet(), udp=True)) as udp,
    ):
        node = tcp.ask().node
        assert udp.ask()
        for backend in net.backends:
            backend.status = 500
        must_become(lambda: net.up(web.id) == 0, "all down")
        assert tcp.ask().node == node
        assert net.silent(PUBLIC[0], PORT, internet())
        with pytest.raises(TimeoutError):
            udp.ask(timeout_s=0.4)


def test_when_a_backend_goes_down_its_tcp_flows_continue_and_its_udp_flows_move(net: Site) -> None:
    web, datagrams = rule(probe=probe()), rule("udp", protocol="udp", probe=probe())
    net.apply(Plan((web, datagrams), (OPEN,)))
    must_become(lambda: net.up(web.id) == 3, "all up")
    with ExitStack() as stack:
        tcp, udp = (
            [stack.enter_context(closing(net.open(PUBLIC[0], PORT, internet(), udp=udp))) for _ in range(20)]
            for udp in (False, True)
        )
        before = [[conversation.ask().node for conversation in held] for held in (tcp, udp)]
        net.backends[1].status = 503
        must_become(lambda: net.up(web.id) == 2, "one down")
        assert [conversation.ask().node for conversation in tcp] == before[0]
        moved = [conversation.ask().node for conversation in udp]
    assert "node-2" in before[0]
    assert "node-2" in before[1]
    assert "node-2" not in moved
    assert all(now == was for was, now in zip(before[1], moved, strict=True) if was != "node-2")


def test_editing_a_probe_or_taking_another_takes_no_backend_out(net: Site) -> None:
    net.apply(Plan((rule(probe=probe()),), (OPEN,)))
    must_become(lambda: net.up(rule().id) == 3, "all up")
    for changed in (probe(threshold=3), probe("other"), probe("other", port=DEAD_PORT, threshold=2)):
        net.apply(Plan((rule(probe=changed),), (OPEN,)))
        assert net.up(rule().id) == 3
    must_become(lambda: net.up(rule().id) == 0, "down by the new probe")


def test_a_backend_that_was_never_up_is_taken_in_soon(net: Site) -> None:
    web = rule(probe=probe(interval_s=5, port=DEAD_PORT))
    net.apply(Plan((web,), (OPEN,)))
    must_become(lambda: {m.reason for m in net.health(web.id)} == {"Down_Probe_HttpEndpointUnreachable"}, "down")
    for backend in net.backends:
        backend.listen(DEAD_PORT)
    try:
        assert must_become(lambda: net.up(web.id) == 3, "all up") < 2.0
    finally:
        for backend in net.backends:
            backend.refuse(DEAD_PORT)


def test_a_security_rule_against_probes_takes_backends_out(net: Site) -> None:
    web = rule(probe=probe())
    net.apply(Plan((web,), (OPEN,)))
    must_become(lambda: net.up(web.id) == 3, "all up")
    net.apply(Plan((web,), (security(400, allow=False, sources=("AzureLoadBalancer",)), OPEN)))
    must_become(lambda: net.up(web.id) == 0, "all down")
    assert {member.reason for member in net.health(web.id)} == {"Down_Probe_TcpProbeTimeout"}


def test_health_is_told_of_rules_with_a_probe_only(net: Site) -> None:
    web = rule(probe=probe())
    net.apply(Plan((web, rule("unprobed", port=OTHER_PORT)), (OPEN,)))
    assert len(net.health(web.id.upper())) == 3
    with pytest.raises(LookupError, match="has no probe"):
        net.health(rule("unprobed").id)
    with pytest.raises(LookupError, match="there is no rule"):
        net.health(rule("none").id)
