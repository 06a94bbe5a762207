"""The verbs of the API for Ingresses and their classes."""

from __future__ import annotations

from conformance.verbs import as_far_as_allowed, must_have_verbs
from fixtures.api import INGRESS_CLASSES, INGRESSES, Api, Object
from fixtures.clusters import ClusterInfo
from fixtures.history import History
from fixtures.requirements import MUST, requirement
from fixtures.verdicts import NotObservable
from fixtures.workloads.namespaces import going_with

INGRESS: Object = {
    "apiVersion": INGRESSES.group_version,
    "kind": "Ingress",
    "spec": {
        # A class that nobody has: no controller makes anything of it.
        "ingressClassName": "conformance-nobody",
        "rules": [
            {
                "host": "conformance.example",
                "http": {
                    "paths": [
                        {
                            "path": "/",
                            "pathType": "Prefix",
                            "backend": {"service": {"name": "conformance-nobody", "port": {"number": 80}}},
                        }
                    ]
                },
            }
        ],
    },
}


@requirement(
    "ingress.ingresses_have_all_verbs",
    promise="Ingresses can be created, read, listed, watched, patched, replaced and deleted, many at once too.",
    source="seed: Kubernetes services, Ingress; test/e2e/network/ingress.go: support creating Ingress API operations",
    level=MUST,
)
def test_ingresses_have_all_verbs(api: Api, shared_namespace: str, history: History) -> None:
    """Fault: `api_objects_altered`, an admission policy by which new objects lose their labels."""
    must_have_verbs(api, INGRESSES, shared_namespace, INGRESS, history)


def ingress_class(namespace: str, metadata: Object) -> Object:
    """A class that nobody has, whose parameters would be in a namespace."""
    parameters = {"scope": "Namespace", "namespace": namespace, "kind": "ConfigMap", "name": "conformance-nobody"}
    return {
        "apiVersion": INGRESS_CLASSES.group_version,
        "kind": "IngressClass",
        "metadata": metadata,
        "spec": {"controller": "conformance.example/nobody", "parameters": parameters},
    }


@requirement(
    "ingress.classes_have_all_verbs",
    promise="IngressClasses, whose parameters may be in a namespace, can be created, read, listed, watched, patched, "
    "replaced and deleted, many at once too.",
    source="kubernetes.io: Ingress, Ingress class scope; test/e2e/network/ingressclass.go: IngressClass API",
    level=MUST,
)
def test_classes_have_all_verbs(api: Api, cluster: ClusterInfo, shared_namespace: str, history: History) -> None:
    """Fault: `api_objects_altered`, an admission policy by which new objects lose their labels."""
    if cluster.namespaces:
        raise NotObservable("in given namespaces nothing is made elsewhere, and classes are in no namespace")
    with as_far_as_allowed("read namespaces, and write IngressClasses, which are in none"):
        made = ingress_class(shared_namespace, going_with(api, shared_namespace))
        must_have_verbs(api, INGRESS_CLASSES, None, made, history)
