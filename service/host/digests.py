"""Digests: checks that files are still what was written. Each file is hashed once, as long as it does not
change.

A file is identified by its path, size, mtime and inode: while these stay the same, it is not hashed again. A
file whose mtime is not settled yet is hashed again, because a second change within one tick of the file
system's clock would leave all four the same (Git does the same: Documentation/technical/racy-git.txt). An
mtime is settled if it is older than one tick by this machine's clock, or, if the file's clock is ahead, if
the file has been seen unchanged for that long.

Guaranteed: a file that was damaged, cut, replaced or removed at rest is detected by any process that was
started since, or if the change touched size, mtime or inode. Not guaranteed: that a file does not change
between its check and its use; and that a disk which loses bits of a file that was checked already is noticed
before the next start. `seedpath store check` starts without any memory. Each process has its own memory.
"""

import errno
import hashlib
import os
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

SETTLED_NS = 2_000_000_000
"""The coarsest tick of a file system's clock: FAT's, two seconds (Microsoft, FAT specification, 2000)."""

MOST_FILES = 50_000
"""Number of files remembered, about twenty megabytes [U]."""

MIB = 1 << 20


@dataclass(frozen=True)
class _State:
    """What identifies an unchanged file."""

    size: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True)
class _Moment:
    """A moment by the wall clock, which dates files, and by a monotonic clock."""

    wall_ns: int
    steady_ns: int


@dataclass(frozen=True)
class _Seen:
    """A file's state, since when it has been seen so, and the finding; None before it is settled."""

    state: _State
    since: _Moment
    found: str | bool | None


class Digests:
    """Findings about files, remembered as long as the files do not change. For any number of threads.

    `hashed_bytes` counts the bytes that were hashed. Every method raises OSError; anything but a plain file
    cannot be read.
    """

    def __init__(self, most: int = MOST_FILES) -> None:
        self._most = most
        self._seen: OrderedDict[Path, _Seen] = OrderedDict()
        self._changing = threading.Lock()
        self.hashed_bytes = 0

    def sha256(self, path: Path) -> str:
        """The sha256 of a file's content, in hex."""
        with opened(path) as file:
            state, begun = _state(file), _now()
            cached = self._known(path, state)
            if isinstance(cached, str):
                return cached
            digest = hashlib.sha256()
            while chunk := file.read(MIB):
                digest.update(chunk)
                self._count(len(chunk))
            sha256 = digest.hexdigest()
            if state == _state(file):
                self._remember(path, state, begun, sha256)
        return sha256

    def text(self, path: Path, is_whole: Callable[[bytes], bool], most_bytes: int) -> bytes | None:
        """A file's content if `is_whole` accepts it; that must be the same function each time for one path.
        None if it does not, or if the file is longer than `most_bytes`."""
        with opened(path) as file:
            state, begun = _state(file), _now()
            if state.size > most_bytes:
                return None
            text = file.read(most_bytes)
            cached = self._known(path, state)
            if state != _state(file) or not isinstance(cached, bool):
                self._count(len(text))
                cached = is_whole(text)
                if state == _state(file):
                    self._remember(path, state, begun, cached)
        return text if cached else None

    def _count(self, bytes: int) -> None:
        with self._changing:
            self.hashed_bytes += bytes

    def _known(self, path: Path, state: _State) -> str | bool | None:
        with self._changing:
            entry = self._seen.get(path)
            if entry is None or entry.state != state:
                return None
            self._seen.move_to_end(path)
            return entry.found

    def _remember(self, path: Path, state: _State, begun: _Moment, result: str | bool) -> None:
        with self._changing:
            before = self._seen.get(path)
            since = begun if before is None or before.state != state else before.since
            is_old = begun.wall_ns - state.mtime_ns >= SETTLED_NS
            # If clocks differ: after this time, a change would give another mtime.
            is_settled = is_old or begun.steady_ns - since.steady_ns >= SETTLED_NS
            self._seen[path] = _Seen(state, since, result if is_settled else None)
            self._seen.move_to_end(path)
            while len(self._seen) > self._most:
                self._seen.popitem(last=False)


DIGESTS = Digests()
"""The digests of this process."""


def opened(path: Path) -> BinaryIO:
    """The file, opened for reading. If it has become a pipe, this does not wait. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EISDIR, "Not a plain file", str(path))
    return os.fdopen(handle, "rb")


def _now() -> _Moment:
    return _Moment(time.time_ns(), time.monotonic_ns())


def _state(file: BinaryIO) -> _State:
    status = os.fstat(file.fileno())
    return _State(status.st_size, status.st_mtime_ns, status.st_ino)
