"""A Docker engine for the time of a test, in namespaces and a cgroup of its own, so that nothing of it stays."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from fixtures.clusters.local.cgroups import Cgroups
from fixtures.clusters.local.paths import cache_dir
from fixtures.errors import SuiteError, UsageError
from fixtures.interrupts import uninterrupted

SCRIPT = Path(__file__).with_name("engine.sh")
CGROUP = "kind-host"
"""Holds every process of the engine and of its containers; there is one engine at a time (`image.py` has the lock)."""
STOP_TIMEOUT_S = 30.0
LONGEST_FOLDER = 80
"""A socket's path has 108 bytes (unix(7)), and Docker's own sockets are two folders deeper."""
_GO_THERE = 'cd "$1"; shift; exec "$@"'


class Engine:
    """A running engine; `with` stops it.

    Args:
        tools: the unpacked packages.
        data: where its images are kept; containers, volumes and networks are removed when it stops.
    """

    def __init__(self, tools: Path, data: Path) -> None:
        self._data = data
        self._programs = (tools / "usr" / "bin", tools / "usr" / "sbin")
        self._folder = cache_dir() / "kind-host" / "run"
        if len(str(self._folder)) > LONGEST_FOLDER:
            raise UsageError(
                f"XDG_CACHE_HOME: {self._folder} is too long for a socket; allowed are {LONGEST_FOLDER} bytes"
            )
        self._cgroups = Cgroups()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it.

        Raises:
            SuiteError: it ended before it answered; the message has the end of its log.
        """
        try:
            self._start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        """Remove its containers, stop it, and remove what is left."""
        with uninterrupted():
            assert self._process is not None
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            finally:
                self._remove()

    @property
    def environment(self) -> dict[str, str]:
        """This process' environment, with the engine and its command line."""
        path = os.pathsep.join([*map(str, self._programs), os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
        return {**os.environ, "PATH": path, "DOCKER_HOST": f"unix://{self._folder}/docker.sock"}

    def inside(self, argv: Sequence[str], *, folder: Path | None = None) -> list[str]:
        """The command that runs `argv` where the engine is: the host of its nodes, which has no way out.

        Args:
            argv: the program and its arguments.
            folder: where it runs; None: where this process does.
        """
        assert self._process is not None
        enter = ["nsenter", f"--target={self._process.pid}", "--net", "--mount", "--"]
        return [*enter, "sh", "-c", _GO_THERE, "sh", str(folder or Path.cwd()), *argv]

    def docker(self, *argv: str, stdin: int | None = None) -> str:
        """Run a docker command and return its output; raises SuiteError when it fails."""
        command = self.inside(["docker", *argv])
        done = subprocess.run(command, stdin=stdin, env=self.environment, capture_output=True, check=False)
        if done.returncode:
            raise SuiteError(f"docker {argv[0]} ended with {done.returncode}: {done.stderr.decode().strip()[-500:]}")
        return done.stdout.decode()

    def _start(self) -> None:
        # What a killed run left: its engine ends by itself when its standard input does, but that takes a moment.
        self._cgroups.end_processes(CGROUP)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        for leaf in ("engine", "nodes"):
            self._cgroups.create(f"{CGROUP}/{leaf}")
        # As the built-in cluster: a busy neighbour must not be mistaken for a slow Service.
        self._cgroups.weigh(CGROUP, 2)
        log = self._folder / "engine.log"
        # The engine's own group, in every tree; the shell moves itself before it becomes the script.
        files = " ".join(f"'{file}'" for file in self._cgroups.process_files(f"{CGROUP}/engine"))
        script = f'for file in {files}; do echo $$ > "$file"; done; exec unshare --net --mount -- bash "$@"'
        arguments = [str(SCRIPT), str(self._folder), str(self._data), f"{CGROUP}/nodes"]
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                ["sh", "-ec", script, "engine", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=out,
                env=self.environment,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        with self._process.stdout:
            if self._process.stdout.readline() != b"ready\n":
                raise SuiteError(f"the Docker engine did not start: {self._said()}")

    def _said(self) -> str:
        logs = [self._folder / name for name in ("engine.log", "dockerd.log")]
        return "\n".join(log.read_text(errors="replace")[-1500:] for log in logs if log.exists())

    def _remove(self) -> None:
        self._cgroups.end_processes(CGROUP)
        if self._process is not None:
            self._process.wait(STOP_TIMEOUT_S)
        self._cgroups.remove(CGROUP)
        shutil.rmtree(self._folder)
