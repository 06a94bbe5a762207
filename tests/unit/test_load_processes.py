"""Locust as processes of this machine: it sends, it says why it does not start, and nothing of it stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fixtures.errors import SuiteError
from fixtures.history import History
from fixtures.load.generator import Generator
from fixtures.load.processes import LocustProcesses, workers_here
from fixtures.loads import LoadTarget

TOKEN, HOST = "t", "load.conformance.example"
GONE_WITHIN_S = 10.0
HOLD = """
import sys
from fixtures.load.processes import LocustProcesses
made = LocustProcesses((), workers=1)
print(made._folder, flush=True)
sys.stdin.read()
"""


class Answers(BaseHTTPRequestHandler):
    """A pod that says who it is, and which host it was asked for."""

    protocol_version = "HTTP/1.1"
    hosts: set[str] = set()  # noqa: RUF012 - of the one server

    def do_POST(self) -> None:
        """As the workload's pods answer."""
        self.hosts.add(self.headers["Host"])
        content = json.dumps({"pod": "p", "token": TOKEN}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    """Of a server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def processes_in(folder: str) -> list[int]:
    """The processes whose desk would be in a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            if f"LOAD_DESK={folder}/".encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return found


def gone(folder: str) -> bool:
    """Whether no process of the folder is left, after some time at most."""
    end, pause = time.monotonic() + GONE_WITHIN_S, threading.Event()
    while processes_in(folder) and time.monotonic() < end:
        pause.wait(0.1)
    return not processes_in(folder)


def test_it_sends_what_it_is_told_and_nothing_stays(port: int, tmp_path: Path) -> None:
    locusts = LocustProcesses((), workers=1)
    folder = locusts._folder
    generator = Generator(locusts, users=4)
    target = LoadTarget(name="pod", url=f"http://127.0.0.1:{port}/", token=TOKEN, host=HOST)
    take = generator.run(generator.block("direct", [target], "new", seconds=1, rate_per_s=40), History())
    generator.keep(tmp_path)
    generator.close()
    assert take.requests > 10
    assert take.failed.total() == 0
    assert set(take.pods) == {"p"}
    assert {HOST} == Answers.hosts
    assert (tmp_path / "locust.html").stat().st_size > 0
    assert gone(str(folder))
    assert not folder.exists()


def test_it_ends_when_the_process_is_killed_that_started_it() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ
    ) as holder:
        assert holder.stdout is not None
        folder = holder.stdout.readline().strip()
        started = len(processes_in(folder))
        holder.kill()
    assert started == 2
    assert gone(folder)


def test_a_program_that_does_not_run_there_is_said() -> None:
    with pytest.raises(SuiteError, match=r"^Locust outside the cluster: no-such-program: No such file or directory$"):
        LocustProcesses(("no-such-program",), workers=1)
    with pytest.raises(SuiteError, match=r"^Locust outside the cluster: its master does not start: no way in$"):
        LocustProcesses(("sh", "-c", "echo no way in; exit 1"), workers=1)


def test_as_many_workers_as_processors() -> None:
    assert 1 <= workers_here() <= 4
