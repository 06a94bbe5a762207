"""Security rules about the addresses of load balancers."""

from collections.abc import Mapping, Sequence

from conformance.azure.settings import Setting, tcp, udp
from fixtures.checks.azure_expected import EVERY, NodePort
from fixtures.checks.azure_holding import Row

NETWORKS = ["192.0.2.0/24", "198.51.100.0/25"]
DENY = {"azure-deny-all-except-load-balancer-source-ranges": "true"}
OTHERS_DENIED: Row = {"access": "Deny", "protocol": "*", "sources": ["*"], "ports": ["*"]}
TAGS, BY_ANNOTATION = "azure-allowed-service-tags", "azure-allowed-ip-ranges"
ONE_MORE = "192.0.2.77"


def allowed(*sources: str, ports: Sequence[object] = ("80",), protocol: str = "Tcp") -> Row:
    """A rule that lets sources in."""
    return {"access": "Allow", "protocol": protocol, "sources": sorted(sources), "ports": list(ports)}


def public(
    name: str, annotations: Mapping[str, str], *security: Row, ranges: Sequence[str] = (), then: Setting | None = None
) -> Setting:
    """A public load balancer with a source filter, and its security rules."""
    spec = {"loadBalancerSourceRanges": list(ranges)}
    return Setting(name, annotations, spec, security=security, public=True, then=then)


OPEN = (
    Setting("open", security=[allowed("Internet")], public=True),
    Setting(
        "open, TCP and UDP",
        spec={"ports": [tcp(80), tcp(443), udp(53)]},
        security=[allowed("Internet", ports=("443", "80")), allowed("Internet", ports=("53",), protocol="Udp")],
        public=True,
        then=Setting("", spec={"ports": [tcp(80)]}, security=[allowed("Internet")], public=True),
    ),
)

INTERNAL = (Setting("internal", security=[], then=Setting("", security=[allowed("Internet")], public=True)),)

RANGES = (
    public("source ranges", {}, allowed(*NETWORKS), ranges=NETWORKS, then=public("", {}, allowed("Internet"))),
    public("allowed ranges", {BY_ANNOTATION: ",".join(NETWORKS)}, allowed(*NETWORKS)),
    Setting("source ranges, internal", spec={"loadBalancerSourceRanges": NETWORKS}, security=[allowed(*NETWORKS)]),
)

SERVICE_TAGS = (
    public("service tags", {TAGS: "AzureCloud,Storage"}, allowed("AzureCloud"), allowed("Storage")),
    public(
        "service tags and ranges",
        {TAGS: "AzureCloud", BY_ANNOTATION: ",".join(NETWORKS)},
        allowed("AzureCloud"),
        allowed(*NETWORKS),
    ),
)

DENIED = (
    public(
        "denied",
        DENY,
        allowed(*NETWORKS),
        OTHERS_DENIED,
        ranges=NETWORKS,
        then=public("", {}, allowed(*NETWORKS), ranges=NETWORKS),
    ),
    public("denied, ranges by annotation", {**DENY, BY_ANNOTATION: NETWORKS[0]}, allowed(NETWORKS[0]), OTHERS_DENIED),
)

ELSEWHERE = (
    Setting(
        "open, no floating IP",
        {"azure-disable-load-balancer-floating-ip": "true"},
        rules={EVERY: {"enable_floating_ip": False, "backend_port": NodePort()}},
        security=[allowed("Internet", ports=[NodePort()])],
        to_nodes=True,
        public=True,
    ),
    Setting(
        "open, one more address",
        {"azure-additional-public-ips": ONE_MORE},
        security=[allowed("Internet")],
        more_addresses=(ONE_MORE,),
        public=True,
    ),
    Setting("no security rule", {"azure-disable-load-balancer-nsg-rule": "true"}, security=[], public=True),
)

ALL = (*OPEN, *INTERNAL, *RANGES, *SERVICE_TAGS, *DENIED, *ELSEWHERE)
