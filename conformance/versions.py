"""What only newer versions of Kubernetes promise."""

import re

from fixtures.clusters import ClusterInfo
from fixtures.verdicts import Unsupported


def is_of(cluster: ClusterInfo, since: tuple[int, int]) -> bool:
    """Whether a cluster's Kubernetes is of this version, as (major, minor), or newer; so is one that is not known."""
    found = re.match(r"v?(\d+)\.(\d+)", cluster.kubernetes_version)
    return not found or tuple(map(int, found.groups())) >= since


def must_be_of(cluster: ClusterInfo, since: tuple[int, int], what: str) -> None:
    """Refuse a cluster whose Kubernetes is older; one whose version is not known is taken.

    Args:
        cluster: the cluster.
        since: the version, as (major, minor), that has it without a feature gate.
        what: what it has then.

    Raises:
        Unsupported: it is older.
    """
    if not is_of(cluster, since):
        raise Unsupported(f"Kubernetes {cluster.kubernetes_version}: {what} of {since[0]}.{since[1]}")
