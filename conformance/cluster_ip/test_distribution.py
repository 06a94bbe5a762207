"""Connections to a ClusterIP Service are spread over all of its pods."""

import pytest

from conformance.spreading import must_be_even, must_be_kept_evenly
from fixtures.requirements import MUST, requirement
from fixtures.scenarios.spread import Spreads

pytestmark = pytest.mark.long


@requirement(
    "cluster_ip.connections_are_spread_evenly",
    promise="The pods of a Service share its connections: each gets its part, seen from pods and from a node.",
    source="seed: Kubernetes services, paragraph 7; kubernetes.io: Service, Virtual IPs: a backend is chosen at random",
    level=MUST,
)
@pytest.mark.scenario("spread")
@pytest.mark.parametrize("pods", [2, 3, 10])
def test_new_connections_are_spread_evenly(spreads: Spreads, pods: int) -> None:
    """Fault: `unfair`, every node prefers one backend."""
    must_be_even(spreads.over(pods), "ClusterIP")


@requirement(
    "cluster_ip.kept_connections_are_spread_evenly",
    promise="Connections that are kept open are shared by the pods as well, and each stays with its pod.",
    source="kubernetes.io: Service, Virtual IPs and Service Proxies: a backend is chosen when a connection is made",
    level=MUST,
)
@pytest.mark.scenario("spread")
@pytest.mark.parametrize("pods", [2, 3])
def test_kept_connections_are_spread_evenly(spreads: Spreads, pods: int) -> None:
    """Fault: `unfair`."""
    must_be_kept_evenly(spreads.over(pods), "ClusterIP")
