"""What an object of the API says, in a few words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from fixtures.history import Observation


def describe(observation: Observation) -> str:
    """A state of an object in a few words, such as `ready`, `ending` or `2 ready, 1 serving`."""
    if observation.change == "DELETED":
        return "deleted"
    words = _WORDS.get(observation.resource)
    return words(observation.body) if words else observation.change.lower()


def about(observation: Observation) -> tuple[str, ...]:
    """What ties an object to others: a Service's addresses and `:NODE_PORT`s, an EndpointSlice's Service."""
    body = observation.body
    if observation.resource == "services":
        spec = body.get("spec") or {}
        points = ((body.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
        ports = [f":{port['nodePort']}" for port in spec.get("ports") or [] if port.get("nodePort")]
        return (*(spec.get("clusterIPs") or ()), *(point["ip"] for point in points if "ip" in point), *ports)
    if observation.resource == "endpointslices":
        labels = (body.get("metadata") or {}).get("labels") or {}
        return (labels.get("kubernetes.io/service-name", ""),)
    return ()


def _conditions(body: dict[str, Any]) -> dict[str, str]:
    return {found["type"]: found["status"] for found in (body.get("status") or {}).get("conditions") or []}


def _pod(body: dict[str, Any]) -> str:
    if (body.get("metadata") or {}).get("deletionTimestamp"):
        return "ending"
    if _conditions(body).get("Ready") == "True":
        return "ready"
    return str((body.get("status") or {}).get("phase", "unknown")).lower() + ", not ready"


def _node(body: dict[str, Any]) -> str:
    ready = _conditions(body).get("Ready")
    off = ", cordoned" if (body.get("spec") or {}).get("unschedulable") else ""
    return ("ready" if ready == "True" else "not ready") + off


def _slice(body: dict[str, Any]) -> str:
    states: Counter[str] = Counter()
    for endpoint in body.get("endpoints") or []:
        conditions = endpoint.get("conditions") or {}
        if conditions.get("ready"):
            states["ready"] += 1
        elif conditions.get("terminating"):
            states["ending and serving" if conditions.get("serving") else "ending"] += 1
        else:
            states["not ready"] += 1
    return ", ".join(f"{number} {state}" for state, number in states.items()) or "no endpoints"


_WORDS: dict[str, Callable[[dict[str, Any]], str]] = {"pods": _pod, "nodes": _node, "endpointslices": _slice}
