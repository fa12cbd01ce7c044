"""Append file: a log file to which several threads and processes append lines, each line whole or not at
all."""

import contextlib
import errno
import logging
import os
from pathlib import Path

from service.host.atomic_write import flush
from service.logs.rotation import Rotation, file_lock

TRIES = 20
"""How often the lock on the file is tried for one line, a millisecond apart [U]: normally others hold it only
while they write a line. After a failure, each following line tries once."""

NO_DISK = (errno.EINVAL, errno.EROFS)
"""Errors of fsync for files that need no flush, such as a terminal or a pipe (fsync(2))."""

_log = logging.getLogger("seedpath.logs")


class AppendFile:
    """The file that has the log's name now: it may be moved away at any time, or rotated as `rotation` says.
    Only its owner may read it. For one thread at a time."""

    def __init__(self, path: Path, rotation: Rotation) -> None:
        self._path, self._rotation = path, rotation
        self._handle: int | None = None
        self._is_stuck = self._is_held = self._is_written = False

    def append(self, lines: bytes) -> None:
        """Append whole lines. Raises OSError; the file is then unchanged, unless restoring it fails too."""
        handle = self._handle = self._followed()
        try:
            with file_lock(handle, 1 if self._is_held else TRIES):
                self._is_held = False
                self._is_written = True
                _append(handle, lines)
        except BlockingIOError:
            self._is_held = True
            raise BlockingIOError(
                errno.EAGAIN, "another program holds a lock on it", str(self._path)
            ) from None
        except OSError as error:
            error.filename = str(self._path)
            raise

    def unsettled(self) -> int | None:
        """A duplicate of the open file for `settle`, if lines were written since the last call; None
        otherwise."""
        if self._handle is None or not self._is_written:
            return None
        self._is_written = False
        return os.dup(self._handle)

    def close(self) -> None:
        """Flush and close the file, until the next line. Raises OSError."""
        handle, self._handle = self._handle, None
        if handle is not None:
            settle(handle)

    def _followed(self) -> int:
        """The file that has the log's name; if none can be created, the one that had it last."""
        handle = self._open() if self._handle is None else self._handle
        try:
            if self._rotation.is_followed(handle):
                before, handle = handle, self._open()
                # Rare, and only the lines of about one second.
                settle(before)
            self._is_stuck = False
        except OSError as error:
            if not self._is_stuck:
                _log.error("%s: a new log file cannot be started: %s", self._path, error)
            self._is_stuck = True
        return handle

    def _open(self) -> int:
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        # A process that may write in a folder may not be allowed to read it, and not all disks support this.
        with contextlib.suppress(OSError):
            flush(self._path.parent)
        return handle


def settle(handle: int) -> None:
    """Write the content of an open file to the disk, and close it. Raises OSError."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in NO_DISK:
            raise
    finally:
        os.close(handle)


def _append(handle: int, lines: bytes) -> None:
    before = os.fstat(handle).st_size
    try:
        _write(handle, lines)
    except OSError:
        # The caller keeps the lines and tries again: a half-written line would be there twice.
        with contextlib.suppress(OSError):
            os.ftruncate(handle, before)
        raise


def _write(handle: int, lines: bytes) -> None:
    """Write all of it: a disk that becomes full takes a part, and refuses the rest."""
    unwritten = memoryview(lines)
    while unwritten:
        unwritten = unwritten[os.write(handle, unwritten) :]
