"""The pods that tests share, and the check that they are what a Service reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fixtures.checks.holding import must_hold
from fixtures.checks.reachability import connections_to_see_all, reachability
from fixtures.history import History
from fixtures.prober.plan import Target
from fixtures.prober.probing import Probing
from fixtures.prober.vantages import Vantage
from fixtures.probes import ProbeBatch
from fixtures.workloads.services import Service, Services
from fixtures.workloads.web import Pod, Web


@dataclass(frozen=True)
class SharedWeb:
    """Three ready pods that say who they are, as one test sees them; a test must leave them as they are."""

    web: Web
    pods: tuple[Pod, ...]
    services: Services
    probing: Probing
    history: History
    """Of the test."""

    def must_be_behind(self, service: Service) -> float:
        """The EndpointSlices of a Service hold exactly these pods; the wall clock at which that was first seen."""
        return self.services.must_have_endpoints(service, self.pods)

    def must_be_reached(
        self, service: Service, targets: Sequence[Target], vantages: Sequence[Vantage], *, pod_port: int = 80
    ) -> list[ProbeBatch]:
        """From each vantage each target of a Service reaches every pod, on `pod_port`, and nothing else.

        Judged after the propagation budget, over `connections_to_see_all` new connections.

        Raises:
            BrokenPromise: not so.
        """
        converged_at = self.must_be_behind(service)
        count = connections_to_see_all(len(self.pods))
        batches = self.probing.run(targets, vantages, count=count, converged_at=converged_at)
        pods = {pod.name for pod in self.pods}
        must_hold(self.history, reachability(batches, pods=pods, token=self.web.token, pod_port=pod_port))
        return batches
