"""The label by which a Service is left to another proxy."""

from __future__ import annotations

import time

import pytest

from conformance.shared_web import SharedWeb
from fixtures.api import SERVICES, Api
from fixtures.checks.holding import must_hold
from fixtures.checks.isolation import isolated
from fixtures.checks.reachability import connections_to_see_all, reachability
from fixtures.prober.probing import Probing
from fixtures.prober.vantages import PodVantage
from fixtures.requirements import SHOULD, requirement
from fixtures.workloads.manifests import load
from fixtures.workloads.services import PROXY_NAME_LABEL, Service


@requirement(
    "cluster_ip.is_left_to_others_by_label",
    promise="A Service that is labelled as another proxy's is left alone by the cluster's own, until the label goes.",
    source="kubernetes.io: Well-Known Labels; test/e2e/network/service.go: should implement service-proxy-name",
    level=SHOULD,
)
@pytest.mark.long
def test_a_label_leaves_a_service_to_others(
    *,
    api: Api,
    cluster_ip_service: Service,
    shared_web: SharedWeb,
    pod_vantages: tuple[PodVantage, ...],
    probing: Probing,
) -> None:
    """Fault: `settings_ignored`, an admission policy by which new Services lose their labels."""
    web, pods = shared_web.web, {pod.name for pod in shared_web.pods}
    body = load("services/cluster-ip.yaml")
    body["metadata"] = {"generateName": "left-", "labels": {PROXY_NAME_LABEL: "conformance.example"}}
    body["spec"]["selector"] = dict(web.labels)
    service = Service(api.create(SERVICES, body, web.namespace))
    left_at = shared_web.must_be_behind(service)
    targets = [service.by_address("http", 80, family) for family in service.cluster_ips]
    ours = [cluster_ip_service.by_address("http", 80, family) for family in service.cluster_ips]
    control = shared_web.must_be_reached(cluster_ip_service, ours, pod_vantages)
    silent = probing.run(targets, pod_vantages, count=3, converged_at=left_at)
    must_hold(shared_web.history, isolated(silent, control=control))
    api.replace(SERVICES, service.name, {"metadata": {"labels": {PROXY_NAME_LABEL: None}}}, web.namespace)
    count = connections_to_see_all(len(pods))
    batches = probing.run(targets, pod_vantages, count=count, converged_at=time.time())
    must_hold(shared_web.history, reachability(batches, pods=pods, token=web.token))
    api.delete(SERVICES, service.name, web.namespace)
