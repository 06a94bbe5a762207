"""What events say of a load balancer: that it is being made, that it is there, and why it is not."""

from collections.abc import Callable

import pytest

from conformance.load_balancer.front import Front
from fixtures.api import Object
from fixtures.requirements import MUST, SHOULD, requirement
from fixtures.workloads.services import AZURE

MISSING = "no-such-public-ip-address"
BAD: dict[str, tuple[dict[str, str], str]] = {
    "public IP name": ({"pip-name": MISSING}, MISSING),
    "address that is none of the public ones": ({"load-balancer-ipv4": "192.0.2.7"}, "192.0.2.7"),
}
"""Annotations that cannot be followed, and what the event must name."""


def saying(reason: str) -> Callable[[Object], bool]:
    """Whether an event has this reason."""
    return lambda event: bool(event["reason"] == reason)


@requirement(
    "load_balancer.events_tell_of_its_making",
    promise="Events tell when a load balancer is being made, when it is there, and when it is being taken away.",
    source="Kubernetes, cloud-provider, service controller: events EnsuringLoadBalancer to DeletedLoadBalancer",
    level=SHOULD,
    features=("load_balancer",),
)
def test_events_tell_of_its_making(front: Front) -> None:
    """Fault: `events_lost`, an admission policy that refuses events about Services."""
    made = front.services.create("load-balancer", selector=front.web.traffic_labels)
    limit_s = front.budgets.load_balancer_address_s
    for reason in ("EnsuringLoadBalancer", "EnsuredLoadBalancer"):
        front.events.must_come(made.body, f"a Normal event {reason}", saying(reason), within_s=limit_s)
    front.services.delete(made)
    for reason in ("DeletingLoadBalancer", "DeletedLoadBalancer"):
        front.events.must_come(made.body, f"a Normal event {reason}", saying(reason), within_s=limit_s)


@requirement(
    "load_balancer.errors_name_their_cause",
    promise="Why a load balancer cannot be made is named in a Warning event; it is made as soon as it can be.",
    source="AKS: static IP, troubleshooting; AKS issues 253, 498 and 422; issue 221",
    level=MUST,
    features=("load_balancer", "arm"),
)
@pytest.mark.parametrize("what", BAD)
def test_errors_name_their_cause(front: Front, what: str) -> None:
    """Fault: `events_lost`."""
    annotations, named = BAD[what]
    asked = {AZURE + name: value for name, value in annotations.items()}
    made = front.services.create(
        "load-balancer", asked, selector=front.web.traffic_labels, ipFamilyPolicy="SingleStack"
    )
    front.events.must_come(
        made.body,
        f"a Warning event SyncLoadBalancerFailed that names {named}",
        lambda e: e["type"] == "Warning" and e["reason"] == "SyncLoadBalancerFailed" and named in e["message"],
        within_s=front.budgets.load_balancer_address_s,
    )
    front.services.change(made, dict.fromkeys(asked))
    front.services.must_have_external_ips(made)
    front.services.delete(made)
