"""What kube-proxy of each node says of itself, by which load balancers tell nodes that are fit from others."""

from conformance.proxies import must_be_kube_proxy
from fixtures.api import Api
from fixtures.checks.health import health_said
from fixtures.checks.holding import must_hold
from fixtures.clusters import ClusterInfo
from fixtures.history import History
from fixtures.prober.plan import Target
from fixtures.prober.probing import Probing
from fixtures.prober.vantages import PodVantage
from fixtures.requirements import SHOULD, requirement

PORT, PATH = 10256, "/healthz"
"""kubernetes.io, kube-proxy: --healthz-bind-address, by default of all addresses of the first family."""
PROBES = 3


@requirement(
    "traffic_policy.kube_proxy_says_that_it_is_well",
    promise="kube-proxy of every node says 200 at /healthz, by which load balancers find nodes fit (policy Cluster).",
    source="KEP-3836, Kube-proxy improved ingress connectivity reliability; test/e2e/network/networking.go: check "
    "kube-proxy urls",
    level=SHOULD,
)
def test_kube_proxy_says_that_it_is_well(
    *,
    api: Api,
    cluster: ClusterInfo,
    probing: Probing,
    pod_vantages: tuple[PodVantage, ...],
    history: History,
) -> None:
    """Fault: `proxy_stopped`, kube-proxy of one node does not run."""
    must_be_kube_proxy(api, cluster, "kube-proxy says it")
    family = cluster.families[0]
    targets = [
        Target(
            name=f"kube-proxy of {node.name}",
            address=node.address(family),
            port=PORT,
            protocol="http",
            path=PATH,
            family=family,
        )
        for node in cluster.nodes
    ]
    batches = probing.run(targets, pod_vantages, count=PROBES)
    must_hold(history, health_said(batches, fit=dict.fromkeys((target.name for target in targets), True)))
