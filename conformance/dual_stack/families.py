"""What Services can ask for of IP families, and what they get."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fixtures.clusters import IPFamily
from fixtures.workloads.services import Service
from fixtures.workloads.web import Pod, Web

V4, V6 = IPFamily.IPV4, IPFamily.IPV6
ORDERS: dict[str, list[IPFamily]] = {"IPv4 first": [V4, V6], "IPv6 first": [V6, V4]}


def _asked() -> dict[str, tuple[str | None, list[IPFamily] | None]]:
    """Each policy with each list of families that goes with it, by name; None: it is not said.

    PreferDualStack alone is what the Services of all other chapters have.
    """
    alone, both = [[V4], [V6]], list(ORDERS.values())
    found: dict[str, tuple[str | None, list[IPFamily] | None]] = {"nothing": (None, None)}
    for policy, lists in (
        ("SingleStack", alone),
        ("PreferDualStack", [*alone, *both]),
        ("RequireDualStack", [*alone, *both]),
    ):
        for families in (*lists, *([] if policy == "PreferDualStack" else [None])):
            found[" ".join([policy, *(families or ())])] = (policy, families)
    return found


ASKED = _asked()


def expected_families(
    policy: str | None, families: Sequence[IPFamily] | None, offered: Sequence[IPFamily]
) -> list[IPFamily]:
    """The families that a Service gets on a cluster with two, in their order.

    The first is the one that is asked for first, or the cluster's default; SingleStack, which is the default, has no
    other (kubernetes.io: IPv4/IPv6 dual-stack, Services; KEP-563).
    """
    first = families[0] if families else offered[0]
    return [first] if policy in (None, "SingleStack") else [first, *(f for f in offered if f is not first)]


@dataclass(frozen=True)
class Families:
    """Three ready pods, and Services in front of them; a test must leave them as they are."""

    web: Web
    pods: tuple[Pod, ...]
    made: dict[str, Service]
    """By the names of ASKED."""
    with_node_ports: dict[str, Service]
    """Dual-stack ones of type NodePort, by the names of ORDERS."""

    @property
    def names(self) -> frozenset[str]:
        """Of the pods."""
        return frozenset(pod.name for pod in self.pods)
