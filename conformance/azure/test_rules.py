"""Load-balancing rules: one for each port, and what can be asked for them."""

import pytest

from conformance.azure.asked import Asked
from conformance.azure.settings import ARM, Setting, for_each
from conformance.azure.tables import rules
from fixtures.history import History
from fixtures.requirements import MUST, requirement

pytestmark = pytest.mark.long
AKS_ANNOTATIONS = "AKS docs: Use a public standard load balancer, Additional customizations via Kubernetes annotations"


@requirement(
    "azure.a_rule_for_each_port",
    promise="Load-balancing rules are created on the desired ports: one for each port and protocol, and no other.",
    source="seed: Kubernetes services, LoadBalancer; AKS docs: Services in AKS, LoadBalancer",
    level=MUST,
    features=ARM,
)
@for_each(rules.EACH_PORT)
def test_a_rule_for_each_port(asked: Asked, history: History, setting: Setting) -> None:
    """Fault: `arm_alters_writes`, ARM stores other times and sources than are written."""
    asked.must_be_so(setting, history)


@requirement(
    "azure.the_idle_timeout_is_set",
    promise="The idle timeout of connections through the load balancer is the one asked for, in minutes.",
    source=f"{AKS_ANNOTATIONS}: azure-load-balancer-tcp-idle-timeout",
    level=MUST,
    features=ARM,
)
@for_each(rules.IDLE_TIMEOUT)
def test_the_idle_timeout_is_set(asked: Asked, history: History, setting: Setting) -> None:
    """Fault: `settings_forgotten`, annotations and what is asked for in the spec are lost when a Service is created."""
    asked.must_be_so(setting, history)


@requirement(
    "azure.tcp_reset_can_be_turned_off",
    promise="The load balancer resets idle TCP connections unless it is asked not to.",
    source=f"{AKS_ANNOTATIONS}: azure-load-balancer-disable-tcp-reset",
    level=MUST,
    features=ARM,
)
@for_each(rules.TCP_RESET)
def test_tcp_reset_can_be_turned_off(asked: Asked, history: History, setting: Setting) -> None:
    """Fault: `settings_forgotten`."""
    asked.must_be_so(setting, history)


@requirement(
    "azure.floating_ip_can_be_turned_off",
    promise="Without floating IP the rule leads to the node ports of the nodes.",
    source="cloud-provider-azure docs: Load Balancer, azure-disable-load-balancer-floating-ip",
    level=MUST,
    features=ARM,
)
@for_each(rules.FLOATING_IP)
def test_floating_ip_can_be_turned_off(asked: Asked, history: History, setting: Setting) -> None:
    """Fault: `settings_forgotten`."""
    asked.must_be_so(setting, history)


@requirement(
    "azure.session_affinity_is_source_ip",
    promise="A Service with session affinity ClientIP is balanced by the client's address, others by the whole flow.",
    source="cloud-provider-azure docs: Load Balancer, Load balancer distribution mode; AKS issue 682",
    level=MUST,
    features=ARM,
)
@for_each(rules.AFFINITY)
def test_session_affinity_is_source_ip(asked: Asked, history: History, setting: Setting) -> None:
    """Fault: `settings_forgotten`."""
    asked.must_be_so(setting, history)


@requirement(
    "azure.high_availability_ports",
    promise="With high availability ports an internal load balancer has one rule for all ports and protocols.",
    source="cloud-provider-azure docs: Load Balancer, azure-load-balancer-enable-high-availability-ports",
    level=MUST,
    features=ARM,
)
@for_each(rules.ALL_PORTS)
def test_high_availability_ports(asked: Asked, history: History, setting: Setting) -> None:
    """Fault: `settings_forgotten`."""
    asked.must_be_so(setting, history)


@requirement(
    "azure.a_port_may_have_no_rule",
    promise="A port can be left out of the load balancer, or its rule be left without a probe.",
    source=f"{AKS_ANNOTATIONS}: port_{{port}}_no_lb_rule, port_{{port}}_no_probe_rule",
    level=MUST,
    features=ARM,
)
@for_each(rules.LEFT_OUT)
def test_a_port_may_have_no_rule(asked: Asked, history: History, setting: Setting) -> None:
    """Fault: `settings_forgotten`."""
    asked.must_be_so(setting, history)
