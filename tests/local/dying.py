"""The command `up`, stopped at one exact place.

usage: python -m tests.local.dying SIGNAL WHEN WHAT N ARGUMENTS…
SIGNAL (KILL, INT or TERM) is sent to this process just `before` or `after` (WHEN) the Nth call of WHAT.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from fixtures.clusters.local.__main__ import main
from fixtures.clusters.local.cgroups import Cgroups
from fixtures.clusters.local.processes import Spawner
from fixtures.clusters.local.state import State

PLACES: dict[str, tuple[type, str]] = {
    "start": (Spawner, "start"),
    "save": (State, "save"),
    "cgroup": (Cgroups, "create"),
}
"""What can be named as WHAT: a step that makes something on this machine."""


def die_at(place: str, when: str, call: int, number: signal.Signals) -> None:
    """Let this process send itself a signal before or after one call, counted from 1."""
    owner, name = PLACES[place]
    original: Callable[..., Any] = getattr(owner, name)
    left = call

    def counted(*args: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the original takes and gives
        nonlocal left
        left -= 1
        if left == 0 and when == "before":
            os.kill(os.getpid(), number)
        result = original(*args, **named)
        if left == 0 and when == "after":
            os.kill(os.getpid(), number)
        return result

    setattr(owner, name, counted)


if __name__ == "__main__":
    die_at(sys.argv[3], sys.argv[2], int(sys.argv[4]), signal.Signals[f"SIG{sys.argv[1]}"])
    sys.exit(main(sys.argv[5:]))
