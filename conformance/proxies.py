"""What only kube-proxy promises."""

from __future__ import annotations

from fixtures.api import DAEMON_SETS, Api, Refused
from fixtures.clusters import ClusterInfo
from fixtures.clusters.detection import network_of
from fixtures.verdicts import NotObservable, Unsupported

OTHERS = ("cilium", "antrea", "ovnkube")
"""Pod networks that lead pods' connections to Services on themselves, be there a kube-proxy or not."""


def must_be_kube_proxy(api: Api, cluster: ClusterInfo, what: str) -> None:
    """Refuse a cluster whose Services are led on by another proxy than kube-proxy.

    Args:
        api: the cluster's API server.
        cluster: the cluster.
        what: what kube-proxy does.

    Raises:
        Unsupported: by another.
        NotObservable: it is not known by which.
    """
    sets = _daemon_sets(api)
    network = (cluster.cni or network_of(sets) or "").lower()
    mode = cluster.proxy_mode or ""
    if mode.startswith("none") or any(other in network for other in OTHERS):
        raise Unsupported(f"{what}, and Services are led on by another proxy here: {network or mode}")
    if not mode and not any("kube-proxy" in name for name in sets):
        raise NotObservable(f"{what}, and there is no DaemonSet kube-proxy to be seen")


def _daemon_sets(api: Api) -> list[str]:
    """The names of all DaemonSets; none where they may not be read."""
    try:
        return [item["metadata"]["name"] for item in api.list_all(DAEMON_SETS)["items"]]
    except Refused:
        return []
