"""Reserve: room on a disk that is kept back for records, as a file of its size that holds nothing.

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

from service.database.address import address_of, file_of
from service.problems import FULL, Problem, problem
from service.settings import Settings

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


class Reserve:
    """`bytes` in a folder, shared by all processes that name it."""

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


class Reserves:
    """What is kept back on the disks of a service's files, of its records where they are a file, and of its
    audit log: one reserve where these are in one folder."""

    def __init__(self, settings: Settings) -> None:
        audit = Reserve(settings.audit.parent, settings.reserve_bytes)
        self._all = (Reserve(settings.data_dir, settings.reserve_bytes), _of_records(settings), audit)

    def make(self) -> bool:
        """Have all of them whole, where there is room; returns whether they are, and as much is free beside.
        Raises OSError where a disk is not full, and cannot be written."""
        return all([reserve.make() and reserve.has_room for reserve in self._all])

    @property
    def are_whole(self) -> bool:
        """Whether all of them are there."""
        return all(reserve.is_whole for reserve in self._all)

    def refuse_use(self) -> None:
        """Raises Problem where what room there is, is for records alone."""
        if not self.make():
            raise no_room()


def _allocate(handle: int, bytes: int) -> None:
    """Give a file blocks, not a length alone. Raises OSError."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, bytes)
        return
    # macOS has no such call.
    for _ in range(-(-bytes // CHUNK_BYTES)):
        os.write(handle, b"\0" * CHUNK_BYTES)


def records_room(settings: Settings) -> Callable[[], bool]:
    """Gives up room for records that cannot be written, as `Database` asks for it."""
    return _of_records(settings).give_up


def audit_room(settings: Settings) -> Callable[[], bool]:
    """Gives up room for lines of the audit log that cannot be written, and leaves the rest to records."""
    reserve = Reserve(settings.audit.parent, settings.reserve_bytes)
    return lambda: reserve.give_up(FOR_REMOVALS)


def _of_records(settings: Settings) -> Reserve:
    file = file_of(address_of(settings.database))
    # A server's records are on disks of its own.
    return Reserve(settings.data_dir, 0) if file is None else Reserve(file.parent, settings.reserve_bytes)


def no_room() -> Problem:
    """What is answered to who wants something kept, where only records may be written."""
    return problem(
        "no-room",
        "The service's disk is full but for what is kept back for its records. Cancelling jobs and removing "
        "cases and results works, and makes room; whoever runs the service can make more.",
    )
