"""Digests: whether files are still what was written, each hashed once for as long as it stays as it is.

A file is known by its path, size, mtime and inode: while these stay, nothing of it is hashed again. One whose
mtime is not settled yet is hashed again, since a second change within one tick of the file system's clock
would leave all of them as they are (as Git holds it: Documentation/technical/racy-git.txt). Settled is what
is older than a tick by this machine's clock, or, where the file's clock is ahead of it, was seen as it is for
that long.

What is promised: a file that was damaged, cut, replaced or removed at rest is not taken for what was
written, by a process that was started since, or where the change touched size, mtime or inode. What is not:
that a file stays as it is between its check and its use; and that a disk which loses bits of a file that was
checked already is noticed before the next start. `seedpath store check` begins with nothing remembered. Each
process remembers for itself.
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
"""Files that are remembered, some twenty megabytes of them [U]."""

MIB = 1 << 20


@dataclass(frozen=True)
class _State:
    """By what a file is known to be as it was."""

    size: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True)
class _Moment:
    """A moment by the clock that files are dated by, and by one that nobody sets."""

    wall_ns: int
    steady_ns: int


@dataclass(frozen=True)
class _Seen:
    """A file as it was seen, since when it is, and what was found of it; None before it is settled."""

    state: _State
    since: _Moment
    found: str | bool | None


class Digests:
    """What was found of files, remembered for as long as they stay as they are. For any number of threads.

    `hashed_bytes` counts what was hashed. Every method raises OSError as the file system says it; what is no
    plain file is one that cannot be read.
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
            known = self._known(path, state)
            if isinstance(known, str):
                return known
            digest = hashlib.sha256()
            while chunk := file.read(MIB):
                digest.update(chunk)
                self._count(len(chunk))
            found = digest.hexdigest()
            if state == _state(file):
                self._remember(path, state, begun, found)
        return found

    def text(self, path: Path, is_whole: Callable[[bytes], bool], most_bytes: int) -> bytes | None:
        """A file's content where `is_whole` says so of it, which must be the same question of one path each
        time; None where it does not, or the file is longer than `most_bytes`."""
        with opened(path) as file:
            state, begun = _state(file), _now()
            if state.size > most_bytes:
                return None
            text = file.read(most_bytes)
            whole = self._known(path, state)
            if state != _state(file) or not isinstance(whole, bool):
                self._count(len(text))
                whole = is_whole(text)
                if state == _state(file):
                    self._remember(path, state, begun, whole)
        return text if whole else None

    def _count(self, bytes: int) -> None:
        with self._changing:
            self.hashed_bytes += bytes

    def _known(self, path: Path, state: _State) -> str | bool | None:
        with self._changing:
            seen = self._seen.get(path)
            if seen is None or seen.state != state:
                return None
            self._seen.move_to_end(path)
            return seen.found

    def _remember(self, path: Path, state: _State, begun: _Moment, found: str | bool) -> None:
        with self._changing:
            before = self._seen.get(path)
            since = begun if before is None or before.state != state else before.since
            is_old = begun.wall_ns - state.mtime_ns >= SETTLED_NS
            # Where clocks differ: what stands so for that long would get another time by a change.
            is_settled = is_old or begun.steady_ns - since.steady_ns >= SETTLED_NS
            self._seen[path] = _Seen(state, since, found if is_settled else None)
            self._seen.move_to_end(path)
            while len(self._seen) > self._most:
                self._seen.popitem(last=False)


DIGESTS = Digests()
"""Those of this process."""


def opened(path: Path) -> BinaryIO:
    """The file, opened to be read. One that is a pipe by now is not waited for. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EISDIR, "Not a plain file", str(path))
    return os.fdopen(handle, "rb")


def _now() -> _Moment:
    return _Moment(time.time_ns(), time.monotonic_ns())


def _state(file: BinaryIO) -> _State:
    found = os.fstat(file.fileno())
    return _State(found.st_size, found.st_mtime_ns, found.st_ino)
