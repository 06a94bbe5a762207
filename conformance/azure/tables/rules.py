"""Load-balancing rules, and what can be asked for them."""

from conformance.azure.settings import Setting, tcp, udp
from fixtures.checks.azure_expected import EVERY, NodePort

WEB = {"ports": [tcp(80)]}

EACH_PORT = (
    Setting("one port", spec=WEB),
    Setting("one port, public", spec=WEB, public=True),
    Setting("several ports", spec={"ports": [tcp(80), tcp(443), udp(5353)]}, then=Setting("", spec=WEB)),
    Setting("TCP and UDP on one port", spec={"ports": [tcp(53), udp(53)]}),
)

IDLE_TIMEOUT = (
    Setting(
        "idle timeout 10",
        {"azure-load-balancer-tcp-idle-timeout": "10"},
        {"ports": [tcp(80), udp(53)]},
        {EVERY: {"idle_timeout_in_minutes": 10}},
        then=Setting(
            "",
            {"azure-load-balancer-tcp-idle-timeout": "30"},
            rules={EVERY: {"idle_timeout_in_minutes": 30}},
        ),
    ),
)

TCP_RESET = (
    Setting(
        "no TCP reset",
        {"azure-load-balancer-disable-tcp-reset": "true"},
        rules={"TCP 80": {"enable_tcp_reset": False}},
        then=Setting(""),
    ),
)

FLOATING_IP = (
    Setting(
        "no floating IP",
        {"azure-disable-load-balancer-floating-ip": "true"},
        {"ports": [tcp(80), udp(53)]},
        {EVERY: {"enable_floating_ip": False, "backend_port": NodePort()}},
        then=Setting(""),
    ),
)

AFFINITY = (
    Setting(
        "affinity",
        spec={"sessionAffinity": "ClientIP"},
        rules={"TCP 80": {"load_distribution": "SourceIP"}},
        then=Setting("", spec={"sessionAffinity": "None"}, rules={"TCP 80": {"load_distribution": "Default"}}),
    ),
)

ALL_PORTS = (
    Setting(
        "all ports",
        {"azure-load-balancer-enable-high-availability-ports": "true"},
        {"ports": [tcp(80), tcp(443)]},
        all_ports={},
        then=Setting(""),
    ),
)

LEFT_OUT = (
    Setting("no rule", {"port_443_no_lb_rule": "true"}, {"ports": [tcp(80), tcp(443)]}, {"TCP 443": None}),
    Setting(
        "no probe",
        {"port_443_no_probe_rule": "true"},
        {"ports": [tcp(80), tcp(443)]},
        {"TCP 443": {"probe": None}},
        then=Setting(""),
    ),
)

ALL = (*EACH_PORT, *IDLE_TIMEOUT, *TCP_RESET, *FLOATING_IP, *AFFINITY, *ALL_PORTS, *LEFT_OUT)
