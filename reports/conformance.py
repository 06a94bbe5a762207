"""conformance.yaml: the result of a run for machines, in the manner of Gateway API's ConformanceReport.

The models are the format; `reports/conformance.schema.json` is generated from them by `python -m reports schema`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from pydantic.alias_generators import to_camel

from fixtures.errors import SuiteError, UsageError
from fixtures.requirements import Level
from fixtures.verdicts import Verdict
from reports.record import Promise
from reports.results import Results, State

FILE = "conformance.yaml"
API_VERSION: Literal["k8s-service-conformance/v1"] = "k8s-service-conformance/v1"

Count = Annotated[int, Field(ge=0)]
Outcome = Literal["success", "partial", "failure"]
"""success: all is well; failure: a promise is broken, or could not be judged; partial: neither."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Suite(_Model):
    """What judged."""

    name: str
    version: str
    commit: str | None
    """`-changed` behind it: files differed from it; None: not known."""


class Record(_Model):
    """What this report was made of: the first `bytes` bytes of `file`."""

    file: str
    bytes: Count
    sha256: str


class Run(_Model):
    """The run."""

    id: str
    state: State
    command: tuple[str, ...]
    """The arguments that pytest was given."""
    seed: int | None
    """What the run drew by chance it drew from this; None: not known."""
    duration_s: float = Field(ge=0)
    problems: tuple[str, ...]
    """What went wrong outside of the tests."""


class Statistics(_Model):
    """How many promises have each verdict."""

    passed: Count = 0
    failed: Count = 0
    errors: Count = 0
    not_observable: Count = 0
    unsupported: Count = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.passed + self.failed + self.errors + self.not_observable + self.unsupported


class Reasoned(_Model):
    """A promise and why it has its verdict."""

    id: str
    reason: str


class Part(_Model):
    """The promises of one level: core are those that MUST be kept, extended those that SHOULD."""

    result: Outcome
    statistics: Statistics
    failed: tuple[Reasoned, ...]
    errors: tuple[Reasoned, ...]
    not_observable: tuple[Reasoned, ...]
    unsupported: tuple[Reasoned, ...]


class ProfileResult(_Model):
    """How a profile came out."""

    name: str
    result: Outcome
    verdict: str
    """`conformant`, `not conformant` or `not judged (…)`, as the terminal has it: it looks at core promises alone."""
    summary: str
    core: Part
    extended: Part
    left_out: tuple[str, ...]
    """Test cases that belong to the profile and were not part of this run."""


class PromiseResult(_Model):
    """One promise that was collected."""

    id: str
    level: Level
    verdict: Verdict
    cases: Mapping[Verdict, Count]


class Budget(_Model):
    """What the checks allowed, and where that is from."""

    value: float
    profile: str | None


class Report(_Model):
    """The whole file."""

    api_version: Literal["k8s-service-conformance/v1"] = API_VERSION
    kind: Literal["ConformanceReport"] = "ConformanceReport"
    date: datetime
    """When the run began."""
    suite: Suite
    run: Run
    record: Record
    cluster: Mapping[str, JsonValue] | None
    """None: its set-up failed."""
    arm: Literal["real", "emulated", "none"]
    """What answered for Azure Resource Manager."""
    budgets: Mapping[str, Budget]
    profiles: tuple[ProfileResult, ...] = Field(min_length=1)
    promises: tuple[PromiseResult, ...]
    not_selected: tuple[str, ...]
    """Promises that the options of the run left out."""


def report(results: Results) -> Report:
    """The report of a run.

    Raises:
        SuiteError: its counts are not those of what was collected.
    """
    run, cluster = results.run, results.run.cluster
    found = Report(
        date=run.at,
        suite=Suite(name="k8s-service-conformance", version=run.suite_version, commit=run.suite_commit),
        run=Run(
            id=run.run_id,
            state=results.state,
            command=run.argv,
            seed=run.seed,
            duration_s=round(results.duration_s, 3),
            problems=tuple(f"{problem.what}: {problem.message}" for problem in results.problems),
        ),
        record=Record(**results.origin._asdict()),
        cluster=_cluster(cluster, run.detected) if cluster else None,
        arm=_arm(cluster or {}),
        budgets={name: Budget(value=b.value, profile=b.profile) for name, b in run.budgets.items()},
        profiles=(_profile(results),),
        promises=tuple(_promise(results, promise) for promise in results.promises),
        not_selected=results.not_selected,
    )
    must_add_up(found, {promise.id: len(promise.cases) for promise in results.promises})
    return found


def document(results: Results) -> bytes:
    """The text of conformance.yaml; raises SuiteError as `report` does."""
    data = report(results).model_dump(mode="json", by_alias=True)
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110).encode("utf-8", "replace")


def must_add_up(found: Report, collected: Mapping[str, int]) -> None:
    """Hold a report against the ids that were collected, each with its number of cases.

    Raises:
        SuiteError: a promise is missing, or one too many, or a number is not that of the promises.
    """
    listed = {promise.id: sum(promise.cases.values()) for promise in found.promises}
    if listed != dict(collected):
        odd = sorted(set(listed.items()) ^ set(collected.items()))[0][0]
        raise SuiteError(
            f"{FILE}: {odd} has {listed.get(odd, 'no')} cases in the report, {collected.get(odd, 'no')} were collected"
        )
    profile = found.profiles[0]
    for name, part, level in (("core", profile.core, Level.MUST), ("extended", profile.extended, Level.SHOULD)):
        counted = Counter(promise.verdict for promise in found.promises if promise.level is level)
        if part.statistics != _statistics(counted):
            raise SuiteError(f"{FILE}: {name}.statistics: {part.statistics!r} is not what the promises add up to")
        for verdict, reasons in _lists(part).items():
            ids = {p.id for p in found.promises if p.level is level and p.verdict is verdict}
            if {reasoned.id for reasoned in reasons} != ids:
                raise SuiteError(f"{FILE}: {name}: the promises that are listed as {verdict} are not those that are")


