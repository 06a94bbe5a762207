"""The verbs of the API for Services, and their status."""

from __future__ import annotations

from conformance.verbs import Kept, as_far_as_allowed, create_three, written
from fixtures.api import SERVICES, Api, Object
from fixtures.checks.holding import must_hold
from fixtures.checks.values import equal
from fixtures.history import History
from fixtures.requirements import MUST, requirement

SERVICE: Object = {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"name": "a", "port": 80}]}}
"""Without pods."""
CONDITION = {
    "type": "conformance.example/Seen",
    "status": "True",
    "reason": "Seen",
    "message": "by the suite",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}


def must_show(kept: Kept, spec: Object) -> None:
    """A watch shows a Service whose spec has these fields; raises BrokenPromise when it does not soon."""
    kept.must_be_watched(f"{spec}", lambda items: any(written(spec, item["spec"]) for item in items))


@requirement(
    "cluster_ip.services_have_all_verbs",
    promise="Services can be listed, watched, patched and replaced, with a status of their own, and deleted at once.",
    source="test/e2e/network/service.go: complete a service status lifecycle, delete a collection of services",
    level=MUST,
)
def test_services_have_all_verbs(api: Api, shared_namespace: str, history: History) -> None:
    """Fault: `settings_ignored`, an admission policy by which new Services lose their labels."""
    kept = create_three(api, SERVICES, shared_namespace, SERVICE)
    names, selector = kept.names, kept.selector
    path = SERVICES.path(shared_namespace, names[0])
    must_hold(history, equal("Services of the namespace", names, kept.listed()))
    api.patch(SERVICES, names[0], {"spec": {"sessionAffinity": "ClientIP"}}, shared_namespace)
    must_show(kept, {"sessionAffinity": "ClientIP"})
    found = api.get(SERVICES, names[0], shared_namespace)
    found["spec"]["publishNotReadyAddresses"] = True
    api.request("PUT", path, body=found)
    must_show(kept, {"publishNotReadyAddresses": True})
    status = api.request("GET", f"{path}/status")
    status["status"]["conditions"], status["spec"]["sessionAffinity"] = [CONDITION], "None"
    api.request("PUT", f"{path}/status", body=status)
    after = api.get(SERVICES, names[0], shared_namespace)
    api.request("DELETE", SERVICES.path(shared_namespace), query={"labelSelector": selector})
    must_hold(
        history,
        equal("conditions of the status", [CONDITION], after["status"].get("conditions")),
        equal("affinity after a change of the status", "ClientIP", after["spec"]["sessionAffinity"]),
        equal("Services that are left", (), kept.listed()),
    )


@requirement(
    "cluster_ip.is_found_in_all_namespaces",
    promise="A list of the Services of all namespaces shows those with a label, in whatever namespace they are.",
    source="test/e2e/network/service.go: should find a service from listing all namespaces",
    level=MUST,
)
def test_it_is_found_in_all_namespaces(api: Api, shared_namespace: str, history: History) -> None:
    """Fault: `settings_ignored`, an admission policy by which new Services lose their labels."""
    kept = create_three(api, SERVICES, shared_namespace, SERVICE)
    with as_far_as_allowed("list Services of all namespaces"):
        found = api.list_all(SERVICES, selector=kept.selector)["items"]
    listed = sorted((item["metadata"]["namespace"], item["metadata"]["name"]) for item in found)
    must_hold(history, equal("Services of all namespaces", [(shared_namespace, name) for name in kept.names], listed))
    api.delete_all(SERVICES, shared_namespace, selector=kept.selector)
