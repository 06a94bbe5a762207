"""Words of the page: chapters, links of sources, shortened names."""

from __future__ import annotations

import re

CHAPTERS = {
    "cluster_ip": ("ClusterIP", "The default type: a virtual address that is reachable only inside the cluster."),
    "node_port": ("NodePort", "A port on every node leads to the Service, whichever node its pods are on."),
    "load_balancer": (
        "LoadBalancer",
        "An address outside of the cluster; the pods are in its backend pool.",
    ),
    "headless": ("Headless Services", "No virtual address: the name gives the pods themselves."),
    "external_name": ("ExternalName", "A name that stands for another name."),
    "dns": ("DNS names", "Each Service has a stable name that gives its address."),
    "endpoints": ("Endpoints", "The set of pods that a Service leads to follows what its selector finds."),
    "affinity": ("Session affinity", "A client stays with its pod when the Service says so."),
    "traffic_policy": ("Traffic policies", "Which nodes and pods traffic may use, and which address the pod sees."),
    "dual_stack": ("Dual stack", "Both IP families, or the one that was asked for."),
    "lifecycle": ("Lifecycle", "Pods have a limited lifespan; Services are more stable and not affected."),
    "ingress": ("Ingress", "For HTTP another way in."),
    "azure": ("Azure", "What the Services become in Azure: load balancers, rules, addresses."),
    "throughput": ("Throughput", "What a Service carries, against the pods without it."),
}
"""Title and first sentence of each chapter."""

_DOCS = "https://kubernetes.io/docs/"
_PAGES = {
    "Service": "concepts/services-networking/service/",
    "Virtual IPs": "reference/networking/virtual-ips/",
    "Virtual IPs and Service Proxies": "reference/networking/virtual-ips/",
    "Pod Lifecycle": "concepts/workloads/pods/pod-lifecycle/",
    "DNS for Services and Pods": "concepts/services-networking/dns-pod-service/",
    "Labels and Selectors": "concepts/overview/working-with-objects/labels/",
    "Deployments": "concepts/workloads/controllers/deployment/",
    "StatefulSets": "concepts/workloads/controllers/statefulset/",
    "Nodes": "concepts/architecture/nodes/",
    "Node status": "reference/node/node-status/",
    "Safely Drain a Node": "tasks/administer-cluster/safely-drain-node/",
    "Disruptions": "concepts/workloads/pods/disruptions/",
    "Liveness, Readiness, and Startup Probes": "concepts/configuration/liveness-readiness-startup-probes/",
    "EndpointSlices": "concepts/services-networking/endpoint-slices/",
    "IPv4/IPv6 dual-stack": "concepts/services-networking/dual-stack/",
    "Ingress": "concepts/services-networking/ingress/",
}
_AKS = "https://learn.microsoft.com/en-us/azure/aks/concepts-network-services"
_UPSTREAM = "https://github.com/kubernetes/kubernetes/blob/master/"


def source_link(source: str) -> str | None:
    """Where the (first) source of a promise can be read; None: no page is known."""
    if found := re.search(r"KEP-(\d+)", source):
        return f"https://github.com/kubernetes/enhancements/issues/{found[1]}"
    if found := re.search(r"\btest/e2e/[\w/]+\.go", source):
        return _UPSTREAM + found[0]
    if found := re.search(r"\bRFC (\d+)", source):
        return f"https://www.rfc-editor.org/rfc/rfc{found[1]}"
    for name in sorted(_PAGES, key=len, reverse=True):
        if re.search(rf"kubernetes\.io: {re.escape(name)}\b", source):
            return _DOCS + _PAGES[name]
    return _AKS if source.startswith("seed:") else None


def shortened(text: str) -> str:
    """A text in which the names of pods, and of AKS's nodes, are as short as a reader can still tell them apart."""
    text = re.sub(r"\b([a-z]+)-[0-9a-f]{8}-[0-9a-z]{8,10}-([0-9a-z]{5})\b", r"\1-…\2", text)
    return re.sub(r"\baks-[a-z0-9]+-\d{8}-(?:vmss)?([0-9a-z]+)\b", r"node …\1", text).replace("node node …", "node …")
