"""The verbs of the API for one kind of objects, tried one after another on objects of our own."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fixtures.api import Api, NotInTime, Object, Refused, Resource
from fixtures.checks.holding import must_hold
from fixtures.checks.values import equal
from fixtures.errors import BrokenPromise
from fixtures.history import History
from fixtures.verdicts import NotObservable, Unsupported

SEEN_WITHIN_S = 10.0
FORBIDDEN = 403
LABEL, PATCHED, REPLACED = "verbs", "conformance.example/patched", "conformance.example/replaced"


@contextmanager
def as_far_as_allowed(what: str) -> Iterator[None]:
    """For what the roles in manifests/rbac/ give no right to, as `create IngressClasses`.

    Raises:
        NotObservable: the API server does not allow what is done in the block.
    """
    try:
        yield
    except Refused as refused:
        if refused.status != FORBIDDEN:
            raise
        raise NotObservable(f"there is no right to {what}") from refused


@dataclass(frozen=True)
class Kept:
    """Three objects of a kind, known by a label of their own; `namespace` is None where the kind has none."""

    api: Api
    resource: Resource
    namespace: str | None
    names: tuple[str, ...]

    @property
    def selector(self) -> str:
        """Of these objects alone."""
        return f"{LABEL}={self.names[0]}"

    def listed(self) -> tuple[str, ...]:
        """The names of those that a list shows, in order."""
        items = self.api.list_all(self.resource, self.namespace, selector=self.selector)["items"]
        return tuple(sorted(item["metadata"]["name"] for item in items))

    def must_be_watched(self, what: str, shown: Callable[[list[Object]], bool]) -> None:
        """As `must_come_about`, of these objects."""
        must_come_about(
            self.api, self.resource, self.namespace, shown, f"{what} of {self.resource.plural}", selector=self.selector
        )


def must_be_served(api: Api, plural: str) -> None:
    """Raise Unsupported where the API has no such kind."""
    served = api.request("GET", "/apis/networking.k8s.io/v1")["resources"]
    if plural not in {resource["name"] for resource in served}:
        raise Unsupported(f"the API server has no {plural} of networking.k8s.io/v1 (Kubernetes 1.33 or later)")


def must_come_about(
    api: Api,
    resource: Resource,
    namespace: str | None,
    shown: Callable[[list[Object]], bool],
    expected: str,
    *,
    selector: str = "",
    within_s: float = SEEN_WITHIN_S,
) -> None:
    """A watch shows something in time; raises BrokenPromise when it does not."""
    try:
        api.wait_until(shown, resource, namespace, selector=selector, timeout_s=within_s, what=expected)
    except NotInTime as late:
        raise BrokenPromise(expected=f"{expected} in a watch", observed=str(late), vantage="the API") from late


def create_three(api: Api, resource: Resource, namespace: str | None, body: Object) -> Kept:
    """Create three objects like `body`, whose names are ours."""
    label = f"{LABEL}-{secrets.token_hex(4)}"
    kept = Kept(api, resource, namespace, tuple(f"{label}-{number}" for number in range(3)))
    for name in kept.names:
        own = body.get("metadata", {})
        metadata = {"name": name, "labels": {**own.get("labels", {}), LABEL: kept.names[0]}}
        api.create(resource, {**body, "metadata": own | metadata}, namespace)
    return kept


def must_have_verbs(api: Api, resource: Resource, namespace: str | None, body: Object, history: History) -> None:
    """Create, get, list, watch, patch, replace, delete one and delete many, each seen to have done what it says.

    `namespace` is None for a kind that has none.

    Raises:
        BrokenPromise: one of them did not.
        Refused: the API server does not take one.
    """
    kept = create_three(api, resource, namespace, body)
    first, second, third = kept.names
    found = api.get(resource, first, namespace)
    must_hold(
        history,
        equal(f"{resource.plural} that are listed", kept.names, kept.listed()),
        equal(f"{resource.plural} as they were written", True, written(body, found)),
    )
    api.replace(resource, first, {"metadata": {"annotations": {PATCHED: "yes"}}}, namespace)
    kept.must_be_watched("a patch", lambda items: any(annotated(item, PATCHED) for item in items))
    found = api.get(resource, second, namespace)
    found["metadata"]["annotations"] = {REPLACED: "yes"}
    api.request("PUT", resource.path(namespace, second), body=found)
    kept.must_be_watched("a replacement", lambda items: any(annotated(item, REPLACED) for item in items))
    api.delete(resource, third, namespace)
    kept.must_be_watched("a deletion", lambda items: len(items) == 2)
    api.delete_all(resource, namespace, selector=kept.selector)
    kept.must_be_watched("the deletion of all", lambda items: not items)
    must_hold(history, equal(f"{resource.plural} that are left", (), kept.listed()))


def annotated(item: Object, name: str) -> bool:
    """Whether an object has one of our annotations."""
    return (item["metadata"].get("annotations") or {}).get(name) == "yes"


def written(asked: object, stored: object) -> bool:
    """Whether all that was asked for is stored; fields that were left open may have been filled in."""
    if isinstance(asked, dict) and isinstance(stored, dict):
        return all(name in stored and written(value, stored[name]) for name, value in asked.items())
    if isinstance(asked, list) and isinstance(stored, list):
        return len(asked) == len(stored) and all(map(written, asked, stored))
    return asked == stored
