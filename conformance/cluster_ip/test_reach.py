"""What goes through a ClusterIP: to oneself, in large pieces, with the sender's address, by externalIPs."""

import secrets

import pytest

from conformance.judge import Answers, Judge, settle
from conformance.shared_web import SharedWeb
from fixtures.api import PODS, Api
from fixtures.checks.clients import client_address_kept
from fixtures.checks.holding import must_hold
from fixtures.clusters import IPFamily
from fixtures.prober.plan import Protocol, Target
from fixtures.prober.vantages import PodVantage
from fixtures.requirements import MUST, SHOULD, requirement
from fixtures.workloads.services import Service
from fixtures.workloads.vantages import TalkingPod, start_talking_pod

PROTOCOLS: tuple[Protocol, ...] = ("http", "udp")
NODES = 2
"""Whose node ports are called: at least one is of a node that the pod is not on."""
PADDING_BYTES: dict[Protocol, int] = {"http": 8000, "tcp": 8000, "udp": 2000}
"""More than one packet of Ethernet's 1,500 bytes; a datagram becomes fragments."""
ALONE_SEEN = 3
"""Of so many pods each would be seen in the connections that are judged."""
CONNECTIONS = 30


@requirement(
    "cluster_ip.a_pod_reaches_itself",
    promise="A pod that calls the Service whose only pod it is reaches itself, over TCP and over UDP.",
    source="Kubernetes, kubelet --hairpin-mode; test/e2e/network/service.go: hairpin back to themselves",
    level=MUST,
)
def test_a_pod_reaches_itself(judge: Judge, talking_pod: TalkingPod) -> None:
    """Fault: `crossings_lost`, the nodes lose what comes back to a pod that called itself."""
    service = judge.services.create("cluster-ip", selector=talking_pod.labels)
    targets = [service.by_address(protocol, 80, family) for protocol in PROTOCOLS for family in service.cluster_ips]
    settle(judge.probing, [(talking_pod.vantage, targets)])
    answers = [Answers(talking_pod.vantage, targets, {talking_pod.name})]
    judge.must_be_answered(answers, token=talking_pod.token, of=ALONE_SEEN)
    judge.services.delete(service)


@requirement(
    "cluster_ip.a_pod_behind_it_reaches_all",
    promise="A pod that calls a Service which it is behind, with others, reaches each of them and itself, by ClusterIP "
    "and by node port.",
    source="test/e2e/network/networking.go, dual_stack.go: should function for endpoint-Service",
    level=MUST,
    features=("node_ports",),
)
def test_a_pod_behind_it_reaches_all(judge: Judge, api: Api, shared_web: SharedWeb) -> None:
    """Fault: `crossings_lost`."""
    web, members = shared_web.web, {"member-of": f"calling-{secrets.token_hex(4)}"}
    caller = start_talking_pod(api, judge.cluster, web.namespace, says=web.token, more_labels=members)
    web.label_pods(shared_web.pods, **members)
    service = judge.services.create("cluster-ip", type="NodePort", selector=members)
    targets = [service.by_address(protocol, 80, family) for protocol in PROTOCOLS for family in service.cluster_ips]
    for family in service.cluster_ips:
        # Not by UDP: where pods' calls to nodes are masqueraded, kube-proxy may forget a flow in passing.
        targets += service.on_nodes(judge.cluster, "http", family)[:NODES]
    everyone = {caller.name, *(pod.name for pod in shared_web.pods)}
    settle(judge.probing, [(caller.vantage, targets)], everyone)
    judge.must_be_answered([Answers(caller.vantage, targets, everyone)], token=web.token, of=len(everyone))
    judge.services.delete(service)
    web.label_pods(shared_web.pods, **dict.fromkeys(members))
    api.delete(PODS, caller.name, web.namespace)


