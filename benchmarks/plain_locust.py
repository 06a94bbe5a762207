"""Locust as a person runs it by hand: a locustfile of a few lines, its own command, its own numbers."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fixtures.clusters.local.cluster import LocalCluster
from fixtures.clusters.local.processes import in_network_namespace
from fixtures.errors import SuiteError

TARGETS = "targets"
"""The file beside the locustfile with a URL in each line."""
LOCUSTFILE = f"""\
import itertools
from pathlib import Path

from locust import FastHttpUser, task

URLS = Path(__file__).with_name("{TARGETS}").read_text().split()
NUMBERS = itertools.count()


class Caller(FastHttpUser):
    host = URLS[0]
    network_timeout = connection_timeout = 5.0
    max_retries = 0

    def on_start(self):
        number = next(NUMBERS) + getattr(self.environment.runner, "worker_index", 0)
        self.url = URLS[number % len(URLS)]

    @task
    def call(self):
        self.client.post(self.url)
"""
"""The same requests as fixtures/load/locustfile.py sends: one URL for each user, timeouts, reused connections; answers
are not read. Not a module, since importing Locust patches the standard library."""
MAX_FAILED = 0.01
"""Of the requests: more, and what was measured is something else."""
STARTED_WITHIN_S = 30.0
"""How long Locust may take beyond its time."""
LACKING = "Locust is not installed: pip install -e '.[load]'"


def files(urls: Iterable[str]) -> dict[str, str]:
    """The locustfile and what it reads, by name."""
    return {"locustfile.py": LOCUSTFILE, TARGETS: "\n".join(urls)}


def is_installed() -> bool:
    """Whether Locust is; it is looked for, not imported."""
    return find_spec("locust") is not None


def from_outside(cluster: LocalCluster, url: str, *, users: int, seconds: int) -> float:
    """Requests a second that users get from a URL, one process at the client outside, each sending when answered.

    Raises:
        SuiteError: Locust failed, or more than MAX_FAILED of the requests did.
    """
    argv = [sys.executable, "-m", "locust", "--headless", "--only-summary", "--loglevel=ERROR"]
    argv += [f"--users={users}", f"--spawn-rate={users}", f"--run-time={seconds}s"]
    argv += ["--exit-code-on-error=0", "--json-file=stats"]
    with tempfile.TemporaryDirectory(prefix="locust-") as made:
        folder = Path(made)
        for name, text in files([url]).items():
            (folder / name).write_text(text, "utf-8")
        done = subprocess.run(
            in_network_namespace(cluster.host("client").namespace, argv),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds + STARTED_WITHIN_S,
            check=False,
        )
        if done.returncode or not (folder / "stats.json").exists():
            raise SuiteError(f"Locust ended with {done.returncode}: {(done.stdout + done.stderr)[-500:]}")
        return per_s(json.loads((folder / "stats.json").read_text("utf-8")))


def per_s(entries: Iterable[Mapping[str, Any]]) -> float:
    """Requests a second over the whole seconds of a run, which are all but its first and its last.

    Args:
        entries: of --json-file: `num_requests`, `num_failures`, and `num_reqs_per_sec` by second of the clock.

    Raises:
        SuiteError: there is no whole second, or too much failed.
    """
    seconds: Counter[int] = Counter()
    requests = failures = 0
    for entry in entries:
        requests, failures = requests + int(entry["num_requests"]), failures + int(entry["num_failures"])
        seconds.update({int(second): int(count) for second, count in entry["num_reqs_per_sec"].items()})
    must_have_answers(failures / requests if requests else 1.0)
    whole = range(min(seconds) + 1, max(seconds))
    if not whole:
        raise SuiteError(f"Locust: its {requests} requests are of less than a whole second")
    return sum(seconds[second] for second in whole) / len(whole)


def of_page(said: Mapping[str, Any]) -> float:
    """Requests a second as Locust's page shows them: of ten seconds before the last two.

    Args:
        said: what the page is made of (`/stats/requests`).

    Raises:
        SuiteError: too much failed, or it is not Locust's answer.
    """
    try:
        must_have_answers(float(said["fail_ratio"]))
        return float(said["current_rps"])
    except (KeyError, TypeError, ValueError) as error:
        raise SuiteError(f"Locust: /stats/requests is not as expected: {error!r}") from error


def must_have_answers(failed: float) -> None:
    """Raise SuiteError when more than MAX_FAILED of the requests failed."""
    if failed > MAX_FAILED:
        raise SuiteError(f"Locust: {failed:.0%} of its requests failed; allowed is {MAX_FAILED:.0%}")
