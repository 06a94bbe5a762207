"""Public IP addresses, and what can be asked for them; both families."""

import secrets

from conformance.azure.settings import Setting, tcp, udp

LABEL, TAGS = "azure-dns-label-name", "azure-pip-tags"
DNS_LABEL = f"service-conformance-{secrets.token_hex(4)}"
"""Must be of nobody else's in the region."""
BOTH = {"ipFamilyPolicy": "RequireDualStack", "ports": [tcp(80), udp(53)]}

NAMED = (
    Setting(
        "DNS label",
        {LABEL: DNS_LABEL},
        public_ip={"label": DNS_LABEL},
        public=True,
        then=Setting("", {LABEL: ""}, public_ip={"label": ""}, public=True),
    ),
)

TAGGED = (
    Setting(
        "tags",
        {TAGS: "team=web,stage=test"},
        public_ip={"tags": {"team": "web", "stage": "test"}},
        public=True,
        then=Setting(
            "", {TAGS: "team=shop,stage=test"}, public_ip={"tags": {"team": "shop", "stage": "test"}}, public=True
        ),
    ),
)

DUAL_STACK = (Setting("dual-stack, internal", spec=BOTH), Setting("dual-stack, public", spec=BOTH, public=True))

ALL = (*NAMED, *TAGGED, *DUAL_STACK)
