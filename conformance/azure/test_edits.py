"""What is asked for may change: Azure follows, and nothing is left at the end."""

import pytest

from conformance.azure.asked import Asked
from conformance.azure.settings import ARM, Setting, for_each
from conformance.azure.tables import ALL
from fixtures.history import History
from fixtures.requirements import MUST, requirement

pytestmark = pytest.mark.long


@requirement(
    "azure.edits_are_followed",
    promise="When an annotation or a field of a Service is changed, added or removed, Azure is changed as well.",
    source="cloud-provider-azure issue 1197; k/k#56898; e2e: service_annotations.go, updates",
    level=MUST,
    features=ARM,
)
@for_each([setting for setting in ALL if setting.then])
def test_edits_are_followed(asked: Asked, history: History, setting: Setting) -> None:
    """Fault: `edits_forgotten`, what is changed in a Service is lost."""
    asked.must_follow(setting, history)


@requirement(
    "azure.a_deleted_service_leaves_nothing",
    promise="With a Service all that was made for it goes: rules, probes, frontend, address, security rules.",
    source="kubernetes.io: Service, Garbage collecting load balancers; AKS issues 1283, 1959; CPA#2357",
    level=MUST,
    features=ARM,
)
@for_each(ALL)
def test_a_deleted_service_leaves_nothing(asked: Asked, history: History, setting: Setting) -> None:
    """Fault: `finalizers_forgotten`, the finalizer of a Service is lost, so that nobody cleans up."""
    asked.must_leave_nothing(setting, history)
