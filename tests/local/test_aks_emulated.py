"""The built-in cluster, opened by its managed cluster as one of AKS is, has what it says of itself."""

from __future__ import annotations

from fixtures.api import NODES, Api
from fixtures.azure.clients import Azure
from fixtures.clusters.local.cluster import LocalCluster
from fixtures.clusters.registry import open_cluster

FROM_AKS = {"kind", "kubeconfig", "name", "disruptions", "node_monitor_grace_period_s", "cni", "proxy_mode"}


def test_what_azures_sdks_and_the_api_say_is_what_the_cluster_is(cluster: LocalCluster) -> None:
    said: list[str] = []
    opened = open_cluster("aks-emulated", name=cluster.state.name, keep=False, progress=said.append)
    info, built_in = opened.info, cluster.info
    differing = {name for name in type(info).model_fields if getattr(info, name) != getattr(built_in, name)}
    assert info.nodes == built_in.nodes
    assert differing <= FROM_AKS
    assert (info.kind, info.name, info.disruptions) == ("aks-emulated", cluster.state.name, frozenset())
    assert any("Azure is emulated at http://127.0.0.1:" in line for line in said)
    assert info.arm is not None
    azure = Azure(info.arm)
    assert azure.inventory().etags == Azure(built_in.arm or info.arm).inventory().etags != {}
    names = {node["metadata"]["name"] for node in Api(info.kubeconfig).list_all(NODES)["items"]}
    assert names == {node.name for node in built_in.nodes}
    opened.close()
    assert not info.kubeconfig.exists()
    assert cluster.ready_nodes()
