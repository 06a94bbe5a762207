"""Security rules: who may reach the address of a load balancer."""

import pytest

from conformance.azure.asked import Asked
from conformance.azure.settings import ARM, Setting, for_each
from conformance.azure.tables import security
from fixtures.history import History
from fixtures.requirements import MUST, requirement

pytestmark = pytest.mark.long
ANNOTATIONS = "cloud-provider-azure docs: Load Balancer, annotations"
RESTRICT = "AKS docs: Use a public standard load balancer, Restrict inbound traffic to specific IP ranges"


@requirement(
    "azure.a_public_load_balancer_is_open_to_the_internet",
    promise="A security rule lets the Internet reach the address of a public load balancer, on its ports alone.",
    source="AKS docs: Use a public standard load balancer; cloud-provider-azure e2e: network_security_group.go",
    level=MUST,
    features=ARM,
)
@for_each(security.OPEN)
def test_a_public_load_balancer_is_open_to_the_internet(asked: Asked, history: History, setting: Setting) -> None:
    """Fault: `arm_alters_writes`."""
    asked.must_be_so(setting, history)


@requirement(
    "azure.an_internal_load_balancer_needs_no_security_rule",
    promise="No security rule lets the Internet reach an internal load balancer.",
    source="cloud-provider-azure issue 698; e2e: network_security_group.go, internal Service",
    level=MUST,
    features=ARM,
)
@for_each(security.INTERNAL)
def test_an_internal_load_balancer_needs_no_security_rule(asked: Asked, history: History, setting: Setting) -> None:
    """Fault: `settings_forgotten`."""
    asked.must_be_so(setting, history)


@requirement(
    "azure.source_ranges_are_the_only_ones_let_in",
    promise="With source ranges the security rules let these in and nobody else, by field or by annotation.",
    source=f"{RESTRICT}; {ANNOTATIONS}: azure-allowed-ip-ranges; AKS issues 1696, 1813",
    level=MUST,
    features=ARM,
)
@for_each(security.RANGES)
def test_source_ranges_are_the_only_ones_let_in(asked: Asked, history: History, setting: Setting) -> None:
    """Fault: `settings_forgotten`."""
    asked.must_be_so(setting, history)


@requirement(
    "azure.service_tags_are_let_in",
    promise="With allowed service tags the security rules let these in, together with allowed ranges, and nobody else.",
    source=f"{RESTRICT}; {ANNOTATIONS}: azure-allowed-service-tags",
    level=MUST,
    features=ARM,
)
@for_each(security.SERVICE_TAGS)
def test_service_tags_are_let_in(asked: Asked, history: History, setting: Setting) -> None:
    """Fault: `settings_forgotten`."""
    asked.must_be_so(setting, history)


@requirement(
    "azure.all_others_can_be_denied",
    promise="On request everybody beside the source ranges is denied, the virtual network included.",
    source=f"{ANNOTATIONS}: azure-deny-all-except-load-balancer-source-ranges; issue 374",
    level=MUST,
    features=ARM,
)
@for_each(security.DENIED)
def test_all_others_can_be_denied(asked: Asked, history: History, setting: Setting) -> None:
    """Fault: `settings_forgotten`."""
    asked.must_be_so(setting, history)


@requirement(
    "azure.security_rules_follow_the_way_of_the_traffic",
    promise="Security rules are about the nodes where there is no floating IP, about further addresses where these are "
    "named, and not there where nobody wants them.",
    source=f"{ANNOTATIONS}: azure-disable-load-balancer-floating-ip, azure-additional-public-ips; code #10508",
    level=MUST,
    features=ARM,
)
@for_each(security.ELSEWHERE)
def test_security_rules_follow_the_way_of_the_traffic(asked: Asked, history: History, setting: Setting) -> None:
    """Fault: `settings_forgotten`."""
    asked.must_be_so(setting, history)
