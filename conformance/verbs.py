"""The verbs of the API for one kind of namespaced objects, tried one after another on objects of our own."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from fixtures.api import Api, NotInTime, Object, Resource
from fixtures.checks.holding import must_hold
from fixtures.checks.values import equal
from fixtures.errors import BrokenPromise
from fixtures.history import History

SEEN_WITHIN_S = 10.0
LABEL, PATCHED, REPLACED = "verbs", "conformance.example/patched", "conformance.example/replaced"


@dataclass(frozen=True)
class Kept:
    """Three objects of a kind, known by a label of their own."""

    api: Api
    resource: Resource
    namespace: str
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


def must_come_about(
    api: Api,
    resource: Resource,
    namespace: str | None,
    shown: Callable[[list[Object]], bool],
    expected: str,
    *,
    selector: str = "",
) -> None:
    """A watch shows something within SEEN_WITHIN_S; raises BrokenPromise when it does not."""
    try:
        api.wait_until(shown, resource, namespace, selector=selector, timeout_s=SEEN_WITHIN_S, what=expected)
    except NotInTime as late:
        raise BrokenPromise(expected=f"{expected} in a watch", observed=str(late), vantage="the API") from late


def create_three(api: Api, resource: Resource, namespace: str, body: Object) -> Kept:
    """Create three objects like `body`, whose metadata are ours."""
    label = f"{LABEL}-{secrets.token_hex(4)}"
    kept = Kept(api, resource, namespace, tuple(f"{label}-{number}" for number in range(3)))
    for name in kept.names:
        own = body.get("metadata", {}).get("labels", {})
        metadata = {"name": name, "labels": {**own, LABEL: kept.names[0]}}
        api.create(resource, {**body, "metadata": metadata}, namespace)
    return kept


def must_have_verbs(api: Api, resource: Resource, namespace: str, body: Object, history: History) -> None:
    """Create, get, list, watch, patch, replace, delete one and delete many, each seen to have done what it says.

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
