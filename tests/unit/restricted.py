"""What a pod's spec lacks of the Pod Security Standard restricted (kubernetes.io: Pod Security Standards)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Spec = dict[str, Any]
VOLUMES = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)
PROFILES = ("RuntimeDefault", "Localhost")


def violations(spec: Spec) -> list[str]:
    """What is not as it has to be, a line each."""
    return [*_of_pod(spec), *(line for container in _containers(spec) for line in _of_container(spec, container))]


def _containers(spec: Spec) -> list[Spec]:
    return [one for kind in ("initContainers", "containers", "ephemeralContainers") for one in spec.get(kind) or ()]


def _of_pod(spec: Spec) -> Iterator[str]:
    yield from (field for field in ("hostNetwork", "hostPID", "hostIPC") if spec.get(field))
    for volume in spec.get("volumes") or ():
        yield from (f"volume {volume['name']}: {kind}" for kind in volume.keys() - VOLUMES - {"name"})
    if (spec.get("securityContext") or {}).get("sysctls"):
        yield "sysctls"


def _of_container(spec: Spec, container: Spec) -> Iterator[str]:
    own, pod = container.get("securityContext") or {}, spec.get("securityContext") or {}
    either = {**pod, **own}
    capabilities = own.get("capabilities") or {}
    sound = {
        "privileged": not own.get("privileged"),
        "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
        "capabilities.drop": "ALL" in (capabilities.get("drop") or ()),
        "capabilities.add": set(capabilities.get("add") or ()) <= {"NET_BIND_SERVICE"},
        "runAsNonRoot": either.get("runAsNonRoot") is True,
        "runAsUser": either.get("runAsUser") != 0 and pod.get("runAsUser") != 0,
        "seccompProfile": (either.get("seccompProfile") or {}).get("type") in PROFILES,
        "procMount": own.get("procMount", "Default") == "Default",
        "hostPort": not any(port.get("hostPort") for port in container.get("ports") or ()),
    }
    yield from (f"container {container['name']}: {field}" for field, well in sound.items() if not well)
