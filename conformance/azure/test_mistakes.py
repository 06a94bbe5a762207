"""What Azure cannot give is said by an event that names the cause, and can be put right."""

import pytest

from conformance.azure.settings import ARM, PREFIX
from conformance.azure.tables.mistakes import MISTAKES, TOO_MANY_RULES, WITHOUT_NODE_PORTS, Mistake
from fixtures.azure.reading import Reading
from fixtures.checks.azure_events import names_the_cause
from fixtures.checks.holding import must_hold
from fixtures.checks.values import equal
from fixtures.history import History
from fixtures.requirements import MUST, requirement
from fixtures.workloads.balanced import Balanced


def must_be_named_and_cured(balanced: Balanced, history: History, mistake: Mistake) -> None:
    """A warning names the cause and the Service has no address; put right, it has one. Raises BrokenPromise."""
    service = balanced.create(mistake.asked, mistake.spec)
    decision = balanced.wait_until_decided(service)
    now = balanced.read(service)
    must_hold(
        history,
        names_the_cause(*decision, mistake.words),
        equal("external IPs", [], list(now.external_ips.values())),
    )
    gone = {f"{PREFIX}{name}": None for name in mistake.annotations}
    balanced.change(service, gone, mistake.cured)
    balanced.delete(balanced.must_be_ensured(service))


@requirement(
    "azure.an_error_names_its_cause",
    promise="What Azure cannot give is said by a warning that names the cause; put right, the Service has its address.",
    source="AKS docs: Use a static IP, Troubleshooting; AKS issues 253, 422, 498; e2e: service_annotations.go",
    level=MUST,
    features=ARM,
)
@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_an_error_names_its_cause(balanced: Balanced, history: History, mistake: Mistake) -> None:
    """Fault: `settings_forgotten`."""
    must_be_named_and_cured(balanced, history, mistake)


@requirement(
    "azure.a_taken_address_is_named",
    promise="An internal load balancer that asks for an address which is taken gets a warning that names it, and hangs "
    "not.",
    source="AKS issues 221, 4048; cloud-provider-azure e2e: PrivateIPAddressIsAllocated",
    level=MUST,
    features=ARM,
)
def test_a_taken_address_is_named(balanced: Balanced, reading: Reading, history: History) -> None:
    """Fault: `settings_forgotten`."""
    taken = reading.node_addresses()[0]
    annotations = {"azure-load-balancer-ipv4": taken}
    must_be_named_and_cured(balanced, history, Mistake("taken address", (taken,), annotations))


@requirement(
    "azure.a_port_is_given_once",
    promise="A second Service that asks for the same port of a shared address gets a warning that names the port.",
    source="cloud-provider-azure docs: Load Balancer, Sharing; AKS issue 754",
    level=MUST,
    features=ARM,
)
def test_a_port_is_given_once(balanced: Balanced, history: History) -> None:
    """Fault: `settings_forgotten`."""
    first = balanced.must_be_ensured(balanced.create(Mistake("", ()).asked, {}))
    (address,) = first.external_ips.values()
    annotations = {"azure-load-balancer-ipv4": address}
    must_be_named_and_cured(balanced, history, Mistake("port twice", ("port 80", first.uid[:8]), annotations))
    balanced.delete(first)


@requirement(
    "azure.without_node_ports_a_way_is_needed",
    promise="A load balancer that needs node ports and has none is refused by a warning that names them.",
    source="cloud-provider-azure docs: Load Balancer, allocateLoadBalancerNodePorts; AKS issues 3165, 3453",
    level=MUST,
    features=ARM,
)
@pytest.mark.parametrize("mistake", WITHOUT_NODE_PORTS, ids=lambda mistake: mistake.name)
def test_without_node_ports_a_way_is_needed(balanced: Balanced, history: History, mistake: Mistake) -> None:
    """Fault: `settings_forgotten`."""
    must_be_named_and_cured(balanced, history, mistake)


@requirement(
    "azure.too_many_rules_are_named",
    promise="A Service that asks for more rules than a node's network interface may have gets a warning that names the "
    "limit; with fewer it has its address.",
    source="Azure subscription limits: Load Balancer, rules per network interface; AKS issue 3186, azure-docs issue "
    "47423, acs-engine issue 916",
    level=MUST,
    features=ARM,
)
def test_too_many_rules_are_named(balanced: Balanced, history: History) -> None:
    """Fault: `settings_forgotten`."""
    # With it the nodes are in the backend pool: the load balancer is refused as a whole, and nobody else's has to wait.
    first = balanced.must_be_ensured(balanced.create(Mistake("", ()).asked, {}))
    must_be_named_and_cured(balanced, history, TOO_MANY_RULES)
    balanced.delete(first)
