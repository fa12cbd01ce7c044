"""Reserved space: a file that keeps disk space free for records.

On a full disk, a removal, a cancelled job, and the requests for them must still be recorded. For that the
file is shortened, one slice at a time, so that a program which fills the disk meanwhile gets at most one
slice. While the file is shorter than its full size, nothing is accepted or made. It is restored once there is
space again. Its size is the state, visible to all processes that share the disk.
"""

import contextlib
import logging
import os
from collections.abc import Callable
from pathlib import Path

from service.host.disk_errors import FULL
from service.settings import Settings
from service.storage.database.address import address_of, file_of
from service.storage.errors import NoRoom

SLICES = 8
"""The reserve is given up in this many steps [U]. With 32 MiB, each is what SQLite's write-ahead log takes
before it is reused: 1,000 pages of 4 KiB (sqlite.org/pragma.html#pragma_wal_autocheckpoint)."""

FOR_REMOVALS = 0.5
"""The share that lines of the audit log leave to the other records [U]."""

SPARE = 2
"""The reserve is created if there is space for this many times its size: records are still being written
[U]."""

CHUNK_BYTES = 1 << 16

NAME = "reserve"

_log = logging.getLogger("seedpath.store")


class ReservedSpace:
    """`bytes` of space in a data folder, shared by all processes that use it."""

    def __init__(self, folder: Path, bytes: int) -> None:
        self._file, self._bytes = folder / NAME, bytes

    @property
    def is_whole(self) -> bool:
        """Whether the reserve has its full size."""
        return self._bytes == 0 or self._size() >= self._bytes

    @property
    def has_room(self) -> bool:
        """Whether the same number of bytes is free besides: accepted work must not come to need the
        reserve."""
        return self._bytes == 0 or self._free() >= self._bytes

    def make(self) -> bool:
        """Restore the full size if there is space; returns whether it is whole. Raises OSError if the disk is
        not full but cannot be written."""
        if self.is_whole:
            return True
        if self._free() < SPARE * self._bytes - self._size():
            return False
        before = self._size()
        handle = os.open(self._file, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            _allocate(handle, self._bytes)
        except OSError as error:
            if error.errno not in FULL:
                raise
            # A quota of the user is reached, though the disk has space.
            os.ftruncate(handle, before)
            return False
        finally:
            os.close(handle)
        if before > 0:
            _log.warning("There is space on the disk of %s: the reserve for records is complete.", self._file)
        return True

    def refuse_use(self) -> None:
        """Raises NoRoom where what room there is, is for records alone: the reserve cannot be made whole, or
        less than as much is free beside it. Raises OSError as `make` does."""
        if not (self.make() and self.has_room):
            raise NoRoom

    def give_up(self, least_share: float = 0.0) -> bool:
        """Give up a slice for records that cannot be written; False if no more than `least_share` is left."""
        size = self._size()
        if size <= least_share * self._bytes:
            return False
        with contextlib.suppress(FileNotFoundError):
            # If the present setting is 0, release all that an earlier one reserved.
            slice = -(-self._bytes // SLICES) or size
            os.truncate(self._file, max(0, size - slice))
        _log.error(
            "The disk of %s is full: records take from the reserve for them, of which %d KiB are left. "
            "Nothing is accepted or made until there is space.",
            self._file,
            self._size() >> 10,
        )
        return True

    def _free(self) -> int:
        """Free bytes on the disk for users other than root."""
        disk = os.statvfs(self._file.parent)
        return disk.f_bavail * disk.f_frsize

    def _size(self) -> int:
        try:
            return self._file.stat().st_size
        except FileNotFoundError:
            return 0


def _allocate(handle: int, bytes: int) -> None:
    """Allocate blocks for a file, not only a length. Raises OSError."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, bytes)
        return
    # macOS has no such call.
    for _ in range(-(-bytes // CHUNK_BYTES)):
        os.write(handle, b"\0" * CHUNK_BYTES)


def reserve_of(settings: Settings) -> ReservedSpace:
    """The reserved space in a service's data folder. In other folders the service creates no files."""
    return ReservedSpace(settings.data_dir, settings.reserve_bytes)


def records_room(settings: Settings) -> Callable[[], bool]:
    """A function that frees space for records that cannot be written, for `Database`."""
    return _room(settings, _records(settings), 0.0)


def audit_room(settings: Settings) -> Callable[[], bool]:
    """A function that frees space for lines of the audit log, and leaves the rest to records."""
    return _room(settings, settings.audit, FOR_REMOVALS)


def without_reserve(settings: Settings) -> list[Path]:
    """The files of records and of the audit log that are on other disks, where no space is reserved."""
    files = [file for file in (_records(settings), settings.audit) if file is not None]
    return [file for file in files if settings.reserve_bytes > 0 and not _is_beside(settings, file)]


def _room(settings: Settings, file: Path | None, least_share: float) -> Callable[[], bool]:
    """A function that frees space for a file, if it is on the disk of the data folder."""
    reserve = reserve_of(settings)
    return lambda: file is not None and _is_beside(settings, file) and reserve.give_up(least_share)


def _is_beside(settings: Settings, file: Path) -> bool:
    """Whether a file is on the disk of the data folder."""
    return file.parent.stat().st_dev == settings.data_dir.stat().st_dev


def _records(settings: Settings) -> Path | None:
    """The file of the records; None if a database server stores them."""
    return file_of(address_of(settings.database))
