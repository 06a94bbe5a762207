"""Progress without a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from fixtures.clusters.local import progress
from fixtures.clusters.local.progress import PLAIN_STATUS_EVERY_S, PlainProgress, terminal_progress


class Clock:
    """A clock that a test sets."""

    now_s = 100.0

    def monotonic(self) -> float:
        """The time that was set."""
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the progress."""
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_a_status_is_written_when_nothing_was_for_long(clock: Clock) -> None:
    lines: list[str] = []
    plain = PlainProgress(lines.append)
    for second in range(101, 165):
        clock.now_s = second
        plain.status(f"at {second}")
    every = int(PLAIN_STATUS_EVERY_S)
    assert lines == [f"at {100 + n * every}" for n in (1, 2, 3)]


def test_lines_are_always_written_and_put_the_next_status_off(clock: Clock) -> None:
    lines: list[str] = []
    plain = PlainProgress(lines.append)
    clock.now_s += PLAIN_STATUS_EVERY_S - 1
    plain.line("one")
    plain.line("two")
    clock.now_s += PLAIN_STATUS_EVERY_S - 1
    plain.status("too early")
    assert lines == ["one", "two"]


def test_without_a_terminal_lines_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal_progress() as said:
        said.line("[1/7] built")
        said.status("not now")
    assert capsys.readouterr() == ("", "[1/7] built\n")


def test_on_a_terminal_brackets_are_not_markup() -> None:
    screen = io.StringIO()
    live = progress._LiveProgress(Console(file=screen, force_terminal=True, width=80))
    live.status("[1/7] tools")
    live.line("[bold] tools: built")
    live.stop()
    assert "[bold] tools: built" in screen.getvalue()
