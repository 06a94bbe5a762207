"""Pods are replaced; their Service is not."""

from collections.abc import Callable

import pytest

from fixtures.requirements import MUST, requirement
from fixtures.workloads.web import Pod, Web

pytestmark = pytest.mark.long

MustSurvive = Callable[[Callable[[tuple[Pod, ...]], None]], None]


@requirement(
    "lifecycle.pods_replaced_one_by_one",
    promise="Pods have a limited lifespan and their addresses change; the Service is more stable and not affected.",
    source="seed: Kubernetes services, paragraphs 1, 2 and 5",
    level=MUST,
    features=("outside",),
)
def test_pods_deleted_one_by_one(replaceable: Web, must_survive: MustSurvive) -> None:
    """Fault: `proxy_stopped_at_deletion`, kube-proxy of one node stops: the node keeps to the old pods."""

    def one_by_one(pods: tuple[Pod, ...]) -> None:
        for number, pod in enumerate(pods, 1):
            replaceable.delete_pods(pod)
            replaceable.wait_until_serving(other_than=pods[:number])

    must_survive(one_by_one)


@requirement(
    "lifecycle.pods_replaced_all_at_once",
    promise="You can safely configure applications to interact with pods by using Services.",
    source="seed: Kubernetes services, paragraphs 2 and 7",
    level=MUST,
    features=("outside",),
)
def test_pods_deleted_all_at_once(replaceable: Web, must_survive: MustSurvive) -> None:
    """Fault: `proxy_stopped_at_deletion`."""
    must_survive(lambda pods: replaceable.delete_pods(*pods, grace_period_s=0))


@requirement(
    "lifecycle.pods_replaced_by_a_new_version",
    promise="Pods are replaced whenever new versions are deployed; Services are not affected by container updates.",
    source="seed: Kubernetes services, paragraphs 1 and 5",
    level=MUST,
    features=("outside",),
)
def test_pods_rolled_out_to_a_new_version(replaceable: Web, must_survive: MustSurvive) -> None:
    """Fault: `proxy_stopped_at_deletion`."""
    must_survive(lambda _: replaceable.roll_out(f"after-{replaceable.version}"))
