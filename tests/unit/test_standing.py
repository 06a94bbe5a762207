"""Shared pods that somebody else takes make errors of what would be failures."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.api import Object
from fixtures.errors import BrokenPromise, SuiteError
from fixtures.workloads.standing import Shared, Standing
from fixtures.workloads.web import Pod

PODS = tuple(Pod(f"web-{number}", f"uid-{number}", f"node-{number}", ("10.0.0.1",)) for number in (1, 2))


def pod(number: int, *, restarts: int = 0, deleted: bool = False, **status: object) -> Object:
    """A pod as the API has it."""
    metadata: Object = {"name": f"web-{number}", "uid": f"uid-{number}"}
    metadata |= {"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleted else {}
    return {
        "metadata": metadata,
        "spec": {"nodeName": f"node-{number}"},
        "status": {"containerStatuses": [{"restartCount": restarts}], **status},
    }


class OfPods:
    """An API server that has these pods."""

    def __init__(self, *items: Object) -> None:
        self.items = list(items)

    def list_all(self, *_: object, **__: object) -> Object:
        """All of them."""
        return {"items": self.items}


def standing(*items: Object) -> Standing:
    """Two shared pods, of which the API server has these now."""
    api: Any = OfPods(*items)
    made = Standing(api)
    made.keep("web_pods", Shared("svc-a", "app=web", PODS))
    return made


def broken() -> BrokenPromise:
    """What a test found."""
    return BrokenPromise(expected="two pods", observed="one", vantage="here")


EVICTED = pod(2, phase="Failed", reason="Evicted", message="The node was low on memory.")


@pytest.mark.parametrize(
    ("items", "why"),
    [
        ([pod(1)], "is gone: somebody else deleted or evicted it"),
        ([pod(1), pod(2, deleted=True)], "is being deleted by somebody else"),
        ([pod(1), EVICTED], "has failed: Evicted The node was low on memory."),
        ([pod(1), pod(2, restarts=2)], "was restarted 2 times"),
    ],
)
def test_a_pod_that_was_taken_makes_an_error_that_names_it(items: list[Object], why: str) -> None:
    with pytest.raises(SuiteError) as caught, standing(*items).under({"web_pods", "cluster"}):
        raise broken()
    named = "pod svc-a/web-2 on node-2, which tests share, "
    assert str(caught.value).startswith(f"{named}{why}; so this says nothing of the Service: expected two pods")


def test_what_is_known_to_be_taken_is_not_tried_again() -> None:
    shared = standing(pod(1))
    with pytest.raises(SuiteError), shared.under({"web_pods"}):
        raise broken()
    with pytest.raises(SuiteError, match="pod svc-a/web-2 on node-2"), shared.under({"web_pods"}):
        pytest.fail("it was tried")
    with shared.under({"two_pods"}):
        pass


def test_what_is_broken_while_they_stand_is_broken() -> None:
    with pytest.raises(BrokenPromise), standing(pod(1), pod(2)).under({"web_pods"}):
        raise broken()


def test_a_test_that_has_other_pods_does_not_care() -> None:
    with pytest.raises(BrokenPromise), standing().under({"two_pods"}):
        raise broken()


def test_a_test_that_passes_asks_nothing() -> None:
    with standing().under({"web_pods"}):
        pass