@requirement(
    "cluster_ip.large_messages_pass",
    promise="Requests and answers that are larger than a packet come through a Service whole, datagrams too.",
    source="test/e2e/network/networking.go: should be able to handle large requests",
    level=MUST,
)
@pytest.mark.parametrize("protocol", PADDING_BYTES)
def test_large_messages_pass(
    judge: Judge,
    shared_web: SharedWeb,
    cluster_ip_service: Service,
    pod_vantages: tuple[PodVantage, ...],
    protocol: Protocol,
) -> None:
    """Fault: `crossings_lost`, the nodes lose large packets to and from Services."""
    small = [cluster_ip_service.by_address(protocol, 80, family) for family in cluster_ip_service.cluster_ips]
    padding = {"padding_bytes": PADDING_BYTES[protocol]}
    targets = [target.model_copy(update=padding | {"name": f"{target.name} large"}) for target in small]
    answers = [Answers(vantage, targets, {pod.name for pod in shared_web.pods}) for vantage in pod_vantages]
    converged_at, of = shared_web.must_be_behind(cluster_ip_service), len(shared_web.pods)
    judge.must_be_answered(answers, token=shared_web.web.token, of=of, converged_at=converged_at)


@requirement(
    "cluster_ip.pods_see_who_calls",
    promise="The pods behind a ClusterIP see the address of the pod that calls them, on whatever node it is.",
    source="kubernetes.io: Using Source IP, Source IP for Services with Type=ClusterIP; test/e2e/network/service.go",
    level=MUST,
)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_pods_see_who_calls(
    judge: Judge,
    shared_web: SharedWeb,
    cluster_ip_service: Service,
    pod_vantages: tuple[PodVantage, ...],
    protocol: Protocol,
) -> None:
    """Fault: `crossings_lost`, the nodes put their own address in place of a pod's."""
    converged_at = shared_web.must_be_behind(cluster_ip_service)
    nodes = {str(address) for node in judge.cluster.nodes for address in node.addresses}
    for family in cluster_ip_service.cluster_ips:
        target = cluster_ip_service.by_address(protocol, 80, family)
        batches = judge.probing.run([target], pod_vantages, count=CONNECTIONS, converged_at=converged_at)
        must_hold(judge.history, client_address_kept(batches, nodes=nodes))


def documentation_address(family: IPFamily) -> str:
    """An address that is nobody's (RFC 5737, RFC 9637), drawn so that two runs do not meet.

    Of the network for documents that the built-in cluster has no use for: load balancers have another.
    """
    drawn = secrets.randbelow(240) + 10
    return f"192.0.2.{drawn}" if family is IPFamily.IPV4 else f"3fff::{drawn:x}"


@requirement(
    "cluster_ip.external_ips_lead_to_the_pods",
    promise="Traffic that comes to a node for one of a Service's externalIPs reaches the pods of the Service.",
    source="kubernetes.io: Service, External IPs; test/e2e/network/service.go: connect to a service via ExternalIP",
    level=SHOULD,
)
def test_external_ips_lead_to_the_pods(
    judge: Judge, shared_web: SharedWeb, pod_vantages: tuple[PodVantage, ...]
) -> None:
    """Fault: `settings_ignored`, an admission policy by which new Services have no externalIPs."""
    addresses = {family: documentation_address(family) for family in judge.cluster.families}
    selector = shared_web.web.labels
    service = judge.services.must_create("cluster-ip", selector=selector, externalIPs=list(addresses.values()))
    shared_web.must_be_behind(service)
    targets = [
        Target(name=f"http externalIP {address}", address=address, port=80, protocol="http", family=family)
        for family, address in addresses.items()
    ]
    pods = {pod.name for pod in shared_web.pods}
    settle(judge.probing, [(vantage, targets) for vantage in pod_vantages], pods)
    answers = [Answers(vantage, targets, pods) for vantage in pod_vantages]
    judge.must_be_answered(answers, token=shared_web.web.token, of=len(shared_web.pods))
    judge.services.delete(service)
