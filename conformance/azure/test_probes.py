"""Health probes: what is probed when nobody asks, and what can be asked for all ports or for one."""

import pytest

from conformance.azure.asked import Asked
from conformance.azure.settings import ARM, Setting, for_each
from conformance.azure.tables import probes
from fixtures.history import History
from fixtures.requirements import MUST, requirement

pytestmark = pytest.mark.long
AKS_ANNOTATIONS = "AKS docs: Use a public standard load balancer, Additional customizations via Kubernetes annotations"
CUSTOM_PROBES = "cloud-provider-azure docs: Load Balancer, Custom load balancer health probe"


@requirement(
    "azure.local_services_are_probed_by_kube_proxy",
    promise="With externalTrafficPolicy Local the probe is /healthz of the health check node port, also of UDP ports.",
    source="cloud-provider-azure docs: Load Balancer, Health probe; KEP-27; AKS discussion k/k#84800",
    level=MUST,
    features=ARM,
)
@for_each(probes.LOCAL)
def test_local_services_are_probed_by_kube_proxy(asked: Asked, history: History, setting: Setting) -> None:
    """Fault: `settings_forgotten`."""
    asked.must_be_so(setting, history)


@requirement(
    "azure.udp_has_no_probe",
    promise="A UDP port of a Service with externalTrafficPolicy Cluster has a rule without a probe.",
    source="cloud-provider-azure docs: Load Balancer, Health probe; cloud-provider-azure issue 962",
    level=MUST,
    features=ARM,
)
@for_each(probes.UDP)
def test_udp_has_no_probe(asked: Asked, history: History, setting: Setting) -> None:
    """Fault: `arm_alters_writes`."""
    asked.must_be_so(setting, history)


@requirement(
    "azure.probes_can_be_set",
    promise="Protocol, path, interval and threshold of the health probes are those asked for.",
    source=f"{AKS_ANNOTATIONS}: azure-load-balancer-health-probe-*",
    level=MUST,
    features=ARM,
)
@for_each(probes.GLOBAL)
def test_probes_can_be_set(asked: Asked, history: History, setting: Setting) -> None:
    """Fault: `settings_forgotten`."""
    asked.must_be_so(setting, history)


@requirement(
    "azure.the_probe_of_one_port_can_be_set",
    promise="What is asked of the probe of one port holds for it, whatever is asked of all.",
    source=f"{CUSTOM_PROBES}: port_{{port}}_health-probe_*",
    level=MUST,
    features=ARM,
)
@for_each(probes.OF_ONE_PORT)
def test_the_probe_of_one_port_can_be_set(asked: Asked, history: History, setting: Setting) -> None:
    """Fault: `settings_forgotten`."""
    asked.must_be_so(setting, history)


@requirement(
    "azure.probes_follow_app_protocol",
    promise="The appProtocol of a port decides its probe, http and https by path, but for what is asked of the port.",
    source=f"{CUSTOM_PROBES}; AKS issues 2903, 3210, 3503",
    level=MUST,
    features=ARM,
)
@for_each(probes.APP_PROTOCOL)
def test_probes_follow_app_protocol(asked: Asked, history: History, setting: Setting) -> None:
    """Fault: `arm_alters_writes`."""
    asked.must_be_so(setting, history)
