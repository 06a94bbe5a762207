"""The Services that settings are asked for with: made, changed and deleted together, judged one by one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from conformance.azure.settings import Setting
from fixtures.azure.reading import Reading
from fixtures.checks.azure_configuration import nothing_left
from fixtures.checks.azure_holding import Holding
from fixtures.checks.holding import must_hold
from fixtures.clusters import IPFamily
from fixtures.errors import BrokenPromise
from fixtures.history import History, Observation
from fixtures.verdicts import Unsupported
from fixtures.workloads.balanced import Balanced, Exposed


@dataclass(frozen=True)
class Made:
    """A Service, and what Azure held for it when the cloud controller had dealt with it.

    `late` says what did not come about in time, in words; empty: all did.
    """

    service: Exposed
    held: Holding
    late: str

    def must_be_in_time(self, history: History) -> None:
        """Write what Azure held into the history of a test; raises BrokenPromise when it was not made in time."""
        name, namespace = self.service.name, self.service.namespace
        body = self.held.body()
        history.add(Observation(change="READ", resource="arm", name=name, namespace=namespace, body=body))
        if self.late:
            status = self.service.body.get("status")
            raise BrokenPromise(expected=self.late, observed=f"not so: {status}", vantage="the API")


class Asked:
    """A Service for each of some settings. What is done to one is done to all, and read once."""

    def __init__(
        self, balanced: Balanced, reading: Reading, settings: Sequence[Setting], families: Collection[IPFamily]
    ) -> None:
        """Nothing is made yet; Services can have these families."""
        self._balanced = balanced
        self._reading = reading
        self._settings = {setting.name: setting for setting in settings if setting.families <= set(families)}
        self._made: dict[str, Made] = {}
        self._changed: dict[str, Made] = {}
        self._deleted: dict[str, Made] = {}

    def made(self, setting: Setting, history: History) -> Made:
        """The Service of a setting as it was made; raises BrokenPromise when that was not in time.

        Raises:
            Unsupported: Services of this cluster cannot have its families.
        """
        if setting.name not in self._settings:
            raise Unsupported(f"the cluster does not offer {' and '.join(sorted(setting.families))} for one Service")
        if not self._made:
            services = {name: self._create(setting) for name, setting in self._settings.items()}
            self._made = self._dealt_with(services)
        made = self._made[setting.name]
        made.must_be_in_time(history)
        return made

    def must_be_so(self, setting: Setting, history: History) -> None:
        """What Azure holds for the Service of a setting is what was asked for; raises BrokenPromise."""
        made = self.made(setting, history)
        must_hold(history, *setting.findings(made.service, made.held))

    def must_follow(self, setting: Setting, history: History) -> None:
        """What Azure holds is what is asked for instead, since the Service was changed; raises BrokenPromise."""
        self.made(setting, history)
        if not self._changed:
            well = [s for name, s in self._settings.items() if s.then and not self._made[name].late]
            self._changed = self._dealt_with({s.name: self._change(s) for s in well})
        assert setting.then is not None, setting.name
        changed = self._changed[setting.name]
        changed.must_be_in_time(history)
        must_hold(history, *setting.then.findings(changed.service, changed.held))

    def must_leave_nothing(self, setting: Setting, history: History) -> None:
        """Since the Service was deleted Azure holds nothing for it; raises BrokenPromise."""
        self.made(setting, history)
        if not self._deleted:
            before = {name: self._balanced.read(made.service) for name, made in self._made.items()}
            for service in before.values():
                self._balanced.delete(service)
            late = self._balanced.wait_until_gone(list(before.values()))
            resources = self._reading.resources()
            self._deleted = {
                name: Made(s, resources.holding(s.body, addresses=self._addresses(name)), late.get(s.name, ""))
                for name, s in before.items()
            }
        gone = self._deleted[setting.name]
        gone.must_be_in_time(history)
        must_hold(history, nothing_left(gone.held))

    def _create(self, setting: Setting) -> Exposed:
        return self._balanced.create(setting.all_annotations, setting.spec)

    def _change(self, setting: Setting) -> Exposed:
        assert setting.then is not None, setting.name
        wanted: dict[str, str | None] = dict(setting.then.all_annotations)
        gone = {key: None for key in setting.all_annotations if key not in wanted}
        return self._balanced.change(self._made[setting.name].service, {**gone, **wanted}, setting.then.spec)

    def _addresses(self, name: str) -> set[str]:
        """Every address that the Service of a setting had."""
        states = [phase[name].held.addresses for phase in (self._made, self._changed) if name in phase]
        return {address for state in states for address in state}

    def _dealt_with(self, services: dict[str, Exposed]) -> dict[str, Made]:
        late = self._balanced.wait_until_ensured(list(services.values()))
        found = {name: self._balanced.read(service) for name, service in services.items()}
        resources = self._reading.resources()
        return {
            name: Made(
                service,
                resources.holding(service.body, addresses=self._settings[name].more_addresses),
                late.get(service.name, ""),
            )
            for name, service in found.items()
        }
