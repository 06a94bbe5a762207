"""`python -m reports merge`: one run's folder from those of its parts (--shard), as if one process had done it all."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from fixtures.errors import UsageError
from reports import outputs
from reports.record import (
    FILE,
    CaseFinished,
    ClusterLogs,
    Collected,
    Event,
    Problem,
    Promise,
    RecordWriter,
    RunFinished,
    read,
)
from reports.results import Results, load

SAME = ("suite_version", "suite_commit", "profile", "budgets")
"""Fields of RunStarted that parts of one run have in common."""
SAME_OF_CLUSTER = ("kind", "kubernetes_version", "families", "load_balancer", "disruptions")
"""Fields of ClusterInfo in which their clusters may not differ."""
KEPT = ("history", "manifests")
"""Folders with files that cases name."""


def merge(folders: Sequence[Path], into: Path, shown: str) -> outputs.Rendered:
    """Join the parts of a run: record, histories, manifests and evidence; then make every output.

    Args:
        folders: the report folders of the parts.
        into: the new report folder.
        shown: it, as the user wrote it.

    Raises:
        UsageError: a part cannot be read, they are not of one run, or `into` has a record already; nothing was written.
    """
    if len(folders) < 2:
        raise UsageError(f"DIR: found {len(folders)}; allowed is two or more report folders")
    if (into / FILE).exists():
        raise UsageError(f"--into: {shown} already holds the record of a run; allowed is a folder without one")
    parts = []
    for folder in folders:
        outputs.must_be_as_reported(folder)
        parts.append(load(folder))
    _must_be_of_one_run(parts)
    try:
        writer = RecordWriter(into)
    except OSError as error:
        raise UsageError(f"--into: {shown} cannot be written: {error.strerror}") from error
    try:
        _write(parts, into, shown, writer)
    except OSError as error:
        raise UsageError(f"--into: {shown} cannot be written: {error.strerror}") from error
    finally:
        writer.close()
    return outputs.render(into, strict=True)


def _must_be_of_one_run(parts: Sequence[Results]) -> None:
    first, *others = parts
    for other in others:
        for field in SAME:
            _must_be_same(first, other, field, getattr(first.run, field), getattr(other.run, field))
        for field in SAME_OF_CLUSTER:
            ours, theirs = ((part.run.cluster or {}).get(field) for part in (first, other))
            if first.run.cluster and other.run.cluster:
                _must_be_same(first, other, f"cluster.{field}", _sorted(ours), _sorted(theirs))
    seen: dict[str, Results] = {}
    for part in parts:
        for case in part.cases:
            if case in seen:
                raise UsageError(f"DIR: {case} is in {seen[case].folder} and in {part.folder}; allowed is it in one")
            seen[case] = part


def _sorted(value: object) -> object:
    return sorted(value) if isinstance(value, list) else value


def _must_be_same(first: Results, other: Results, field: str, ours: object, theirs: object) -> None:
    if ours != theirs:
        raise UsageError(f"DIR: {field}: {first.folder} has {ours}, {other.folder} has {theirs}; allowed is the same")


def _write(parts: Sequence[Results], into: Path, shown: str, writer: RecordWriter) -> None:
    first = min(parts, key=lambda part: part.run.at)
    end = max(_last(part) for part in parts)
    seeds = {part.run.seed for part in parts}
    seed = seeds.pop() if len(seeds) == 1 else None
    argv = tuple(_without_shard(first.run.argv))
    writer.write(first.run.model_copy(update={"argv": argv, "report_dir": shown, "seed": seed}))
    writer.write(_collected(parts, first.run.at))
    events: list[Event] = []
    for number, part in enumerate(parts, 1):
        events += _events(part, number, into)
    for event in sorted(events, key=lambda event: event.at):
        writer.write(event)
    if any(part.logs for part in parts):
        writer.write(ClusterLogs(at=end, path="cluster"))
    unfinished = tuple(case for part in parts for case in part.unfinished)
    counts = Counter(case.verdict for part in parts for case in part.cases.values())
    digests = outputs.digests(into)
    interrupted = any(part.interrupted for part in parts)
    sha256 = writer.sha256
    writer.write(
        RunFinished(
            at=end, cases=counts, unfinished=unfinished, interrupted=interrupted, sha256=sha256, histories=digests
        )
    )


def _last(part: Results) -> datetime:
    assert part.folder is not None
    return max(event.at for event in read(part.folder))


def _without_shard(argv: Iterable[str]) -> Iterable[str]:
    arguments = iter(argv)
    for argument in arguments:
        if argument == "--shard":
            next(arguments, None)
        elif not argument.startswith("--shard="):
            yield argument


def _collected(parts: Sequence[Results], at: datetime) -> Collected:
    """What all parts together were about; what each left out and no other did was left out of the whole."""
    promises: dict[str, Promise] = {}
    for promise in (promise for part in parts for promise in part.promises):
        before = promises.get(promise.id)
        cases = (*(before.cases if before else ()), *promise.cases)
        promises[promise.id] = promise.model_copy(update={"cases": cases})
    not_selected = set.intersection(*(set(part.not_selected) for part in parts))
    left_out = set.intersection(*(set(part.left_out) for part in parts))
    return Collected(
        at=at,
        promises=tuple(promises.values()),
        not_selected=tuple(sorted(not_selected)),
        left_out=tuple(sorted(left_out)),
    )


def _events(part: Results, number: int, into: Path) -> list[Event]:
    """The cases and problems of a part, which name its files as they are called in the new folder."""
    assert part.folder is not None
    names = {kept: _copied(part.folder / kept, into / kept, number) for kept in KEPT}
    evidence = _copied(part.folder / "evidence", into / "evidence", number)
    if part.logs:
        shutil.copytree(part.folder / part.logs, into / "cluster" / f"part-{number}")
    events: list[Event] = []
    for event in read(part.folder):
        if isinstance(event, CaseFinished):
            kept = Path(event.evidence).name if event.evidence else ""
            update = {
                "histories": tuple(names["history"].get(name, name) for name in event.histories),
                "manifests": tuple(names["manifests"].get(name, name) for name in event.manifests),
                "evidence": event.evidence and str(Path(event.evidence).with_name(evidence.get(kept, kept))),
                "worker": f"part {number} {event.worker}",
            }
            events.append(event.model_copy(update=update))
        elif isinstance(event, Problem):
            events.append(event.model_copy(update={"message": f"part {number}: {event.message}"}))
    return events


def _copied(source: Path, target: Path, number: int) -> dict[str, str]:
    """Copy what is in a folder; gives the new name of each entry whose name was taken by something else."""
    renamed = {}
    for entry in sorted(source.iterdir()) if source.is_dir() else ():
        to = target / entry.name
        if to.exists():
            if entry.is_file() and to.read_bytes() == entry.read_bytes():
                continue
            to = target / f"part-{number}-{entry.name}"
            renamed[entry.name] = to.name
        target.mkdir(parents=True, exist_ok=True)
        if entry.is_dir():
            shutil.copytree(entry, to)
        else:
            shutil.copy2(entry, to)
    return renamed
