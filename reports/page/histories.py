"""The histories of a run, each read once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fixtures.errors import UsageError
from reports.page.seen import Seen, read


class Histories:
    """The folder history/ of a run."""

    def __init__(self, folder: Path | None, digests: Mapping[str, str], *, strict: bool) -> None:
        """Nothing is read yet.

        Args:
            folder: None: there is none.
            digests: SHA-256 of each file as the run left it; empty: the run was killed, nothing is known.
            strict: whether a history that is not as it should be is refused; if not, it is only said.
        """
        self._strict = strict
        self._folder = folder
        self._digests = digests
        self._read: dict[str, tuple[Seen | None, str]] = {}

    def get(self, name: str) -> tuple[Seen | None, str]:
        """A history, and what is to be said of it: that it is not there, was cut off, cannot be read.

        Raises:
            UsageError: with `strict`, it was changed after the run, or is of another version.
        """
        if name not in self._read:
            try:
                self._read[name] = self._open(name)
            except UsageError as error:
                if self._strict:
                    raise
                self._read[name] = None, str(error)
        return self._read[name]

    def _open(self, name: str) -> tuple[Seen | None, str]:
        if self._folder is None or not (self._folder / name).is_file():
            return None, f"history/{name} is not there"
        path = self._folder / name
        try:
            seen = read(path)
        except OSError as error:
            return None, f"history/{name} cannot be read: {error.strerror}"
        stated = self._digests.get(name)
        if stated not in (None, seen.sha256):
            raise UsageError(
                f"{path}: it was changed after the run: it has the SHA-256 {seen.sha256}, {stated} is allowed"
            )
        return seen, f"history/{name} was cut off in its last line" if seen.cut_short else ""
