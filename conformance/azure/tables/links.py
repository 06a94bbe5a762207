"""Private link services, and what can be asked for them."""

from conformance.azure.settings import Setting

CREATE = {"azure-pls-create": "true"}
SUBSCRIPTION = "00000000-0000-0000-0000-0000000000b1"
PLAIN = {"addresses": 1, "fqdns": [], "proxy_protocol": False, "visibility": [], "auto_approval": []}
"""What one has that nothing is asked of (cloud-provider-azure docs, Private Link Service Integration)."""

MADE = (
    Setting("private link", CREATE, link=PLAIN),
    Setting(
        "private link with everything",
        {
            **CREATE,
            "azure-pls-name": "service-conformance",
            "azure-pls-ip-configuration-ip-address-count": "2",
            "azure-pls-fqdns": "one.example.com two.example.com",
            "azure-pls-proxy-protocol": "true",
            "azure-pls-visibility": SUBSCRIPTION,
            "azure-pls-auto-approval": SUBSCRIPTION,
        },
        link={
            "name": "service-conformance",
            "addresses": 2,
            "fqdns": ["one.example.com", "two.example.com"],
            "proxy_protocol": True,
            "visibility": [SUBSCRIPTION],
            "auto_approval": [SUBSCRIPTION],
        },
        then=Setting(
            "",
            {**CREATE, "azure-pls-name": "service-conformance", "azure-pls-visibility": "*"},
            link={**PLAIN, "name": "service-conformance", "visibility": ["*"]},
        ),
    ),
)

ALL = MADE
