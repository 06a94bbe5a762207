"""Services with session affinity; a run that selects none of this chapter makes none of them."""

from __future__ import annotations

import time

import pytest

from conformance.affinity.pinned import Changed, Pinned, change_some, make_pinned
from conformance.directory import Directory
from fixtures.api import Api
from fixtures.clusters import ClusterInfo
from fixtures.history import History
from fixtures.prober.vantages import PodVantage
from fixtures.workloads.services import Service, Services
from fixtures.workloads.web import Pod, Web


@pytest.fixture(scope="session")
def pinned(api: Api, cluster: ClusterInfo, web: Web, web_pods: tuple[Pod, ...], directory: Directory) -> Pinned:
    """The shared Services, made when those of the directory are: its tests run in the same process, after these."""
    assert directory
    return make_pinned(cluster, web, web_pods, Services(api, web.namespace, History()))


@pytest.fixture(scope="session")
def balanced(api: Api, pinned: Pinned) -> tuple[Service, float]:
    """The Service of type LoadBalancer with its addresses, and the wall clock at which it had them."""
    services, made = Services(api, pinned.web.namespace, History()), pinned.made["LoadBalancer"]
    if set(made.external_ips) >= set(made.families):
        return made, pinned.converged_at
    return services.must_have_external_ips(pinned.made["LoadBalancer"]), time.time()


@pytest.fixture(scope="session")
def changed(api: Api, pinned: Pinned, inside_vantages: tuple[PodVantage, ...]) -> Changed:
    """What was changed of some of them, at once."""
    history = History()
    return change_some(pinned, Services(api, pinned.web.namespace, history), inside_vantages, history)
