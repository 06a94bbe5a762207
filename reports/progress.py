"""What a run is doing right now, for a terminal: running tests, time left, current disturbance, how it went so far."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from fixtures.errors import UsageError
from fixtures.verdicts import Verdict
from reports import record
from reports.record import CaseFinished
from reports.summary import Line, count

REFRESHES_PER_S = 4
RUNNING_SHOWN = 8
READ_AT_ONCE = 1 << 23
"""Bytes of a history that are looked through between two refreshes at most."""


class Disturbances:
    """What disturbs the cluster now, by the histories that the test processes write."""

    def __init__(self, folder: Path) -> None:
        """Nothing is read yet; `folder` holds the histories, and need not be there."""
        self._folder = folder
        self._read: dict[Path, int] = {}
        self._open: dict[str, int] = {}

    def now(self) -> list[str]:
        """What has begun and not ended."""
        for path in sorted(self._folder.glob("*.jsonl")):
            with contextlib.suppress(OSError):
                self._follow(path)
        return [what for what, number in self._open.items() if number > 0]

    def _follow(self, path: Path) -> None:
        with path.open("rb") as file:
            file.seek(self._read.get(path, 0))
            text = file.read(READ_AT_ONCE)
        whole = text[: text.rfind(b"\n") + 1]
        self._read[path] = self._read.get(path, 0) + len(whole)
        for line in whole.splitlines():
            # Most lines are probes, which need not be parsed for this.
            if b'"event":{"kind":"fault"' in line[:200]:
                event = json.loads(line)["event"]
                step = 1 if event["moment"] == "start" else -1
                self._open[event["what"]] = self._open.get(event["what"], 0) + step


class Progress:
    """How far a run is; knows nothing of terminals."""

    def __init__(self, titles: Mapping[str, str], *, workers: int, known_s: Mapping[str, float]) -> None:
        """Nothing has run yet.

        Args:
            titles: of all cases, by id, in a reader's words.
            workers: processes that run them.
            known_s: how long cases took in an earlier run, by id.
        """
        self._titles = titles
        self._workers = workers
        self._known_s = known_s
        self._running: dict[str, float] = {}
        self._took_s: dict[str, float] = {}
        self._verdicts: dict[str, Verdict] = {}

    def begin(self, case: str, at_s: float) -> None:
        """A case starts at this second of the run's clock."""
        self._running.setdefault(case, at_s)

    def end(self, case: str, verdict: Verdict, took_s: float) -> None:
        """A case is finished."""
        self._running.pop(case, None)
        self._took_s[case], self._verdicts[case] = took_s, verdict

    def left_s(self, at_s: float) -> float | None:
        """About how many seconds the run goes on; None: nothing is known yet."""
        usual_s = statistics.mean(self._took_s.values()) if self._took_s else None
        left_s = 0.0
        for case in self._titles:
            if case in self._took_s:
                continue
            expected_s = self._known_s.get(case, usual_s)
            if expected_s is None:
                return None
            left_s += max(0.0, expected_s - (at_s - self._running.get(case, at_s)))
        return left_s / self._workers

    def lines(self, at_s: float, disturbances: Iterable[str]) -> list[Line]:
        """What to show at a second of the run's clock."""
        left_s = self.left_s(at_s)
        words = [f"{len(self._verdicts)} of {count(len(self._titles), 'case')}"]
        for verdict in (Verdict.FAIL, Verdict.ERROR):
            number = list(self._verdicts.values()).count(verdict)
            words += [f"{number} {verdict}"] if number else []
        words.append(_clock(at_s) + (f", about {_clock(left_s)} left" if left_s is not None else ""))
        bad = {Verdict.FAIL, Verdict.ERROR} & set(self._verdicts.values())
        found = [Line(" · ".join(words), "red" if bad else "cyan")]
        shown = list(self._running.items())[:RUNNING_SHOWN]
        found += [Line(f"  {_clock(at_s - begun_s):>7}  {self._titles.get(case, case)}") for case, begun_s in shown]
        if len(self._running) > RUNNING_SHOWN:
            found.append(Line(f"           and {len(self._running) - RUNNING_SHOWN} more"))
        return found + [Line(f"  disturbance: {what}", "yellow") for what in disturbances]


class View:
    """Keeps the lines of a Progress at the foot of the terminal, and prints others above them."""

    def __init__(self, progress: Progress, disturbances: Disturbances) -> None:
        """Show nothing yet."""
        self.progress = progress
        self._disturbances = disturbances
        self._began_at = time.monotonic()
        # pytest points the descriptor of standard output elsewhere while a test runs in this process.
        self._file = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
        self._console = Console(file=self._file, highlight=False, soft_wrap=True)
        self._live = Live(
            get_renderable=self._renderable,
            console=self._console,
            refresh_per_second=REFRESHES_PER_S,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    @staticmethod
    def fits() -> bool:
        """Whether standard output is a terminal that can be drawn on."""
        return os.isatty(1) and os.environ.get("TERM", "dumb") != "dumb" and "CI" not in os.environ

    @property
    def now_s(self) -> float:
        """Seconds since the view was made."""
        return time.monotonic() - self._began_at

    def start(self) -> None:
        """Show the lines."""
        self._live.start()

    def stop(self) -> None:
        """Take the lines away; may be called twice."""
        if not self._file.closed:
            self._live.stop()
            self._file.close()

    def print(self, line: Line) -> None:
        """Print a line above."""
        self._console.print(Text(line.text, style=line.colour))

    def _renderable(self) -> Group:
        lines = self.progress.lines(self.now_s, self._disturbances.now())
        return Group(*(Text(line.text, style=line.colour, no_wrap=True, overflow="ellipsis") for line in lines))


def known_durations(folder: Path) -> dict[str, float]:
    """Seconds that each case took in the newest readable run beside `folder`, by id; none: nothing is known."""
    beside = sorted(folder.parent.glob(f"*/{record.FILE}"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in beside:
        if path.parent == folder:
            continue
        with contextlib.suppress(UsageError):
            events = record.read(path.parent)
            return {event.case: event.duration_s for event in events if isinstance(event, CaseFinished)}
    return {}


def _clock(seconds: float) -> str:
    """Whole seconds, or minutes and seconds."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60}:{whole % 60:02d} min"
