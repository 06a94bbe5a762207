"""The verbs of the API for Ingresses."""

from __future__ import annotations

from conformance.verbs import must_have_verbs
from fixtures.api import INGRESSES, Api, Object
from fixtures.history import History
from fixtures.requirements import MUST, requirement

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
