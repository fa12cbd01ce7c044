"""Process lock: a name for the temporary files of one process, and a lock that shows others that it is
running.

    marks/{name}.lock         locked while the process has the store open
    aside/{name}.{more}       what the process is writing or removing

The lock ends with its process, however that ends. On a network share it is visible from other machines only
if the share supports `flock` (NFS does, unless mounted with local locks): otherwise only age decides.
"""

import contextlib
import fcntl
import os
import uuid
import weakref
from collections.abc import Iterator
from pathlib import Path

_SUFFIX = ".lock"


class ProcessLock:
    """The lock of this process in `folder`; created when its name is first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name: str | None = None

    @property
    def name(self) -> str:
        """The name. Raises OSError if its lock cannot be created."""
        if self._name is None:
            name = uuid.uuid4().hex
            handle = os.open(self._folder / f".{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                # Locked before it gets its name, so that nobody finds it unlocked.
                (self._folder / f".{name}").rename(_lock_of(self._folder, name))
            except OSError:
                os.close(handle)
                raise
            weakref.finalize(self, _end, handle, _lock_of(self._folder, name))
            self._name = name
        return self._name


def is_alive(folder: Path, name: str) -> bool:
    """Whether a process of that name holds its lock. Raises OSError if that cannot be found out."""
    try:
        with _tried(_lock_of(folder, name)) as is_free:
            return not is_free
    except FileNotFoundError:
        return False


def stale_locks(folder: Path, before_s: float) -> list[Path]:
    """Locks that nobody holds, created before that time, in seconds since 1970: their processes were
    killed."""
    stale = []
    for lock in folder.iterdir():
        with contextlib.suppress(FileNotFoundError), _tried(lock) as is_free:
            if is_free and lock.stat().st_mtime < before_s:
                stale.append(lock)
    return stale


@contextlib.contextmanager
def _tried(lock: Path) -> Iterator[bool]:
    """Whether the lock is free; the context holds it then."""
    handle = os.open(lock, os.O_WRONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_free = True
    except BlockingIOError:
        is_free = False
    try:
        yield is_free
    finally:
        os.close(handle)


def _lock_of(folder: Path, name: str) -> Path:
    return folder / f"{name}{_SUFFIX}"


def _end(handle: int, lock: Path) -> None:
    lock.unlink(missing_ok=True)
    os.close(handle)
