"""What only newer versions of Kubernetes promise."""

import re

from fixtures.clusters import ClusterInfo
from fixtures.verdicts import Unsupported


def must_be_of(cluster: ClusterInfo, since: tuple[int, int], what: str) -> None:
    """Refuse a cluster whose Kubernetes is older; one whose version is not known is taken.

    Args:
        cluster: the cluster.
        since: the version, as (major, minor), that has it without a feature gate.
        what: what it has then.

    Raises:
        Unsupported: it is older.
    """
    found = re.match(r"v?(\d+)\.(\d+)", cluster.kubernetes_version)
    if found and tuple(map(int, found.groups())) < since:
        raise Unsupported(f"Kubernetes {cluster.kubernetes_version}: {what} of {since[0]}.{since[1]}")
