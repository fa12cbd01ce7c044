"""Appended: a log's file, to which several threads and processes append lines, each whole or not at all."""

import contextlib
import fcntl
import logging
import os
from pathlib import Path

from service.rotation import Rotation

_log = logging.getLogger("seedpath.gate")


class Appended:
    """The file that has the log's name now: it may be moved away at any time, or put by as `rotation` says.
    Its files are for their owner alone."""

    def __init__(self, path: Path, rotation: Rotation) -> None:
        self._path, self._rotation = path, rotation
        self._handle: int | None = None
        self._is_stuck = False

    def append(self, lines: bytes) -> None:
        """Append whole lines. Raises OSError; then the file is as it was, unless that fails too."""
        handle = self._handle = self._followed()
        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            before = os.fstat(handle).st_size
            try:
                _write(handle, lines)
            except OSError:
                # The lines are kept by who appends them: half of one would stand there twice.
                with contextlib.suppress(OSError):
                    os.ftruncate(handle, before)
                raise
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close it until the next line."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _followed(self) -> int:
        """The file that has the log's name; where none can be made, that which had it last."""
        handle = self._open() if self._handle is None else self._handle
        try:
            if self._rotation.is_followed(handle):
                opened = self._open()
                os.close(handle)
                handle = opened
            self._is_stuck = False
        except OSError as error:
            if not self._is_stuck:
                _log.error("%s: the log cannot be begun anew: %s", self._path, error)
            self._is_stuck = True
        return handle

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def _write(handle: int, lines: bytes) -> None:
    """All of it: a disk that becomes full takes a part, and refuses the rest."""
    rest = memoryview(lines)
    while rest:
        rest = rest[os.write(handle, rest) :]
