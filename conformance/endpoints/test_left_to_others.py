"""The label by which EndpointSlices are left to others."""

from __future__ import annotations

import pytest

from conformance.judge import Answers, Judge, settle
from conformance.proxies import must_be_kube_proxy
from conformance.shared_web import SharedWeb
from fixtures.api import Api, Object
from fixtures.checks.isolation import is_silent
from fixtures.prober.plan import Target
from fixtures.prober.probing import Pairs
from fixtures.prober.vantages import PodVantage
from fixtures.requirements import SHOULD, requirement
from fixtures.workloads.services import Service, family_of
from fixtures.workloads.slices import HEADLESS_LABEL, Slices

PORT = {"name": "one", "port": 80, "protocol": "TCP"}


@requirement(
    "endpoints.slices_are_left_to_others_by_label",
    promise="kube-proxy leaves EndpointSlices alone that are labelled as those of a headless Service, for as long as "
    "they are.",
    source="kubernetes.io: Well-Known Labels, service.kubernetes.io/headless; test/e2e/network/service.go: should "
    "implement service.kubernetes.io/headless; kubernetes, cmd/kube-proxy/app/server.go",
    level=SHOULD,
)
@pytest.mark.long
def test_a_label_leaves_slices_to_others(
    *, api: Api, judge: Judge, shared_web: SharedWeb, slices: Slices, pod_vantages: tuple[PodVantage, ...]
) -> None:
    """Fault: `api_objects_altered`, an admission policy by which new slices lose the label."""
    must_be_kube_proxy(api, judge.cluster, "kube-proxy heeds the label")
    left, taken = (judge.services.create("without-selector") for _ in range(2))
    labelled = make_slices(slices, left, shared_web, {HEADLESS_LABEL: ""})
    # Made later, these are seen later: who is answered by them has left the others alone.
    make_slices(slices, taken, shared_web, {})
    targets, control = targets_of(left), targets_of(taken)
    pairs: Pairs = [(vantage, targets) for vantage in pod_vantages]
    names = {pod.name for pod in shared_web.pods}
    nobody = [Answers(vantage, targets, (), control) for vantage in pod_vantages]
    everybody = [Answers(vantage, targets, names) for vantage in pod_vantages]
    settle(judge.probing, [(vantage, control) for vantage in pod_vantages])
    judge.must_be_answered(nobody, token=shared_web.web.token, of=len(names))
    slices.label(labelled, **{HEADLESS_LABEL: None})
    settle(judge.probing, pairs, names)
    judge.must_be_answered(everybody, token=shared_web.web.token, of=len(names))
    slices.label(labelled, **{HEADLESS_LABEL: ""})
    settle(judge.probing, pairs, well=is_silent)
    judge.must_be_answered(nobody, token=shared_web.web.token, of=len(names))
    judge.services.delete(left)
    judge.services.delete(taken)


def make_slices(slices: Slices, service: Service, shared_web: SharedWeb, labels: dict[str, str]) -> list[Object]:
    """A slice of each family of a Service, which has the shared pods."""
    ips = [ip for pod in shared_web.pods for ip in pod.ips]
    return [
        slices.make(service, family, [PORT], [{"addresses": [ip]} for ip in ips if family_of(ip) is family], labels)
        for family in service.families
    ]


def targets_of(service: Service) -> list[Target]:
    """Its port 80 at each of its addresses."""
    return [service.by_address("http", 80, family) for family in service.cluster_ips]
