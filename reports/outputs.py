"""The files that are made from the record of a run: the same record gives the same bytes."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import yaml

from fixtures.errors import UsageError
from reports import badge, conformance, junit, record, summary
from reports.page import document as page
from reports.results import Results, load

Maker = Callable[[Results], bytes]

OUTPUTS: dict[str, Maker] = {
    conformance.FILE: conformance.document,
    junit.FILE: junit.document,
    summary.FILE: summary.document,
    page.FILE: page.document,
    badge.FILE: badge.document,
}
"""How each file is made, by its name."""
HISTORY = "history"
"""The folder of the histories, in a report folder."""


class Rendered(NamedTuple):
    """A run, and which of its outputs could not be made: a line for each, which says why."""

    results: Results
    lost: tuple[str, ...]


def render(folder: Path, *, strict: bool) -> Rendered:
    """Make every output in `folder` from its record; one that cannot be made leaves no part and stops no other.

    Args:
        folder: the report folder of a run.
        strict: whether a history that is not as it should be stops everything; if not, the page says it.

    Raises:
        UsageError: there is no record, it cannot be read, or it or a history was changed by hand; nothing was written.
    """
    total = load(folder)
    made: dict[str, bytes] = {}
    lost = []
    makers: dict[str, Maker] = {**OUTPUTS, page.FILE: partial(page.document, strict=strict)}
    for name, make in makers.items():
        try:
            made[name] = make(total)
        except UsageError:
            raise
        except Exception as error:
            # Whatever it is, the other outputs are the better for being there.
            lost.append(f"{folder / name} could not be made: {type(error).__name__}: {error}")
    # Left there by a run that was killed.
    (folder / record.RESERVE).unlink(missing_ok=True)
    for name, content in made.items():
        try:
            replace(folder / name, content)
        except OSError as error:
            lost.append(f"{folder / name} could not be written: {error.strerror or error}")
    return Rendered(total, tuple(lost))


def must_be_as_reported(folder: Path) -> None:
    """Hold the record in `folder` against the digest that an earlier conformance.yaml beside it states.

    A record may have grown since then: that of a run which still goes on.

    Raises:
        UsageError: the record was changed after that report was made.
    """
    try:
        stated = yaml.safe_load((folder / conformance.FILE).read_text("utf-8"))["record"]
        content = (folder / record.FILE).read_bytes()
        size, digest = int(stated["bytes"]), str(stated["sha256"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, KeyError, ValueError):
        # No report, or none of ours: there is nothing to hold against.
        return
    found = hashlib.sha256(content[:size]).hexdigest()
    if found != digest:
        raise UsageError(
            f"{folder / record.FILE}: it was changed after the report: {conformance.FILE} states the SHA-256 {digest} "
            f"of its first {size} bytes, found {found}"
        )


def must_be_writable(folder: Path) -> None:
    """Refuse a folder that outputs cannot be put into; raises UsageError."""
    if not folder.is_dir():
        raise UsageError(f"DIR {folder}: no such folder; allowed is the report folder of a run")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"DIR {folder}: cannot be written; allowed is a folder that this user may write into")


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of each history of the run in `folder`, by the name of its file."""
    found = {}
    for path in sorted((folder / HISTORY).glob("*.jsonl")):
        with path.open("rb") as file:
            found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def replace(path: Path, content: bytes) -> None:
    """Put a file in place in one step: a reader sees the old or the new content, never a part.

    Raises:
        OSError: it cannot be written; what was there before stays.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