def read(path: Path) -> Report:
    """The report in a file, which adds up by itself.

    Raises:
        UsageError: it cannot be read, is of another version, or does not add up.
    """
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
        found = Report.model_validate(data)
        must_add_up(found, {promise.id: sum(promise.cases.values()) for promise in found.promises})
    except OSError as error:
        raise UsageError(f"{path}: no report: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UsageError(f"{path}: {field}: {first['msg']}; found {str(first['input'])[:80]!r}") from error
    except SuiteError as error:
        raise UsageError(f"{path.parent / str(error)}") from error
    return found


def schema() -> str:
    """The JSON Schema of the file, as the text of reports/conformance.schema.json."""
    document: dict[str, Any] = Report.model_json_schema(by_alias=True)
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **document, "title": FILE}
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def _profile(results: Results) -> ProfileResult:
    core, extended = (_part(results, level) for level in (Level.MUST, Level.SHOULD))
    outcomes = [core.result, extended.result, *(["partial"] if results.left_out else [])]
    if results.problems:
        outcomes.append("failure")
    worst: Outcome = "failure" if "failure" in outcomes else "partial" if "partial" in outcomes else "success"
    return ProfileResult(
        name=results.run.profile,
        result=worst,
        verdict=results.profile_verdict,
        summary=f"Core: {_words(core)}. Extended: {_words(extended)}.",
        core=core,
        extended=extended,
        left_out=results.left_out,
    )


def _part(results: Results, level: Level) -> Part:
    own = [(promise, results.verdict(promise)) for promise in results.promises if promise.level is level]
    counts = Counter(verdict for _, verdict in own)
    passing = {Verdict.PASS} if level is Level.MUST else {Verdict.PASS, Verdict.UNSUPPORTED}
    outcome: Outcome = "success" if set(counts) <= passing else "partial"
    if {Verdict.FAIL, Verdict.ERROR} & set(counts):
        outcome = "failure"

    def having(verdict: Verdict) -> tuple[Reasoned, ...]:
        return tuple(Reasoned(id=p.id, reason=results.reason(p)) for p, found in own if found is verdict)

    return Part(
        result=outcome,
        statistics=_statistics(counts),
        failed=having(Verdict.FAIL),
        errors=having(Verdict.ERROR),
        not_observable=having(Verdict.NOT_OBSERVABLE),
        unsupported=having(Verdict.UNSUPPORTED),
    )


def _lists(part: Part) -> dict[Verdict, Iterable[Reasoned]]:
    return {
        Verdict.FAIL: part.failed,
        Verdict.ERROR: part.errors,
        Verdict.NOT_OBSERVABLE: part.not_observable,
        Verdict.UNSUPPORTED: part.unsupported,
    }


def _statistics(counts: Mapping[Verdict, int]) -> Statistics:
    return Statistics(
        passed=counts.get(Verdict.PASS, 0),
        failed=counts.get(Verdict.FAIL, 0),
        errors=counts.get(Verdict.ERROR, 0),
        not_observable=counts.get(Verdict.NOT_OBSERVABLE, 0),
        unsupported=counts.get(Verdict.UNSUPPORTED, 0),
    )


def _words(part: Part) -> str:
    """A part in words: 40 of 42 promises kept, 1 broken, 1 not judged."""
    numbers = part.statistics
    others = (
        (numbers.failed, "broken"),
        (numbers.errors, "not judged for errors of the suite"),
        (numbers.not_observable, "not observable"),
        (numbers.unsupported, "unsupported"),
    )
    return ", ".join(
        [f"{numbers.passed} of {numbers.total} promises kept", *(f"{n} {what}" for n, what in others if n)]
    )


def _promise(results: Results, promise: Promise) -> PromiseResult:
    counts = Counter(results.cases[case].verdict for case in promise.cases)
    return PromiseResult(
        id=promise.id,
        level=promise.level,
        verdict=results.verdict(promise),
        cases={verdict: counts[verdict] for verdict in Verdict if counts[verdict]},
    )


def _cluster(cluster: Mapping[str, JsonValue], detected: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """What a reader of another machine can use: no paths of this one."""
    named = ("kind", "name", "kubernetes_version", "families", "service_ranges", "node_port_range", "load_balancer")
    said = {to_camel(name): cluster[name] for name in named if cluster.get(name) is not None}
    seen = {to_camel(name): value for name, value in detected.items()}
    disruptions = cluster.get("disruptions")
    allowed: list[JsonValue] = sorted(disruptions, key=str) if isinstance(disruptions, list) else []
    return {**said, "disruptions": allowed, **seen}


def _arm(cluster: Mapping[str, JsonValue]) -> Literal["real", "emulated", "none"]:
    arm = cluster.get("arm")
    if not isinstance(arm, Mapping):
        return "none"
    return "emulated" if arm.get("emulated") else "real"
