"""Whose proxy leads Services on, as far as a cluster shows it."""

from __future__ import annotations

from typing import Any, cast

import pytest

from conformance.proxies import must_be_kube_proxy
from fixtures.api import Api, Refused
from fixtures.clusters.fake import INFO
from fixtures.verdicts import NotObservable, Unsupported


class DaemonSets:
    """An API server with DaemonSets of these names; None: they may not be read."""

    def __init__(self, names: list[str] | None) -> None:
        self.names = names

    def list_all(self, _: object) -> dict[str, Any]:
        """The collection, or the refusal."""
        if self.names is None:
            raise Refused(403, "Forbidden", "daemonsets.apps is forbidden")
        return {"items": [{"metadata": {"name": name}} for name in self.names]}


def ask(names: list[str] | None, **known: str) -> None:
    must_be_kube_proxy(cast(Api, DaemonSets(names)), INFO.model_copy(update=known), "it heeds a label")


def test_kube_proxy_is_known_by_its_mode_or_its_daemon_set() -> None:
    ask([], proxy_mode="nftables")
    ask(None, proxy_mode="iptables")
    ask(["kindnet", "kube-proxy"])


@pytest.mark.parametrize(
    ("names", "known"),
    [
        (["cilium", "kube-proxy"], {}),
        (["cilium"], {"proxy_mode": "iptables"}),
        (["kube-proxy"], {"cni": "azure overlay, Cilium data plane"}),
        ([], {"proxy_mode": "none: Cilium"}),
    ],
)
def test_a_pod_network_that_leads_services_on_itself_is_another_proxy(names: list[str], known: dict[str, str]) -> None:
    with pytest.raises(Unsupported, match=r"it heeds a label, .* another proxy here: .*ilium"):
        ask(names, **known)


@pytest.mark.parametrize("names", [["flannel"], [], None])
def test_a_proxy_that_is_not_known_may_be_any(names: list[str] | None) -> None:
    with pytest.raises(NotObservable, match="no DaemonSet kube-proxy"):
        ask(names)
