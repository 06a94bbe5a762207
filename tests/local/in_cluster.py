"""The Job of manifests/in-cluster/ on a built-in cluster: as it stands there, but for its image, node and arguments."""

from __future__ import annotations

import base64
import io
import tarfile
from dataclasses import dataclass
from typing import Any

import yaml

from fixtures.api import PODS, Api, Object, Resource
from fixtures.clusters.local.cluster import LocalCluster
from fixtures.clusters.local.images import PYTHON_IMAGE
from tests.local.helpers import NODE_1, ROOT, kubectl, must_succeed

JOBS = Resource("batch/v1", "jobs")
NAMESPACE, NAME = "service-conformance", "service-conformance"
ENDS_WITHIN_S = 400.0
RBAC = ROOT / "manifests" / "rbac"
IN_CLUSTER = ROOT / "manifests" / "in-cluster"


@dataclass(frozen=True)
class InCluster:
    """Starts Jobs of an image that is in the store of the first node."""

    cluster: LocalCluster
    image: str

    @property
    def api(self) -> Api:
        """The cluster's API, as its administrator."""
        return Api(self.cluster.info.kubeconfig)

    def apply(self, *roles: str) -> None:
        """Kubectl apply of manifests/rbac/ROLE.yaml, in order."""
        for role in roles:
            must_succeed(kubectl(self.cluster, "apply", f"--filename={RBAC / role}.yaml"))

    def remove(self) -> None:
        """Take away what was applied, and wait until it is gone: the Job first, whose run cleans up with its rights."""
        self.delete_job()
        for role in ("factory", "base"):
            must_succeed(kubectl(self.cluster, "delete", f"--filename={RBAC / role}.yaml", "--ignore-not-found"))

    def start(self, *arguments: str) -> None:
        """Create the Job with these arguments; Pod Security has nothing to say against it."""
        job = yaml.safe_load((IN_CLUSTER / "job.yaml").read_text("utf-8"))
        pod = job["spec"]["template"]["spec"]
        pod["nodeSelector"] = {"kubernetes.io/hostname": NODE_1}
        for container in pod["containers"]:
            container["image"] = self.image
        pod["containers"][0]["args"] = [f"--image=python={PYTHON_IMAGE}", *arguments]
        done = kubectl(self.cluster, "create", "--filename=-", text=yaml.safe_dump(job))
        assert (must_succeed(done), done.stderr) == (f"job.batch/{NAME} created\n", "")

    def delete_job(self) -> None:
        """Delete the Job if there is one, and wait until its pod has ended."""
        words = ["delete", f"job/{NAME}", f"--namespace={NAMESPACE}", "--cascade=foreground", "--ignore-not-found"]
        must_succeed(kubectl(self.cluster, *words))

    def wait_until_ended(self) -> tuple[str, dict[str, int]]:
        """Complete or Failed, and the exit code of each container."""

        def ended(jobs: list[Object]) -> list[str]:
            found = [one for job in jobs for one in (job.get("status") or {}).get("conditions") or ()]
            return [one["type"] for one in found if one["type"] in ("Complete", "Failed") and one["status"] == "True"]

        jobs = self.api.wait_until(
            lambda jobs: bool(ended(jobs)), JOBS, NAMESPACE, timeout_s=ENDS_WITHIN_S, what="the Job's end"
        )
        (pod,) = self.api.list_all(PODS, NAMESPACE)["items"]
        statuses = {one["name"]: one["state"] for one in pod["status"]["containerStatuses"]}
        return ended(jobs)[0], {name: state["terminated"]["exitCode"] for name, state in statuses.items()}

    def log(self, container: str) -> str:
        """What a container of the Job has printed."""
        words = ["logs", f"job/{NAME}", f"--namespace={NAMESPACE}", f"--container={container}"]
        return must_succeed(kubectl(self.cluster, *words))

    def report(self) -> dict[str, bytes]:
        """The files of the tarball that `done` named, as the container beside the suite's has read it from there."""
        content = base64.b64decode(self.log("report"))
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
            return {one.name: stream.read() for one in tar if (stream := tar.extractfile(one))}

    def namespaces_of_runs(self) -> list[Any]:
        """The namespaces that runs have made and that are still there."""
        return must_succeed(
            kubectl(self.cluster, "get", "namespaces", "--selector=k8s-service-conformance/run-id", "--output=name")
        ).split()
