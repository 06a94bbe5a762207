"""What a container image of the suite starts: a run, and then its report handed over to whoever waits for it.

With RESULTS_DIR set, the report folder goes there as a tarball, and then a file `done` that has the tarball's path and
nothing else: what Sonobuoy's worker waits for (sonobuoy.io: Plugins, How Plugins Work), and `python -m reports
collect`. Both appear in one step, after any run: also one that failed, was interrupted, or could not begin.
"""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from fixtures.errors import UsageError
from fixtures.redaction import redact
from reports import junit, outputs, record

ROOT = Path(__file__).resolve().parents[1]
RESULTS = "RESULTS_DIR"
REPORT, REPORT_VARIABLE = "--report-dir", "SERVICE_CONFORMANCE_REPORT_DIR"
DEFAULT_REPORT = "/report"
TARBALL = "report.tar.gz"
"""Sonobuoy takes what follows the first dot of the path for the file's type."""
DONE = "done"
OUTPUT = "output.txt"
"""In the tarball: the end of what the run printed."""
OUTPUT_BYTES = 1 << 20
LOOK_EVERY_S = 0.5
"""How often one who waits looks for `done`; Sonobuoy's worker does so each second."""
LAST_WORDS_S = 5.0
"""How long what the run printed is read after it has ended: an orphan of it may hold the pipe for ever."""


@dataclass(frozen=True)
class Ended:
    """A run that has ended: its exit code as a shell has it, and the end of what it printed."""

    code: int
    output: str


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """Run the suite on the cluster that this is a pod of, with further arguments of pytest, and hand its report over.

    Returns:
        The suite's exit code; 3 when the report could not be handed over, 4 for bad input.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        folder = report_folder(given, environment)
        results = results_folder(folder, environment)
    except UsageError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 4
    pytest = [sys.executable, "-m", "pytest", "conformance", "--cluster=kubeconfig", f"{REPORT}={folder}", *given]
    ended = run(pytest, sys.stdout.buffer)
    if results:
        try:
            path = hand_over(folder, results, ended)
        except OSError as error:
            print(f"error: {RESULTS}: the report could not be handed over: {error}", file=sys.stderr)
            return ended.code or 3
        print(f"handed over: {path}", flush=True)
    return ended.code


def report_folder(arguments: Sequence[str], environment: Mapping[str, str]) -> Path:
    """Where the run will put its report, by the rules of the suite: a flag, else the variable; /report by default.

    Raises:
        UsageError: the flag has no value.
    """
    found = environment.get(REPORT_VARIABLE) or DEFAULT_REPORT
    for word, following in pairwise([*arguments, ""]):
        if word == REPORT or word.startswith(f"{REPORT}="):
            found = following if word == REPORT else word.partition("=")[2]
            if not found:
                raise UsageError(f"{REPORT}: found no value; allowed is a folder")
    return ROOT / found


def results_folder(report: Path, environment: Mapping[str, str]) -> Path | None:
    """Where the report is handed over, without a `done` of an earlier run; None: nowhere.

    Raises:
        UsageError: it cannot be written, or is a part of the report.
    """
    stated = environment.get(RESULTS)
    if not stated:
        return None
    folder = Path(stated).absolute()
    if folder.is_relative_to(report):
        raise UsageError(f"{RESULTS}: found {stated}, in the report folder {report}; allowed is a folder elsewhere")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / DONE).unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"{RESULTS}: found {stated}: {error.strerror}; allowed is a folder to write into") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{RESULTS}: found {stated}, which cannot be written; allowed is a folder to write into")
    return folder


def run(argv: Sequence[str], shown: BinaryIO) -> Ended:
    """Run a program; what it prints is shown as it comes, SIGTERM and Ctrl-C end it as SIGTERM does.

    It has a session of its own, so that a terminal's Ctrl-C reaches it once, through us.
    """
    process: subprocess.Popen[bytes] | None = None
    told: list[int] = []

    def forward(number: int, _: FrameType | None) -> None:
        told.append(number)
        if process is not None:
            process.send_signal(signal.SIGTERM)

    before = {number: signal.signal(number, forward) for number in (signal.SIGTERM, signal.SIGINT)}
    kept = bytearray()
    try:
        process = subprocess.Popen(
            argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        if told:
            process.send_signal(signal.SIGTERM)
        reader = threading.Thread(target=_tee, args=(process.stdout, shown, kept), daemon=True)
        reader.start()
        code = process.wait()
        reader.join(LAST_WORDS_S)
    finally:
        for number, handler in before.items():
            # None: the handler was not set from Python and cannot be set back from it.
            if handler is not None:
                signal.signal(number, handler)
    return Ended(code if code >= 0 else 128 - code, bytes(kept).decode("utf-8", "replace"))


def _tee(source: BinaryIO, shown: BinaryIO, kept: bytearray) -> None:
    """Show all that comes, and keep the end of it."""
    while part := os.read(source.fileno(), 65536):
        shown.write(part)
        shown.flush()
        kept += part
        del kept[:-OUTPUT_BYTES]


def hand_over(report: Path, results: Path, ended: Ended) -> Path:
    """Put the tarball of a report folder into the results folder, then `done`; returns the tarball's path.

    In the tarball: what the report folder has, at its root, and output.txt. A run that was killed has its record, and
    its reports are made here; where the suite could not begin there is a junit.xml with one error, which says what it
    said. Names that begin with a dot are left out: they are partial.

    Raises:
        OSError: the results folder could not be written; there is no `done` then.
    """
    path = results / TARBALL
    partial = results / f".{TARBALL}.{os.getpid()}"
    output = redact(ended.output)
    if not (report / junit.FILE).is_file() and (report / record.FILE).is_file():
        with contextlib.suppress(UsageError):
            outputs.render(report, strict=False)
    try:
        with tarfile.open(partial, "w:gz") as tar:
            found = sorted(one for one in report.iterdir() if one.name[0] != ".") if report.is_dir() else []
            for one in found:
                tar.add(one, arcname=one.name)
            _add(tar, OUTPUT, output.encode())
            if not (report / junit.FILE).is_file():
                _add(tar, junit.FILE, junit.not_begun(f"exit code {ended.code}", output))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    # Without a line's end: the whole content is the path.
    outputs.replace(results / DONE, str(path).encode())
    return path


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, BytesIO(content))


def collect(results: Path, out: BinaryIO) -> None:
    """Wait until a report is handed over, then write its tarball in base64: `kubectl logs` carries lines of text.

    A container beside the suite's does this where there is no volume that outlives the pod.

    Raises:
        UsageError: there is no such folder, or `done` does not name a file that can be read.
    """
    if not results.is_dir():
        raise UsageError(f"DIR {results}: no such folder; allowed is {RESULTS} of the container that runs the suite")
    done, between = results / DONE, threading.Event()
    while not done.is_file():
        between.wait(LOOK_EVERY_S)
    named = done.read_text("utf-8")
    try:
        content = Path(named).read_bytes()
    except OSError as error:
        raise UsageError(f"{done}: found {named!r}: {error.strerror}; allowed is the path of a tarball") from error
    out.write(base64.encodebytes(content))
    out.flush()


if __name__ == "__main__":
    sys.exit(main())
