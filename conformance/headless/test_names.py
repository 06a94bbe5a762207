"""The names of headless Services, and who answers there."""

from __future__ import annotations

import pytest

from conformance.directory import RECORD_LIVES_S, RECORDS, Asked
from fixtures.checks.holding import must_hold
from fixtures.checks.names import resolves_to, srv_lead_to
from fixtures.checks.reachability import reachability
from fixtures.checks.values import equal
from fixtures.clusters import IPFamily
from fixtures.prober.plan import Target
from fixtures.requirements import MUST, requirement
from fixtures.workloads.services import family_of

pytestmark = pytest.mark.scenario("names")


@requirement(
    "headless.the_name_gives_all_ready_pods",
    promise="The name of a headless Service resolves to the addresses of all its ready pods, and it has no cluster IP.",
    source="kubernetes.io: Service, Headless Services; DNS-Based Service Discovery, 2.4.1",
    level=MUST,
)
def test_the_name_gives_all_ready_pods(asked: Asked, family: IPFamily) -> None:
    """Fault: `names_elsewhere`."""
    headless = asked.directory.made["headless"]
    batches = asked.ask(headless.dns_name, RECORDS[family])
    no_ip = equal("clusterIP", "None", headless.body["spec"]["clusterIP"])
    must_hold(asked.history, resolves_to(batches, asked.directory.ips(family)), no_ip)


@requirement(
    "headless.unready_pods_are_left_out",
    promise="A pod that is not ready has no part in the name of a headless Service, unless that publishes such pods.",
    source="kubernetes.io: DNS for Services and Pods; Service v1, publishNotReadyAddresses; KEP-1672",
    level=MUST,
)
@pytest.mark.parametrize("name", ["mixed headless", "all headless"], ids=["left out", "published"])
def test_unready_pods(asked: Asked, family: IPFamily, name: str) -> None:
    """Fault: `slices_damaged`, an admission policy by which EndpointSlices say wrong things."""
    pods = asked.directory.mixed[:1] if name == "mixed headless" else asked.directory.mixed
    batches = asked.ask(asked.directory.made[name].dns_name, RECORDS[family])
    must_hold(asked.history, resolves_to(batches, asked.directory.ips(family, pods)))


@requirement(
    "headless.srv_records_lead_to_the_pods",
    promise="A named port of a headless Service has an SRV record for each pod, with its port and its own name.",
    source="kubernetes.io: DNS for Services and Pods, SRV records; DNS-Based Service Discovery, 2.4.2",
    level=MUST,
)
@pytest.mark.parametrize(("port", "number"), [("_web._tcp", 80), ("_web-alt._tcp", 8080), ("_web-udp._udp", 80)])
def test_srv_records_lead_to_the_pods(asked: Asked, port: str, number: int) -> None:
    """Fault: `records_damaged`."""
    governing = asked.directory.made["all headless"]
    batches = asked.ask(f"{port}.{governing.dns_name}", "SRV")
    hosts = [f"{pod.name}.{asked.full_name(governing)}" for pod in asked.directory.mixed]
    must_hold(asked.history, srv_lead_to(batches, number, hosts))


@requirement(
    "headless.stateful_pods_have_names",
    promise="Each pod of a StatefulSet has a name below its governing Service, and answers there on its own port.",
    source="kubernetes.io: StatefulSets, Stable Network ID",
    level=MUST,
)
@pytest.mark.parametrize("number", [0, 1])
def test_stateful_pods_have_names(asked: Asked, family: IPFamily, number: int) -> None:
    """Fault: `names_elsewhere`."""
    pod, governing = asked.directory.mixed[number], asked.directory.made["all headless"]
    name = f"{pod.name}.{governing.dns_name}"
    own = [ip for ip in pod.ips if family_of(ip) is family]
    must_hold(asked.history, resolves_to(asked.ask(name, RECORDS[family]), own))
    target = Target(name=f"http {name} {family}", address=name, port=8080, protocol="http", family=family)
    batches = asked.connect([target], 1)
    must_hold(asked.history, reachability(batches, pods=[pod.name], token=asked.directory.mixed_token, pod_port=8080))


@requirement(
    "headless.the_name_follows_its_pods",
    promise="When a pod leaves a headless Service, its address leaves the name within the lifetime of the record.",
    source="kubernetes.io: Service, Headless Services; DNS-Based Service Discovery, 2.4.1",
    level=MUST,
)
def test_the_name_follows_its_pods(asked: Asked, family: IPFamily) -> None:
    """Fault: `names_elsewhere`."""
    batches = asked.ask(asked.directory.made["left"].dns_name, RECORDS[family], old_for_s=RECORD_LIVES_S)
    must_hold(asked.history, resolves_to(batches, asked.directory.ips(family, asked.directory.remaining)))
