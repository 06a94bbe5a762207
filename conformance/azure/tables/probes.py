"""Health probes, and what can be asked for them."""

from conformance.azure.settings import Setting, tcp, udp
from fixtures.checks.azure_expected import NodePort

PROBE = "azure-load-balancer-health-probe-"
IS_LOCAL = {"externalTrafficPolicy": "Local"}
APP_PROTOCOLS = {"http": "Http", "https": "Https", "tcp": "Tcp", "kubernetes.io/ws": "Tcp"}
"""What is probed for the appProtocol of a port; what Azure does not know is probed by TCP."""

LOCAL = (
    Setting(
        "Local",
        spec={**IS_LOCAL, "ports": [tcp(80), tcp(443)]},
        then=Setting("", spec={"externalTrafficPolicy": "Cluster"}),
    ),
    Setting("Local with UDP", spec={**IS_LOCAL, "ports": [udp(53)]}),
    Setting("Local with TCP and UDP", spec={**IS_LOCAL, "ports": [tcp(53), udp(53)]}),
)

UDP = (
    Setting("UDP alone", spec={"ports": [udp(53)]}, rules={"UDP 53": {"probe": None}}),
    Setting("UDP beside TCP", spec={"ports": [tcp(80), udp(53)]}, rules={"UDP 53": {"probe": None}}),
)

GLOBAL = (
    Setting(
        "probe by HTTP",
        {f"{PROBE}protocol": "http"},
        {"ports": [tcp(80), tcp(443)]},
        {f"TCP {port}": {"probe": {"protocol": "Http", "request_path": "/"}} for port in (80, 443)},
        then=Setting("", {f"{PROBE}protocol": "tcp"}),
    ),
    Setting(
        "probe path",
        {f"{PROBE}protocol": "https", f"{PROBE}request-path": "/ready"},
        rules={"TCP 80": {"probe": {"protocol": "Https", "request_path": "/ready"}}},
        then=Setting(
            "",
            {f"{PROBE}protocol": "https", f"{PROBE}request-path": "/alive"},
            rules={"TCP 80": {"probe": {"protocol": "Https", "request_path": "/alive"}}},
        ),
    ),
    Setting(
        "probe times",
        {f"{PROBE}interval": "10", f"{PROBE}num-of-probe": "4"},
        rules={"TCP 80": {"probe": {"interval_in_seconds": 10, "probe_threshold": 4}}},
        then=Setting(
            "",
            {f"{PROBE}interval": "6", f"{PROBE}num-of-probe": "3"},
            rules={"TCP 80": {"probe": {"interval_in_seconds": 6, "probe_threshold": 3}}},
        ),
    ),
    Setting(
        "probe times of a Local Service",
        {f"{PROBE}interval": "15", f"{PROBE}num-of-probe": "5"},
        IS_LOCAL,
        {"TCP 80": {"probe": {"interval_in_seconds": 15, "probe_threshold": 5}}},
        then=Setting("", spec=IS_LOCAL),
    ),
)

OF_ONE_PORT = (
    Setting(
        "probe of one port",
        {
            f"{PROBE}protocol": "http",
            f"{PROBE}interval": "10",
            "port_443_health-probe_protocol": "https",
            "port_443_health-probe_request-path": "/own",
            "port_443_health-probe_interval": "20",
            "port_443_health-probe_num-of-probe": "3",
        },
        {"ports": [tcp(80), tcp(443)]},
        {
            "TCP 80": {"probe": {"protocol": "Http", "request_path": "/", "interval_in_seconds": 10}},
            "TCP 443": {
                "probe": {
                    "protocol": "Https",
                    "request_path": "/own",
                    "interval_in_seconds": 20,
                    "probe_threshold": 3,
                }
            },
        },
        then=Setting(
            "", {"port_443_health-probe_interval": "7"}, rules={"TCP 443": {"probe": {"interval_in_seconds": 7}}}
        ),
    ),
    Setting(
        "probe port by number",
        {"port_443_health-probe_port": "80"},
        {"ports": [tcp(80), tcp(443)]},
        {"TCP 443": {"probe": {"port": NodePort(80)}}},
    ),
    Setting(
        "probe port by name",
        {"port_443_health-probe_port": "tcp-80"},
        {"ports": [tcp(80), tcp(443)]},
        {"TCP 443": {"probe": {"port": NodePort(80)}}},
        then=Setting(""),
    ),
    Setting(
        "probe port that is none of the Service's",
        {"port_443_health-probe_port": "10256"},
        {"ports": [tcp(80), tcp(443)]},
        {"TCP 443": {"probe": {"port": 10256}}},
    ),
)

APP_PROTOCOL = (
    *(
        Setting(
            f"appProtocol {name}",
            spec={"ports": [tcp(80, appProtocol=name)]},
            rules={"TCP 80": {"probe": {"protocol": protocol, "request_path": None if protocol == "Tcp" else "/"}}},
        )
        for name, protocol in APP_PROTOCOLS.items()
    ),
    Setting(
        "appProtocol http with a path",
        {f"{PROBE}request-path": "/healthz"},
        {"ports": [tcp(80, appProtocol="http")]},
        {"TCP 80": {"probe": {"protocol": "Http", "request_path": "/healthz"}}},
        then=Setting(
            "",
            {"port_80_health-probe_request-path": "/own"},
            rules={"TCP 80": {"probe": {"protocol": "Http", "request_path": "/own"}}},
        ),
    ),
    Setting(
        "appProtocol http, probed by TCP",
        {"port_80_health-probe_protocol": "tcp"},
        {"ports": [tcp(80, appProtocol="http")]},
        {"TCP 80": {"probe": {"protocol": "Tcp", "request_path": None}}},
    ),
)

ALL = (*LOCAL, *UDP, *GLOBAL, *OF_ONE_PORT, *APP_PROTOCOL)
