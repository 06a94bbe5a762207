"""Docker's engine and what makes a Debian file system: Debian's packages, unpacked into the cache, not installed."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from pathlib import Path

from fixtures.clusters.local.cache import exclusive, publishing
from fixtures.clusters.local.paths import cache_dir
from fixtures.clusters.local.progress import Progress
from fixtures.errors import UsageError

PACKAGES = ("containerd", "docker.io", "mmdebstrap", "runc", "tini")


def ensure_tools(progress: Progress) -> Path:
    """The folder that the packages are unpacked in; programs are in usr/bin and usr/sbin below it.

    Raises:
        UsageError: this is no Debian, or its archive cannot be reached.
    """
    folder = cache_dir() / "kind-host" / f"tools-{_key()}"
    with exclusive(cache_dir() / "locks" / "kind-host-tools.lock"):
        if folder.exists():
            return folder
        progress.line(f"unpacking {', '.join(PACKAGES)}")
        with publishing(folder) as scratch, tempfile.TemporaryDirectory(prefix="kind-host-") as downloads:
            _run(["apt-get", "download", *PACKAGES], cwd=Path(downloads))
            for package in sorted(Path(downloads).glob("*.deb")):
                _run(["dpkg", "--extract", str(package), str(scratch)])
    return folder


def _key() -> str:
    """A hash of what would be fetched: names, versions and checksums."""
    command = ["apt-get", "download", "--print-uris", *PACKAGES]
    try:
        wanted = _run(command)
    except UsageError:
        # The lists of packages may not be there yet.
        _run(["apt-get", "update", "--quiet"])
        wanted = _run(command)
    return hashlib.sha256(wanted.encode()).hexdigest()[:16]


def _run(argv: list[str], cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    except OSError as error:
        raise UsageError(f"{argv[0]}: {error.strerror}; real kind is made of Debian's packages") from error
    if done.returncode:
        reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
        raise UsageError(f"{' '.join(argv)} ended with {done.returncode}: {reason}")
    return done.stdout
