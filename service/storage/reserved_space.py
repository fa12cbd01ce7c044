"""ReservedSpace: room on a disk that is kept back for records, as a file of its size that holds nothing.

On a full disk a removal has to be noted, and a cancelled job, and who asked for it. The file is shortened for
that, a slice at a time, so that a program which fills the disk meanwhile gets a slice at most. While it is
not whole, nothing is taken in or made: what room there is, is for making more. It is made whole again once
there is room. The file itself says how things stand, so that all processes that share the disk know.
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
"""What is kept back is given up in so many steps [U]. Of 32 MiB each is what SQLite's write-ahead log takes
before it is begun anew: 1,000 pages of 4 KiB (sqlite.org/pragma.html#pragma_wal_autocheckpoint)."""

FOR_REMOVALS = 0.5
"""The share that lines of the audit log leave to the other records [U]."""

SPARE = 2
"""The reserve is made where there is room for so many of it: records go on being written beside [U]."""

CHUNK_BYTES = 1 << 16

NAME = "reserve"

_log = logging.getLogger("seedpath.store")


class ReservedSpace:
    """`bytes` in a data folder, shared by all processes that name it."""

    def __init__(self, folder: Path, bytes: int) -> None:
        self._file, self._bytes = folder / NAME, bytes

    @property
    def is_whole(self) -> bool:
        """Whether all of it is there."""
        return self._bytes == 0 or self._size() >= self._bytes

    @property
    def has_room(self) -> bool:
        """Whether as much is free beside it: what is taken in must not come to need it."""
        return self._bytes == 0 or self._free() >= self._bytes

    def make(self) -> bool:
        """Have it whole, where there is room; returns whether it is. Raises OSError where the disk is not
        full, and cannot be written."""
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
            # Of an owner of files with a quota, whose room is not that of the disk.
            os.ftruncate(handle, before)
            return False
        finally:
            os.close(handle)
        if before > 0:
            _log.warning("There is room on the disk of %s: the reserve for records is whole.", self._file)
        return True

    def refuse_use(self) -> None:
        """Raises NoRoom where what room there is, is for records alone: the reserve cannot be made whole, or
        less than as much is free beside it. Raises OSError as `make` does."""
        if not (self.make() and self.has_room):
            raise NoRoom

    def give_up(self, least_share: float = 0.0) -> bool:
        """Give up a slice for records that cannot be written; False where no more than that share is left."""
        size = self._size()
        if size <= least_share * self._bytes:
            return False
        with contextlib.suppress(FileNotFoundError):
            # All that an earlier setting kept back, where this one is for none.
            slice = -(-self._bytes // SLICES) or size
            os.truncate(self._file, max(0, size - slice))
        _log.error(
            "The disk of %s is full: records take from the reserve for them, of which %d KiB are left. "
            "Nothing is taken in or made until there is room.",
            self._file,
            self._size() >> 10,
        )
        return True

    def _free(self) -> int:
        """What is free on its disk, for who may not take what is kept for root."""
        disk = os.statvfs(self._file.parent)
        return disk.f_bavail * disk.f_frsize

    def _size(self) -> int:
        try:
            return self._file.stat().st_size
        except FileNotFoundError:
            return 0


def _allocate(handle: int, bytes: int) -> None:
    """Give a file blocks, not a length alone. Raises OSError."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, bytes)
        return
    # macOS has no such call.
    for _ in range(-(-bytes // CHUNK_BYTES)):
        os.write(handle, b"\0" * CHUNK_BYTES)


def reserve_of(settings: Settings) -> ReservedSpace:
    """What is kept back in a service's data folder. Other folders are not its own to make files in."""
    return ReservedSpace(settings.data_dir, settings.reserve_bytes)


def records_room(settings: Settings) -> Callable[[], bool]:
    """Gives up room for records that cannot be written, as `Database` asks for it."""
    return _room(settings, _records(settings), 0.0)


def audit_room(settings: Settings) -> Callable[[], bool]:
    """Gives up room for lines of the audit log that cannot be written, and leaves the rest to records."""
    return _room(settings, settings.audit, FOR_REMOVALS)


def without_reserve(settings: Settings) -> list[Path]:
    """The files of records and of the audit log for which no room is kept back: they are on other disks."""
    files = [file for file in (_records(settings), settings.audit) if file is not None]
    return [file for file in files if settings.reserve_bytes > 0 and not _is_beside(settings, file)]


def _room(settings: Settings, file: Path | None, least_share: float) -> Callable[[], bool]:
    """Gives up room for a file that is on the data folder's disk; there is none for another."""
    reserve = reserve_of(settings)
    return lambda: file is not None and _is_beside(settings, file) and reserve.give_up(least_share)


def _is_beside(settings: Settings, file: Path) -> bool:
    """Whether it is on the data folder's disk."""
    return file.parent.stat().st_dev == settings.data_dir.stat().st_dev


def _records(settings: Settings) -> Path | None:
    """The file of the records; None where a server has them, on disks of its own."""
    return file_of(address_of(settings.database))
