"""Fakes for tests of the local cluster: a go command, and a place where progress is said."""

from __future__ import annotations

import os
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

import pytest

_GO = """\
#!/bin/sh
# FAKE_GO_LOG: a line per call; FAKE_GO_GATE: a build waits until that FIFO is written to.
echo "$1" >> "$FAKE_GO_LOG"
case "$1" in
version) echo "go version go$FAKE_GO_VERSION linux/amd64" ;;
list)
	if [ -n "$FAKE_GO_LIST_ERROR" ]; then echo "$FAKE_GO_LIST_ERROR" >&2; exit 1; fi
	printf 'first\\nsecond\\nthird\\n' ;;
build)
	until [ "$1" = -o ]; do shift; done
	echo first >&2
	echo half > "$2/pause"
	if [ -n "$FAKE_GO_GATE" ]; then echo waiting >&2; read -r _ < "$FAKE_GO_GATE"; fi
	echo second >&2
	if [ -n "$FAKE_GO_BUILD_ERROR" ]; then echo "$FAKE_GO_BUILD_ERROR" >&2; exit 1; fi
	for program in pause relay etcd; do echo "built $program" > "$2/$program"; done ;;
esac
"""


@dataclass
class Said:
    """A `Progress` that remembers."""

    lines: list[str] = field(default_factory=list)
    states: list[str] = field(default_factory=list)

    def line(self, text: str) -> None:
        """Remember a line."""
        self.lines.append(text)

    def status(self, text: str) -> None:
        """Remember a status."""
        self.states.append(text)


class FakeGo:
    """A go command, first on PATH, whose answers are set by environment variables.

    Args:
        folder: where it and its log stand.
        monkeypatch: sets the environment until the end of the test.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._log = folder / "go.log"
        self.path = folder / "bin" / "go"
        write_program(self.path, _GO)
        for name, value in (("LOG", str(self._log)), ("VERSION", "1.26.3")):
            self.set(name, value)
        for name in ("GATE", "LIST_ERROR", "BUILD_ERROR"):
            self.set(name, "")
        monkeypatch.setenv("PATH", f"{self.path.parent}{os.pathsep}{os.environ['PATH']}")

    def set(self, name: str, value: str) -> None:
        """Set one of VERSION, GATE, LIST_ERROR and BUILD_ERROR."""
        self._monkeypatch.setenv(f"FAKE_GO_{name}", value)

    def calls(self, verb: str) -> int:
        """How often `go VERB` was called."""
        return self._log.read_text().splitlines().count(verb) if self._log.exists() else 0


def write_program(path: Path, text: str) -> Path:
    """Write an executable script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    path.chmod(0o755)
    return path


def names_in(folder: Path) -> list[str]:
    """The names of all that is in a folder, hidden ones too, in order."""
    return sorted(path.name for path in folder.iterdir())
