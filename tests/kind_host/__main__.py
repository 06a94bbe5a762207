"""`python -m tests.kind_host COMMAND...`: run a command where a Docker engine with a kind node image is.

It gets the engine by DOCKER_HOST, and pytest the images by PYTEST_ADDOPTS: `tox -e kind` needs no more.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from fixtures.clusters.kind.programs import KIND
from fixtures.clusters.kind.settings import WORKERS
from fixtures.clusters.local.build import ensure_binaries
from fixtures.clusters.local.images import PYTHON_IMAGE
from fixtures.clusters.local.preflight import check_inotify, check_root
from fixtures.clusters.local.progress import PlainProgress, Progress
from fixtures.errors import SuiteError, UsageError
from fixtures.interrupts import sigterm_as_interrupt
from tests.kind_host.engine import Engine
from tests.kind_host.image import IMAGE, engine

NODES = WORKERS + 1
OPTIONS = (f"--kind-image={IMAGE}", f"--image=python={PYTHON_IMAGE}")


@contextmanager
def prepared(progress: Progress) -> Iterator[Engine]:
    """A running engine that has the node image, and kind in the cache.

    Raises:
        UsageError: this machine lacks something.
        SuiteError: the image could not be made, or the engine did not start.
    """
    check_root()
    check_inotify(NODES)
    # Where the engine is there is no way to a module proxy.
    ensure_binaries(progress, upstreams=[KIND])
    with engine(progress) as running:
        yield running


def main(argv: list[str]) -> int:
    """Run the command; returns its exit code, 3 when there is no engine, 4 for bad input."""
    sigterm_as_interrupt()
    progress = PlainProgress(lambda text: print(text, file=sys.stderr, flush=True))
    try:
        if not argv:
            raise UsageError("COMMAND: missing; allowed is a program with its arguments")
        with prepared(progress) as running:
            environment = {**running.environment, "PYTEST_ADDOPTS": shlex.join(OPTIONS)}
            return _run(running.inside(argv), environment)
    except KeyboardInterrupt:
        return 130
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 4
    except SuiteError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3


def _run(argv: list[str], environment: dict[str, str]) -> int:
    """Run the command; an interrupt is handed to it, and its end waited for."""
    with subprocess.Popen(argv, env=environment) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
