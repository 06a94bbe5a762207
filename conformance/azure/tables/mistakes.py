"""What cannot be had of Azure: how it is asked for, and which words must name the cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.azure.settings import INTERNAL, PREFIX, tcp

OFF = {"azure-disable-load-balancer-floating-ip": "true"}
LOCAL = {"externalTrafficPolicy": "Local"}
NO_NODE_PORTS = {"allocateLoadBalancerNodePorts": False}
PROBE = "azure-load-balancer-health-probe-"


@dataclass(frozen=True)
class Mistake:
    """A Service that cannot have its load balancer.

    Attributes:
        name: for people.
        words: what the warning must say.
        annotations: without PREFIX; an internal load balancer unless `public`.
        spec: fields of the Service's spec.
        cured: fields of the spec that make it good; annotations are taken away.
    """

    name: str
    words: tuple[str, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)
    cured: Mapping[str, Any] = field(default_factory=dict)
    public: bool = False

    @property
    def asked(self) -> dict[str, str]:
        """The annotations with their prefix."""
        return {f"{PREFIX}{name}": value for name, value in {**self.kept, **self.annotations}.items()}

    @property
    def kept(self) -> dict[str, str]:
        """Annotations, without PREFIX, that are no mistake."""
        return {} if self.public else INTERNAL


MISTAKES = (
    Mistake("public IP name", ("azure-pip-name", "not-there"), {"azure-pip-name": "not-there"}, public=True),
    Mistake(
        "public IP of nobody",
        ("203.0.113.250", "cannot find public IP"),
        {"azure-load-balancer-ipv4": "203.0.113.250"},
        public=True,
    ),
    Mistake(
        "private address of a public one",
        ("cannot use non-public LoadBalancer IP", "10.11.12.13"),
        {"azure-load-balancer-ipv4": "10.11.12.13"},
        public=True,
    ),
    Mistake(
        "subnet",
        ("failed to get subnet", "not-there"),
        {"azure-load-balancer-internal-subnet": "not-there"},
    ),
    Mistake(
        "probe port",
        ("port_80_health-probe_port", "port 65536 is out of range"),
        {"port_80_health-probe_port": "65536"},
    ),
    Mistake(
        "probe port by name",
        ("port_80_health-probe_port", "port nothing not found in service"),
        {"port_80_health-probe_port": "nothing"},
    ),
    Mistake("probe interval", (f"{PROBE}interval", "minimum"), {f"{PROBE}interval": "4"}),
    Mistake("probe threshold", (f"{PROBE}num-of-probe", "minimum"), {f"{PROBE}num-of-probe": "1"}),
    Mistake(
        "probe times together",
        ("total probe should be less than 120",),
        {f"{PROBE}interval": "60", f"{PROBE}num-of-probe": "2"},
    ),
    Mistake(
        "idle timeout",
        ("azure-load-balancer-tcp-idle-timeout", "between 4 and 100, actual value: 3"),
        {"azure-load-balancer-tcp-idle-timeout": "3"},
    ),
    Mistake(
        "ranges twice",
        ("cannot set both", "azure-allowed-ip-ranges"),
        {"azure-allowed-ip-ranges": "192.0.2.0/24"},
        {"loadBalancerSourceRanges": ["198.51.100.0/24"]},
    ),
    Mistake(
        "public private link",
        ("private link service must be internal or disable floating ip",),
        {"azure-pls-create": "true"},
        public=True,
    ),
    Mistake(
        "private link addresses",
        ("maximum number of private link service ipConfig is 8, 9 provided",),
        {"azure-pls-create": "true", "azure-pls-ip-configuration-ip-address-count": "9"},
    ),
    Mistake(
        "SCTP",
        ("SCTP is only supported on standard loadbalancer in internal mode",),
        spec={"ports": [{"name": "sctp", "port": 80, "protocol": "SCTP"}]},
        cured={"ports": [tcp(80)]},
        public=True,
    ),
)

WITHOUT_NODE_PORTS = (
    Mistake(
        "Cluster, floating IP",
        ("probe",),
        spec=NO_NODE_PORTS,
        cured={"allocateLoadBalancerNodePorts": True, "ports": [tcp(80)]},
    ),
    Mistake(
        "Cluster, no floating IP",
        ("port",),
        OFF,
        NO_NODE_PORTS,
        cured={"allocateLoadBalancerNodePorts": True, "ports": [tcp(80)]},
    ),
    Mistake(
        "Local, no floating IP",
        ("port",),
        OFF,
        {**NO_NODE_PORTS, **LOCAL},
        cured={"allocateLoadBalancerNodePorts": True, "ports": [tcp(80)]},
    ),
)

RULES_OF_AN_INTERFACE = 300
"""Load-balancing rules of all load balancers together that one network interface, and so a node, may have (Azure
subscription limits: Load Balancer)."""
TOO_MANY_RULES = Mistake(
    "rules of a network interface",
    (f" {RULES_OF_AN_INTERFACE} ",),
    # Without node ports, of which it would take a tenth of what there are.
    spec={**NO_NODE_PORTS, **LOCAL, "ports": [tcp(port) for port in range(1, RULES_OF_AN_INTERFACE + 2)]},
    cured={"ports": [tcp(80)]},
)
