"""What can be asked of Azure for a Service, as data: what is asked, and what must come of it in ARM."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from fixtures.checks.azure_configuration import probes_are_used, rows_are, rules_are, security_rules_are
from fixtures.checks.azure_expected import expected_all_ports_rule, expected_rules, resolved
from fixtures.checks.azure_holding import Holding, Row
from fixtures.clusters import IPFamily
from fixtures.history import Finding
from fixtures.workloads.balanced import Exposed

PREFIX = "service.beta.kubernetes.io/"
ARM = ("load_balancer", "arm")
"""What the promises of this chapter need."""
PUBLIC_BALANCER, INTERNAL_BALANCER = "kubernetes", "kubernetes-internal"
"""The names of AKS' load balancers (cloud-provider-azure, with the cluster name `kubernetes`)."""
INTERNAL = {"azure-load-balancer-internal": "true"}


def tcp(port: int, **fields: object) -> Row:
    """A TCP port of a Service; its name follows from its number."""
    return {"name": f"tcp-{port}", "port": port, "targetPort": 80, "protocol": "TCP", **fields}


def udp(port: int) -> Row:
    """A UDP port of a Service."""
    return {"name": f"udp-{port}", "port": port, "targetPort": 80, "protocol": "UDP"}


@dataclass(frozen=True)
class Setting:
    """One Service with something asked for.

    Attributes:
        name: for people; unique in the chapter, but for those of `then`.
        annotations: without PREFIX; the load balancer is internal, which costs no public address, unless `public`.
        spec: fields of the Service's spec.
        rules: what must differ from the documented defaults (expected_rules).
        all_ports: of a Service with high availability ports: what must differ in its one rule.
        security: the security rules about its addresses (security_rules_are); None: they are not its matter.
        more_addresses: that security rules must be about as well.
        to_nodes: whether they are about the nodes' addresses instead of its own.
        public_ip: fields that each of its public IP addresses must have (Holding.public_ips).
        link: fields that its private link service must have (Holding.private_links); None: there must be none.
        then: what is asked for instead, later on.
    """

    name: str
    annotations: Mapping[str, str] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)
    rules: Mapping[str, Row | None] = field(default_factory=dict)
    all_ports: Row | None = None
    security: Sequence[Row] | None = None
    more_addresses: tuple[str, ...] = ()
    to_nodes: bool = False
    public_ip: Row | None = None
    link: Row | None = None
    public: bool = False
    then: Setting | None = None

    @property
    def all_annotations(self) -> dict[str, str]:
        """With their prefix, and the one of internal load balancers."""
        wanted = {**({} if self.public else INTERNAL), **self.annotations}
        return {f"{PREFIX}{name}": value for name, value in wanted.items()}

    @property
    def families(self) -> frozenset[IPFamily]:
        """What the cluster's Services must be able to have for it; none: any will do."""
        return frozenset(IPFamily) if self.spec.get("ipFamilyPolicy") == "RequireDualStack" else frozenset()

    def findings(self, service: Exposed, held: Holding) -> list[Finding]:
        """What is to be judged of what Azure holds for a Service that was made so."""
        # What was asked for counts, also where it got lost on its way; node ports are known from the API alone.
        spec = service.body["spec"] | {name: value for name, value in self.spec.items() if name != "ports"}
        wanted = service.body | {"spec": spec}
        if self.all_ports is not None:
            expected = expected_all_ports_rule(wanted, self.all_ports)
        else:
            families = ("IPv4", "IPv6") if spec["ipFamilyPolicy"] == "RequireDualStack" else spec["ipFamilies"]
            expected = expected_rules(wanted, self.rules, families=families, internal=not self.public)
        found = [rules_are(held, expected), probes_are_used(held)]
        if self.security is not None:
            found.append(security_rules_are(held, self._security(service, held)))
        if self.public_ip is not None:
            names = {row["public_ip"]: self.public_ip for row in held.frontends}
            found.append(rows_are("public IP addresses", names, held.public_ips))
        links = {} if self.link is None else {self.link.get("name", f"pls-{held.frontends[0]['name']}"): self.link}
        found.append(rows_are("private link services", links, held.private_links))
        return found

    def _security(self, service: Exposed, held: Holding) -> list[Row]:
        """`security` with the numbers of node ports, as text as ARM has ports, and with what the rules are about."""
        nodes = [node for pool in held.pools for node in pool["members"]]
        about = sorted(nodes if self.to_nodes else [*held.addresses, *self.more_addresses])
        rows = [resolved(row, service.body, service.body["spec"]["ports"][0]) for row in self.security or ()]
        return [{**row, "ports": [str(port) for port in row["ports"]], "destinations": about} for row in rows]


def for_each(settings: Sequence[Setting]) -> Callable[..., Any]:
    """The marks of a test that judges settings: a case for each, all in the process that made them."""
    cases = pytest.mark.parametrize("setting", settings, ids=[setting.name for setting in settings])
    together = pytest.mark.scenario("Azure settings")
    return lambda test: cases(together(test))


def settings_of(items: Sequence[pytest.Item]) -> list[Setting]:
    """The settings that collected tests are about, each once, in their order."""
    found: dict[str, Setting] = {}
    for item in items:
        setting = getattr(item, "callspec", None) and item.callspec.params.get("setting")  # type: ignore[attr-defined]
        if isinstance(setting, Setting):
            found[setting.name] = setting
    return list(found.values())
